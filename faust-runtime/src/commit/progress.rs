//! Which records of a partition an agent has finished, and how that is written into the commit's metadata.

use crate::kafka::{Committed, KafkaError, Offset, TopicPartition};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::Range;

/// What one agent has finished of one partition: everything below `low`, and the ranges above it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Progress {
    low: Offset,
    /// Finished ranges above `low`, `start..end`, ascending, apart from each other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    done: Vec<(Offset, Offset)>,
}

impl Progress {
    pub(crate) fn at(low: Offset) -> Self {
        Self { low, done: Vec::new() }
    }

    /// Everything below is finished.
    pub(crate) fn low(&self) -> Offset {
        self.low
    }

    pub(crate) fn is_done(&self, offset: Offset) -> bool {
        offset < self.low || self.done.iter().any(|(start, end)| (*start..*end).contains(&offset))
    }

    /// The record at `offset` is finished; `before` is the first offset that may be unfinished below it, so that
    /// gaps in the log (control records, compaction) do not count as unfinished.
    pub(crate) fn finish(&mut self, before: Offset, offset: Offset) {
        if offset < self.low {
            return;
        }
        // The next one in order, with nothing finished ahead of it: what happens to nearly all.
        if before <= self.low && self.done.is_empty() {
            self.low = offset + 1;
            return;
        }
        let (mut start, mut end) = (before.min(offset).max(self.low), offset + 1);
        self.done.retain(|range| {
            let apart = range.1 < start || range.0 > end;
            if !apart {
                start = start.min(range.0);
                end = end.max(range.1);
            }
            apart
        });
        if start <= self.low {
            self.low = self.low.max(end);
        } else {
            let at = self.done.partition_point(|range| range.0 < start);
            self.done.insert(at, (start, end));
        }
    }

    /// Reading stands at `end` and everything before it is finished.
    pub(crate) fn advance(&mut self, end: Offset) {
        if self.done.is_empty() {
            self.low = self.low.max(end);
        }
    }

    /// The finished range above `low` that has this offset in it.
    pub(crate) fn range(&self, offset: Offset) -> Range<Offset> {
        let mut ranges = self.done.iter().map(|(start, end)| *start..*end);
        ranges.find(|range| range.contains(&offset)).unwrap_or(offset..offset)
    }

    /// How many ranges there are above `low`.
    pub(crate) fn ranges(&self) -> usize {
        self.done.len()
    }
}

/// The format of [`Metadata`]; another one is refused.
const FORMAT: u32 = 1;

/// What a cut writes beside the offset of each source partition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Metadata {
    /// The format of this text.
    #[serde(rename = "v")]
    pub(crate) format: u32,
    /// The transactional id that committed it: the next owner fences it.
    pub(crate) by: String,
    /// How often the task has changed hands.
    pub(crate) epoch: u32,
    /// The task's cuts so far.
    pub(crate) cut: u64,
    /// Stream time: of several agents that read the topic, the lowest.
    pub(crate) time: i64,
    /// That of the agents that are ahead.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) times: BTreeMap<String, i64>,
    /// The progress of each agent that reads the topic.
    pub(crate) agents: BTreeMap<String, Progress>,
    /// How far each function has come that is called when windows close.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) closed: BTreeMap<String, (i64, u64)>,
}

impl Metadata {
    pub(crate) fn encode(&self) -> String {
        let this = Self { format: FORMAT, ..self.clone() };
        serde_json::to_string(&this).unwrap_or_default()
    }

    /// Where an agent's stream time stands.
    pub(crate) fn time_of(&self, agent: &str) -> i64 {
        self.times.get(agent).copied().unwrap_or(self.time)
    }

    /// Reads the metadata of a commit; `None` where it is not ours.
    pub(crate) fn decode(
        of: &TopicPartition,
        commit: &Committed,
    ) -> Result<Option<Self>, KafkaError> {
        match serde_json::from_str::<Self>(&commit.metadata) {
            Ok(metadata) if metadata.format == FORMAT => Ok(Some(metadata)),
            Ok(metadata) => Err(KafkaError::Refused {
                what: of.to_string(),
                cause: format!(
                    "its commit has format {}, this program knows {FORMAT}: a newer version of it has run here",
                    metadata.format
                ),
            }),
            Err(_) => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finished_records_move_the_low_mark_over_gaps_and_in_any_order() {
        let mut p = Progress::at(10);
        p.finish(10, 12); // 10 and 11 are not in the log
        assert_eq!((p.low(), p.ranges()), (13, 0));
        p.finish(15, 15);
        assert_eq!((p.low(), p.ranges()), (13, 1));
        assert!(p.is_done(15) && !p.is_done(14) && p.is_done(3));
        p.finish(17, 17);
        p.finish(16, 16);
        assert_eq!((p.low(), p.ranges()), (13, 1));
        p.finish(13, 14);
        assert_eq!((p.low(), p.ranges()), (18, 0));
        p.advance(30);
        assert_eq!(p.low(), 30);
    }

    #[test]
    fn metadata_survives_its_text_and_a_stranger_is_told_apart() {
        let of = TopicPartition::new("t", 0);
        let mut progress = Progress::at(5);
        progress.finish(9, 9);
        let metadata = Metadata {
            format: FORMAT,
            by: "app-1-0".into(),
            epoch: 2,
            cut: 7,
            time: 99,
            times: [("quick".to_string(), 120)].into(),
            agents: [("count".to_string(), progress)].into(),
            closed: [("closed".to_string(), (60_000, 3))].into(),
        };
        let commit = Committed { offset: 5, metadata: metadata.encode() };
        assert_eq!((metadata.time_of("count"), metadata.time_of("quick")), (99, 120));
        assert_eq!(Metadata::decode(&of, &commit).unwrap(), Some(metadata));
        let stranger = Committed { offset: 5, metadata: String::new() };
        assert_eq!(Metadata::decode(&of, &stranger).unwrap(), None);
        let newer = Committed {
            offset: 5,
            metadata: r#"{"v":9,"by":"","epoch":0,"cut":0,"time":0,"agents":{}}"#.into(),
        };
        assert!(Metadata::decode(&of, &newer).unwrap_err().to_string().contains("format 9"));
    }
}
