//! Compaction: of each key only the latest record stays, and in the end not even that if it is a tombstone.
//!
//! The closed segments up to the last stable offset are read and written anew without the broker's lock, which is
//! taken to decide what to do and to put the new segments into the old ones' places. A new file is renamed over the
//! first of those it replaces: a broker that is killed there finds the old file or the new one, and removes what was
//! merged into the new one when it starts.
//!
//! Offsets stay as they are, with gaps. Of a transaction that was aborted no record stays, and its end goes when they
//! have gone, as tombstones do: `delete.retention.ms` after the first compaction that could have removed it.

use std::collections::{HashMap, HashSet};
use std::io;
use std::ops::Range;
use std::path::PathBuf;

use bytes::Bytes;

use super::Log;
use crate::storage::batch::{Batch, Header};
use crate::storage::records::{Record, plain, records};
use crate::storage::rewrite::{with_horizon, with_records};
use crate::storage::segment::{Piece, Segment};
use crate::topics::settings::Settings;

/// What is to be compacted, and all that must be known for it.
#[derive(Debug)]
pub(crate) struct Plan {
    folder: Option<PathBuf>,
    segment_bytes: u64,
    /// Base offsets and contents.
    sources: Vec<(i64, Piece)>,
    /// The offsets of each producer's aborted transactions, without their ends.
    aborted: HashMap<i64, Vec<Range<i64>>>,
    /// The last offset of each producer: its batch stays, if only as a number.
    last_offsets: HashMap<i64, i64>,
    now: i64,
    /// From when on what is superseded now may be forgotten.
    horizon: i64,
}

/// What came of a plan.
#[derive(Debug)]
pub(crate) struct Compacted(Vec<Group>);

/// A segment, and the base offsets of those in whose place it comes.
#[derive(Debug)]
struct Group {
    segment: Segment,
    replaces: Vec<i64>,
    /// Ends of transactions that have gone: producer and offset.
    ends: Vec<(i64, i64)>,
}

impl Log {
    /// What there is to compact, if it is worth it.
    pub(crate) fn plan_compaction(&mut self, settings: &Settings, now: i64) -> Option<Plan> {
        let last_stable = self.bounds().last_stable;
        let lag = settings.number("min.compaction.lag.ms");
        let (active, closed) = self.segments.split_last_mut()?;
        // Without a batch it has no file, and the log's end would go with the last record before it.
        if active.size == 0 {
            return None;
        }
        let mut ends: Vec<_> = closed.iter().skip(1).map(|next| next.base_offset).collect();
        ends.push(active.base_offset);
        let ripe = closed.iter().zip(ends).take_while(|(segment, end)| {
            *end <= last_stable && now.saturating_sub(segment.max_timestamp) >= lag
        });
        let count = ripe.count();
        let ripe = closed.get_mut(..count)?;
        let bytes = |segments: &mut dyn Iterator<Item = &Segment>| -> u64 {
            segments.map(|segment| segment.size).sum()
        };
        let all = bytes(&mut ripe.iter());
        let dirty =
            bytes(&mut ripe.iter().filter(|segment| segment.base_offset >= self.compacted_before));
        let ratio: f64 = settings.get("min.cleanable.dirty.ratio").parse().unwrap_or(0.5);
        if dirty == 0 || (dirty as f64) < ratio * all as f64 {
            return None;
        }
        let piece = |segment: &mut Segment| {
            Some((segment.base_offset, segment.piece(0, segment.size).ok()?))
        };
        Some(Plan {
            folder: self.folder.clone(),
            segment_bytes: self.roll.bytes,
            sources: ripe.iter_mut().map(piece).collect::<Option<_>>()?,
            aborted: self.transactions.aborted_by_producer(),
            last_offsets: self.producers.last_offsets(),
            now,
            horizon: now.saturating_add(settings.number("delete.retention.ms")),
        })
    }

    /// Puts new segments into the old ones' places, unless those have gone meanwhile.
    pub(crate) fn install(&mut self, compacted: Compacted) -> io::Result<()> {
        for Group { mut segment, replaces, ends } in compacted.0 {
            let bases = self.segments.iter().map(|old| old.base_offset);
            let at = bases.clone().position(|base| Some(&base) == replaces.first());
            let at = at.filter(|at| bases.skip(*at).take(replaces.len()).eq(replaces.clone()));
            let Some(at) = at else {
                segment.remove();
                continue;
            };
            segment.install()?;
            self.compacted_before =
                replaces.last().map_or(0, |last| last + 1).max(self.compacted_before);
            let old = self.segments.splice(at..at + replaces.len(), [segment]);
            // The first one's file is the new one's by now.
            old.skip(1).collect::<Vec<_>>().into_iter().for_each(Segment::remove);
            // A reader that is told of an aborted transaction waits for its end.
            self.transactions.forget_ended(&ends);
        }
        Ok(())
    }
}

impl Plan {
    /// Reads and writes. This takes a while; the log goes on meanwhile.
    pub(crate) fn run(self) -> io::Result<Compacted> {
        let mut latest = HashMap::new();
        for (_, piece) in &self.sources {
            self.note_keys(&piece.clone().read()?, &mut latest);
        }
        let mut filter = Filter { plan: &self, latest, kept: HashSet::new(), opaque: false };
        let mut groups: Vec<Group> = Vec::new();
        for (base_offset, piece) in &self.sources {
            let (kept, ends) = filter.kept(&piece.clone().read()?)?;
            let size: u64 = kept.iter().map(|batch| batch.header.size as u64).sum();
            let fits = |group: &&mut Group| group.segment.size + size <= self.segment_bytes;
            let group = match groups.last_mut().filter(fits) {
                Some(group) => group,
                None => {
                    let segment = Segment::draft(*base_offset, self.folder.as_deref())?;
                    groups.push(Group { segment, replaces: Vec::new(), ends: Vec::new() });
                    #[expect(clippy::expect_used, reason = "the line above pushes one")]
                    groups.last_mut().expect("a group")
                }
            };
            group.replaces.push(*base_offset);
            group.ends.extend(ends);
            for batch in kept {
                group.segment.append(batch)?;
            }
        }
        Ok(Compacted(groups))
    }

    fn note_keys(&self, segment: &Bytes, latest: &mut HashMap<Vec<u8>, i64>) {
        for (header, batch) in batches(segment) {
            if header.is_control() || self.is_aborted(&header) {
                continue;
            }
            let Some(bytes) = plain(&header, batch) else { continue };
            for record in records(&bytes) {
                let Some(key) = record.key else { continue };
                latest.insert(key.to_vec(), header.base_offset + record.offset_delta);
            }
        }
    }

    fn is_aborted(&self, header: &Header) -> bool {
        let aborted = self.aborted.get(&header.producer_id).filter(|_| header.is_transactional());
        aborted.is_some_and(|ranges| ranges.iter().any(|range| range.contains(&header.base_offset)))
    }
}

/// Decides what stays, batch after batch.
struct Filter<'a> {
    plan: &'a Plan,
    latest: HashMap<Vec<u8>, i64>,
    /// Producers with a record that stays in the transaction that is being read.
    kept: HashSet<i64>,
    /// A batch that cannot be looked into lies before: it may hold what a tombstone deletes.
    opaque: bool,
}

impl Filter<'_> {
    /// What stays of a segment, and the ends of transactions that do not.
    fn kept(&mut self, segment: &Bytes) -> io::Result<(Vec<Batch>, Vec<(i64, i64)>)> {
        let (mut kept, mut ends) = (Vec::new(), Vec::new());
        for (header, batch) in batches(segment) {
            let stays = if header.is_control() {
                let stays = self.end(&header, batch)?;
                if stays.is_none() {
                    ends.push((header.producer_id, header.base_offset));
                }
                stays
            } else {
                self.data(&header, batch)?
            };
            kept.extend(stays);
        }
        Ok((kept, ends))
    }

    /// The end of a transaction stays as long as one of its records, and then until its horizon.
    fn end(&mut self, header: &Header, batch: &[u8]) -> io::Result<Option<Batch>> {
        if self.kept.remove(&header.producer_id) {
            return Ok(Some(Batch::sealed(batch.into()).ok_or_else(broken)?));
        }
        match header.delete_horizon() {
            Some(horizon) if horizon <= self.plan.now => Ok(None),
            Some(_) => Ok(Some(Batch::sealed(batch.into()).ok_or_else(broken)?)),
            None => {
                let marked = with_horizon(batch, header, self.plan.horizon).ok_or_else(broken)?;
                Ok(Some(marked))
            }
        }
    }

    fn data(&mut self, header: &Header, batch: &[u8]) -> io::Result<Option<Batch>> {
        let bytes = plain(header, batch);
        let stays = match &bytes {
            _ if self.plan.is_aborted(header) => self.some(header, batch, &[], None)?,
            None => {
                self.opaque = true;
                Some(Batch::sealed(batch.into()).ok_or_else(broken)?)
            }
            Some(bytes) => {
                let expired =
                    header.delete_horizon().is_some_and(|horizon| horizon <= self.plan.now);
                let all = records(bytes).count();
                let kept: Vec<_> =
                    records(bytes).filter(|record| self.stays(header, record, expired)).collect();
                let tombstones = kept.iter().any(|record| record.is_tombstone);
                let horizon =
                    (tombstones && header.delete_horizon().is_none()).then_some(self.plan.horizon);
                if kept.len() == all && horizon.is_none() {
                    Some(Batch::sealed(batch.into()).ok_or_else(broken)?)
                } else {
                    self.some(header, batch, &kept, horizon)?
                }
            }
        };
        if stays.is_some() && header.is_transactional() {
            self.kept.insert(header.producer_id);
        }
        Ok(stays)
    }

    fn stays(&self, header: &Header, record: &Record<'_>, expired: bool) -> bool {
        let Some(key) = record.key else { return true };
        let offset = header.base_offset + record.offset_delta;
        let is_latest = self.latest.get(key).is_none_or(|latest| *latest == offset);
        is_latest && !(record.is_tombstone && expired && !self.opaque)
    }

    /// What stays of a batch. Of a producer's last one at least its numbers do, by which it goes on after a restart.
    fn some(
        &self,
        header: &Header,
        batch: &[u8],
        kept: &[Record<'_>],
        horizon: Option<i64>,
    ) -> io::Result<Option<Batch>> {
        let last_of_producer =
            self.plan.last_offsets.get(&header.producer_id) == Some(&header.base_offset);
        if kept.is_empty() && !last_of_producer {
            return Ok(None);
        }
        with_records(header, batch, kept, horizon).ok_or_else(broken).map(Some)
    }
}

/// The batches of a segment.
fn batches(segment: &Bytes) -> impl Iterator<Item = (Header, &[u8])> {
    let mut rest = &segment[..];
    std::iter::from_fn(move || {
        let header = Header::parse(rest)?;
        let (batch, behind) = rest.split_at_checked(header.size)?;
        rest = behind;
        Some((header, batch))
    })
}

fn broken() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a batch cannot be read")
}
