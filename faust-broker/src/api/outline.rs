//! The outline of every request, to be checked before it is decoded.
//!
//! The decoder reserves memory for as many elements as an array claims to have. A broken client
//! could claim two thousand million of them in a frame of forty bytes, and take the process down.
//! Here an array that cannot fit into its frame is found out.

use kafka_protocol::messages::ApiKey;

/// What a field looks like on the wire.
#[derive(Debug, Clone, Copy)]
enum Shape {
    /// So many bytes.
    Fixed(usize),
    /// A length and as many bytes.
    Text,
    Bytes,
    /// A count and as many structs.
    List(&'static [Field]),
}

/// A field, and the versions that have it.
#[derive(Debug, Clone, Copy)]
struct Field {
    shape: Shape,
    first: i16,
    last: i16,
}

const fn always(shape: Shape) -> Field {
    Field { shape, first: 0, last: i16::MAX }
}

/// The field in the versions from `first` on.
const fn since(first: i16, field: Field) -> Field {
    Field { shape: field.shape, first, last: field.last }
}

/// The field in the versions up to `last`.
const fn until(last: i16, field: Field) -> Field {
    Field { shape: field.shape, first: field.first, last }
}

const fn list(fields: &'static [Field]) -> Field {
    always(Shape::List(fields))
}

const I8: Field = always(Shape::Fixed(1));
const BOOL: Field = I8;
const I16: Field = always(Shape::Fixed(2));
const I32: Field = always(Shape::Fixed(4));
const I64: Field = always(Shape::Fixed(8));
const UUID: Field = always(Shape::Fixed(16));
const TEXT: Field = always(Shape::Text);
const BYTES: Field = always(Shape::Bytes);

const NAMED_PARTITIONS: &[Field] = &[TEXT, list(&[I32])];
const CONFIGS: &[Field] = &[TEXT, TEXT];

/// The fields of every request.
const OUTLINES: &[(ApiKey, &[Field])] = &[
    (ApiKey::Produce, &[TEXT, I16, I32, list(&[TEXT, list(&[I32, BYTES])])]),
    (
        ApiKey::Fetch,
        &[
            I32,
            I32,
            I32,
            I32,
            I8,
            since(7, I32),
            since(7, I32),
            list(&[TEXT, list(&[I32, since(9, I32), I64, since(12, I32), since(5, I64), I32])]),
            since(7, list(NAMED_PARTITIONS)),
            since(11, TEXT),
        ],
    ),
    (ApiKey::ListOffsets, &[I32, since(2, I8), list(&[TEXT, list(&[I32, since(4, I32), I64])])]),
    (
        ApiKey::Metadata,
        &[
            list(&[since(10, UUID), TEXT]),
            since(4, BOOL),
            since(8, until(10, BOOL)),
            since(8, BOOL),
        ],
    ),
    (
        ApiKey::OffsetCommit,
        &[
            TEXT,
            I32,
            TEXT,
            since(7, TEXT),
            until(4, I64),
            list(&[TEXT, list(&[I32, I64, since(6, I32), TEXT])]),
        ],
    ),
    (
        ApiKey::OffsetFetch,
        &[
            until(7, TEXT),
            until(7, list(NAMED_PARTITIONS)),
            since(8, list(&[TEXT, since(9, TEXT), since(9, I32), list(NAMED_PARTITIONS)])),
            since(7, BOOL),
        ],
    ),
    (ApiKey::FindCoordinator, &[until(3, TEXT), since(1, I8), since(4, list(&[TEXT]))]),
    (
        ApiKey::JoinGroup,
        &[TEXT, I32, since(1, I32), TEXT, since(5, TEXT), TEXT, list(&[TEXT, BYTES])],
    ),
    (ApiKey::Heartbeat, &[TEXT, I32, TEXT, since(3, TEXT)]),
    (ApiKey::LeaveGroup, &[TEXT, until(2, TEXT), since(3, list(&[TEXT, TEXT, since(5, TEXT)]))]),
    (
        ApiKey::SyncGroup,
        &[TEXT, I32, TEXT, since(3, TEXT), since(5, TEXT), since(5, TEXT), list(&[TEXT, BYTES])],
    ),
    (ApiKey::DescribeGroups, &[list(&[TEXT]), since(3, BOOL)]),
    (ApiKey::ListGroups, &[since(4, list(&[TEXT])), since(5, list(&[TEXT]))]),
    (ApiKey::ApiVersions, &[since(3, TEXT), since(3, TEXT)]),
    (
        ApiKey::CreateTopics,
        &[list(&[TEXT, I32, I16, list(&[I32, list(&[I32])]), list(CONFIGS)]), I32, BOOL],
    ),
    (ApiKey::DeleteTopics, &[list(&[TEXT]), I32]),
    (ApiKey::DeleteRecords, &[list(&[TEXT, list(&[I32, I64])]), I32]),
    (ApiKey::InitProducerId, &[TEXT, I32, since(3, I64), since(3, I16)]),
    (ApiKey::OffsetForLeaderEpoch, &[since(3, I32), list(&[TEXT, list(&[I32, I32, I32])])]),
    (ApiKey::AddPartitionsToTxn, &[TEXT, I64, I16, list(NAMED_PARTITIONS)]),
    (ApiKey::AddOffsetsToTxn, &[TEXT, I64, I16, TEXT]),
    (ApiKey::EndTxn, &[TEXT, I64, I16, BOOL]),
    (
        ApiKey::TxnOffsetCommit,
        &[
            TEXT,
            TEXT,
            I64,
            I16,
            since(3, I32),
            since(3, TEXT),
            since(3, TEXT),
            list(&[TEXT, list(&[I32, I64, since(2, I32), TEXT])]),
        ],
    ),
    (ApiKey::DescribeConfigs, &[list(&[I8, TEXT, list(&[TEXT])]), BOOL, since(3, BOOL)]),
    (ApiKey::AlterConfigs, &[list(&[I8, TEXT, list(CONFIGS)]), BOOL]),
    (ApiKey::CreatePartitions, &[list(&[TEXT, I32, list(&[list(&[I32])])]), I32, BOOL]),
    (ApiKey::DeleteGroups, &[list(&[TEXT])]),
    (
        ApiKey::ConsumerGroupHeartbeat,
        &[
            TEXT,
            TEXT,
            I32,
            TEXT,
            TEXT,
            I32,
            list(&[TEXT]),
            since(1, TEXT),
            TEXT,
            list(&[UUID, list(&[I32])]),
        ],
    ),
];

/// Whether the body of a request can hold what it claims to hold.
pub(super) fn fits(key: ApiKey, version: i16, body: &[u8]) -> bool {
    // The second header version came with tagged fields and compact lengths.
    let flexible = key.request_header_version(version) >= 2;
    let outline = OUTLINES.iter().find(|(api, _)| *api == key).map(|(_, fields)| fields);
    let mut reader = Reader { rest: body, version, flexible };
    outline.is_some_and(|fields| reader.structure(fields, true).is_some())
}

/// Steps over fields; `None` where the bytes run out.
struct Reader<'a> {
    rest: &'a [u8],
    version: i16,
    flexible: bool,
}

impl Reader<'_> {
    /// `tagged`: structs end with tagged fields, plain values in a list do not.
    fn structure(&mut self, fields: &[Field], tagged: bool) -> Option<()> {
        let version = self.version;
        let present = |field: &&Field| (field.first..=field.last).contains(&version);
        for field in fields.iter().filter(present) {
            match field.shape {
                Shape::Fixed(size) => self.skip(size)?,
                Shape::Text => {
                    let size = self.length(2)?;
                    self.skip(size)?;
                }
                Shape::Bytes => {
                    let size = self.length(4)?;
                    self.skip(size)?;
                }
                Shape::List(fields) => {
                    let count = self.length(4)?;
                    // An element has at least one byte.
                    if count > self.rest.len() {
                        return None;
                    }
                    let is_struct =
                        fields.len() > 1 || matches!(fields, [Field { shape: Shape::List(_), .. }]);
                    for _ in 0..count {
                        self.structure(fields, is_struct)?;
                    }
                }
            }
        }
        if self.flexible && tagged {
            for _ in 0..self.varint()? {
                let _tag = self.varint()?;
                let size = self.varint()?;
                self.skip(size)?;
            }
        }
        Some(())
    }

    /// A length or count of `width` bytes, or a compact one. Null counts as nothing.
    fn length(&mut self, width: usize) -> Option<usize> {
        if self.flexible {
            return Some(self.varint()?.saturating_sub(1));
        }
        let (bytes, rest) = self.rest.split_at_checked(width)?;
        self.rest = rest;
        match *bytes {
            [a, b] => usize::try_from(i16::from_be_bytes([a, b]).max(0)).ok(),
            [a, b, c, d] => usize::try_from(i32::from_be_bytes([a, b, c, d]).max(0)).ok(),
            _ => None,
        }
    }

    fn varint(&mut self) -> Option<usize> {
        let mut value = 0usize;
        for shift in (0..35).step_by(7) {
            let (&byte, rest) = self.rest.split_first()?;
            self.rest = rest;
            value |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn skip(&mut self, size: usize) -> Option<()> {
        self.rest = self.rest.get(size..)?;
        Some(())
    }
}
