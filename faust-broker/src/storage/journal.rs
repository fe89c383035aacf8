//! The journal: one line for every change that is not a record, so that a broker that was killed
//! comes back with everything it acknowledged.
//!
//! A line is a checksum and an [`Entry`] as JSON. State is what the entries say, applied in order;
//! a broker writes an entry first and applies it then.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use kafka_protocol::ResponseError;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Error;
use crate::groups::offsets::OffsetCommit;

/// The journal is rewritten when it has grown to four times its last compact size, but not before
/// it has this many bytes.
const REWRITE_BYTES: u64 = 16 * 1024 * 1024;

/// Something that happened and must not be forgotten.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Entry {
    ClusterNamed {
        id: String,
    },
    /// How many brokers have served the folder so far, this one included.
    Started {
        lives: i32,
    },
    TopicCreated {
        name: String,
        id: Uuid,
        partitions: i32,
        configs: BTreeMap<String, String>,
    },
    TopicGrown {
        name: String,
        partitions: i32,
    },
    TopicConfigured {
        name: String,
        configs: BTreeMap<String, String>,
    },
    TopicDeleted {
        name: String,
    },
    RecordsDeleted {
        topic: String,
        partition: i32,
        before: i64,
    },
    OffsetsCommitted {
        group: String,
        offsets: Vec<OffsetCommit>,
    },
    GroupDeleted {
        group: String,
    },
    ProducerIdsTaken {
        next: i64,
    },
    ProducerRegistered {
        transactional_id: String,
        producer_id: i64,
        epoch: i16,
        timeout_ms: i32,
    },
    TransactionPartitions {
        transactional_id: String,
        partitions: Vec<(String, i32)>,
    },
    TransactionGroup {
        transactional_id: String,
        group: String,
    },
    TransactionOffsets {
        transactional_id: String,
        group: String,
        offsets: Vec<OffsetCommit>,
    },
    /// The decision. From here on the transaction ends this way, whatever happens.
    TransactionPrepared {
        transactional_id: String,
        epoch: i16,
        commit: bool,
    },
    TransactionEnded {
        transactional_id: String,
    },
}

impl Entry {
    /// What a client is told when the entry cannot be written. Both errors ask it to try again.
    pub(crate) fn failure(&self) -> ResponseError {
        match self {
            Self::ClusterNamed { .. }
            | Self::Started { .. }
            | Self::TopicCreated { .. }
            | Self::TopicGrown { .. }
            | Self::TopicConfigured { .. }
            | Self::TopicDeleted { .. }
            | Self::RecordsDeleted { .. } => ResponseError::KafkaStorageError,
            _ => ResponseError::CoordinatorNotAvailable,
        }
    }
}

/// The open journal of a data folder.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    file: File,
    size: u64,
    compact_size: u64,
}

impl Journal {
    /// The entries of a journal, oldest first; none if there is no journal yet.
    pub(crate) fn read(path: &Path) -> Result<Vec<Entry>, Error> {
        let fail = |source| Error::Data { path: path.to_owned(), source };
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(fail(error)),
        };
        let mut entries = Vec::new();
        let mut reader = BufReader::new(file);
        let mut line = Vec::new();
        for number in 1.. {
            line.clear();
            if reader.read_until(b'\n', &mut line).map_err(fail)? == 0 {
                break;
            }
            // A killed process tears its last write only. Anything else is damage.
            match decode(&line) {
                Some(entry) => entries.push(entry),
                None if reader.fill_buf().map_err(fail)?.is_empty() => {
                    tracing::warn!(file = %path.display(), "cut the torn end of the journal");
                }
                None => return Err(Error::Damaged { path: path.to_owned(), line: number }),
            }
        }
        Ok(entries)
    }

    /// Opens the journal at `path` to append to it.
    pub(crate) fn resume(path: &Path) -> io::Result<Self> {
        let file = File::options().write(true).create(true).truncate(false).open(path)?;
        let size = file.metadata()?.len();
        Ok(Self { path: path.to_owned(), file, size, compact_size: size })
    }

    /// Begins a journal that holds exactly `entries`, in place of the one at `path`.
    pub(crate) fn rewrite(path: &Path, entries: &[Entry]) -> io::Result<Self> {
        let mut lines = Vec::new();
        for entry in entries {
            encode(entry, &mut lines)?;
        }
        // A rename is all or nothing: a killed process leaves the old journal or the new one.
        let draft = path.with_extension("draft");
        let mut file = File::options().write(true).create(true).truncate(true).open(&draft)?;
        file.write_all(&lines)?;
        std::fs::rename(&draft, path)?;
        let size = lines.len() as u64;
        Ok(Self { path: path.to_owned(), file, size, compact_size: size })
    }

    /// Appends one entry; when that fails nothing of it stays.
    pub(crate) fn append(&mut self, entry: &Entry) -> io::Result<()> {
        let mut line = Vec::new();
        encode(entry, &mut line)?;
        if let Err(error) = self.file.write_all_at(&line, self.size) {
            if let Err(cut) = self.file.set_len(self.size) {
                tracing::error!(file = %self.path.display(), %cut, "cannot cut a failed write");
            }
            return Err(error);
        }
        self.size += line.len() as u64;
        Ok(())
    }

    /// Whether most of the journal is history by now.
    pub(crate) fn has_outgrown(&self) -> bool {
        self.size > REWRITE_BYTES.max(4 * self.compact_size)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

fn encode(entry: &Entry, lines: &mut Vec<u8>) -> io::Result<()> {
    let json = serde_json::to_vec(entry)?;
    write!(lines, "{:08x} ", crc32c::crc32c(&json))?;
    lines.extend_from_slice(&json);
    lines.push(b'\n');
    Ok(())
}

fn decode(line: &[u8]) -> Option<Entry> {
    let (checksum, json) = line.strip_suffix(b"\n")?.split_at_checked(9)?;
    let checksum = std::str::from_utf8(checksum.get(..8)?).ok()?;
    let holds = u32::from_str_radix(checksum, 16).ok()? == crc32c::crc32c(json);
    if holds { serde_json::from_slice(json).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(id: &str) -> Entry {
        Entry::ClusterNamed { id: id.to_owned() }
    }

    #[test]
    fn a_torn_last_line_is_cut_and_damage_before_it_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let mut journal = Journal::rewrite(&path, &[named("a")]).unwrap();
        journal.append(&named("b")).unwrap();
        let whole = std::fs::read(&path).unwrap();

        std::fs::write(&path, &whole[..whole.len() - 3]).unwrap();
        assert_eq!(Journal::read(&path).unwrap().len(), 1);

        let mut damaged = whole;
        damaged[12] ^= 1;
        std::fs::write(&path, &damaged).unwrap();
        assert!(matches!(Journal::read(&path), Err(Error::Damaged { line: 1, .. })));
    }
}
