//! Offsets: of partitions, and of groups.

use std::time::Duration;

use rdkafka_sys as sys;

use super::{
    Admin,
    request::{array, single},
};
use crate::{
    Code, Error, Result, TopicPartition,
    native::{Entry, NativeError, Partitions, c_name, entries},
};

/// Which offset of a partition is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OffsetSpec {
    /// The first that the log still holds.
    Earliest,
    /// The next that will be written: the high watermark, or the last stable offset when reading
    /// committed.
    Latest,
    /// The first record with this time (milliseconds) or a later one; none if there is no such
    /// record.
    Time(i64),
}

/// Whether records of open and aborted transactions count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation {
    /// They do not.
    ReadCommitted,
    /// They do.
    ReadUncommitted,
}

/// An offset that a group has committed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Committed {
    /// The next offset to be processed.
    pub offset: i64,
    /// What was stored with it.
    pub metadata: String,
}

/// An offset to commit for a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// The partition.
    pub partition: TopicPartition,
    /// The next offset to be processed.
    pub offset: i64,
    /// What to store with it.
    pub metadata: String,
}

impl Admin {
    /// Offsets of many partitions in one call, in the order of `specs`. A partition can be asked
    /// for once per call.
    pub fn list_offsets(
        &self,
        specs: &[(TopicPartition, OffsetSpec)],
        isolation: Isolation,
        timeout: Duration,
    ) -> Result<Vec<Result<Option<i64>>>> {
        if specs.is_empty() {
            return Ok(Vec::new());
        }
        let mut wanted = Partitions::new();
        for (partition, spec) in specs {
            let offset = match *spec {
                OffsetSpec::Latest => -1,
                OffsetSpec::Earliest => -2,
                // Below 0 there are no times, and librdkafka has other meanings for some of the
                // numbers.
                OffsetSpec::Time(time) => time.max(0),
            };
            wanted.add(&partition.topic, partition.partition, offset, None)?;
        }
        let level = match isolation {
            Isolation::ReadCommitted => {
                sys::rd_kafka_IsolationLevel_t::RD_KAFKA_ISOLATION_LEVEL_READ_COMMITTED
            }
            Isolation::ReadUncommitted => {
                sys::rd_kafka_IsolationLevel_t::RD_KAFKA_ISOLATION_LEVEL_READ_UNCOMMITTED
            }
        };
        let kind = sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_LISTOFFSETS;
        let answer = self.request("listing offsets", kind, timeout, |rk, options, queue| {
            // SAFETY: all is alive, and what is asked is copied. The isolation level is an option
            // of this request.
            unsafe {
                let set = sys::rd_kafka_AdminOptions_set_isolation_level(options.ptr(), level);
                let _ = NativeError::take(set);
                sys::rd_kafka_ListOffsets(rk, wanted.ptr(), options.ptr(), queue);
            }
        })?;
        // SAFETY: the answer is of this kind, and outlives what is copied from it.
        let found: Vec<Entry> = unsafe {
            let result = sys::rd_kafka_event_ListOffsets_result(answer.ptr());
            array(|n| sys::rd_kafka_ListOffsets_result_infos(result, n))
                .into_iter()
                .map(|info| Entry::read(sys::rd_kafka_ListOffsetsResultInfo_topic_partition(info)))
                .collect()
        };
        let listed = |(partition, spec): &(TopicPartition, OffsetSpec)| {
            let offset = offset_of(&found, partition)?;
            match spec {
                OffsetSpec::Time(_) => Ok(offset),
                // Every log has a start and an end.
                OffsetSpec::Latest | OffsetSpec::Earliest => {
                    offset.ok_or_else(|| unanswered(partition)).map(Some)
                }
            }
        };
        Ok(specs.iter().map(listed).collect())
    }

    /// What a group has committed for each partition, in the order of `partitions`.
    ///
    /// With `require_stable` an open transaction that commits offsets of these partitions makes
    /// this fail with [`Error::UnstableOffsets`]: ask again.
    pub fn committed(
        &self,
        group: &str,
        partitions: &[TopicPartition],
        require_stable: bool,
        timeout: Duration,
    ) -> Result<Vec<Option<Committed>>> {
        if partitions.is_empty() {
            return Ok(Vec::new());
        }
        let mut wanted = Partitions::new();
        for partition in partitions {
            wanted.add(&partition.topic, partition.partition, 0, None)?;
        }
        let name = c_name("group", group)?;
        let what = format!("reading the committed offsets of {group}");
        let kind = sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS;
        let answer = self.request(&what, kind, timeout, |rk, options, queue| {
            // SAFETY: all is alive, and what is asked is copied. Stability is an option of this
            // request.
            unsafe {
                let stable = i32::from(require_stable);
                let set =
                    sys::rd_kafka_AdminOptions_set_require_stable_offsets(options.ptr(), stable);
                let _ = NativeError::take(set);
                let mut ask =
                    sys::rd_kafka_ListConsumerGroupOffsets_new(name.as_ptr(), wanted.ptr());
                sys::rd_kafka_ListConsumerGroupOffsets(rk, &mut ask, 1, options.ptr(), queue);
                sys::rd_kafka_ListConsumerGroupOffsets_destroy(ask);
            }
        })?;
        // SAFETY: the answer is of this kind, and outlives what is copied from it.
        let found = unsafe {
            let result = sys::rd_kafka_event_ListConsumerGroupOffsets_result(answer.ptr());
            group_entries(
                &what,
                array(|n| sys::rd_kafka_ListConsumerGroupOffsets_result_groups(result, n)),
            )?
        };
        partitions.iter().map(|partition| committed_of(&found, partition, group)).collect()
    }

    /// Commits offsets for a group that has no members (brokers refuse it for one that has).
    pub fn commit(&self, group: &str, commits: &[Commit], timeout: Duration) -> Result<()> {
        if commits.is_empty() {
            return Ok(());
        }
        let mut list = Partitions::new();
        for Commit { partition, offset, metadata } in commits {
            list.add(&partition.topic, partition.partition, *offset, Some(metadata))?;
        }
        let name = c_name("group", group)?;
        let what = format!("committing offsets of {group}");
        let kind = sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_ALTERCONSUMERGROUPOFFSETS;
        let answer = self.request(&what, kind, timeout, |rk, options, queue| {
            // SAFETY: all is alive, and what is asked is copied.
            unsafe {
                let mut ask =
                    sys::rd_kafka_AlterConsumerGroupOffsets_new(name.as_ptr(), list.ptr());
                sys::rd_kafka_AlterConsumerGroupOffsets(rk, &mut ask, 1, options.ptr(), queue);
                sys::rd_kafka_AlterConsumerGroupOffsets_destroy(ask);
            }
        })?;
        // SAFETY: the answer is of this kind, and outlives what is copied from it.
        let done = unsafe {
            let result = sys::rd_kafka_event_AlterConsumerGroupOffsets_result(answer.ptr());
            group_entries(
                &what,
                array(|n| sys::rd_kafka_AlterConsumerGroupOffsets_result_groups(result, n)),
            )?
        };
        done.into_iter().try_for_each(|entry| refused(entry.code, &entry.partition, &what))
    }

    /// Deletes the records of each partition before an offset; one result each: the new first
    /// offset.
    pub fn delete_records(
        &self,
        before: &[(TopicPartition, i64)],
        timeout: Duration,
    ) -> Result<Vec<Result<i64>>> {
        if before.is_empty() {
            return Ok(Vec::new());
        }
        let mut list = Partitions::new();
        for (partition, offset) in before {
            list.add(&partition.topic, partition.partition, *offset, None)?;
        }
        let kind = sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DELETERECORDS;
        let answer = self.request("deleting records", kind, timeout, |rk, options, queue| {
            // SAFETY: all is alive, and what is asked is copied.
            unsafe {
                let mut ask = sys::rd_kafka_DeleteRecords_new(list.ptr());
                sys::rd_kafka_DeleteRecords(rk, &mut ask, 1, options.ptr(), queue);
                sys::rd_kafka_DeleteRecords_destroy(ask);
            }
        })?;
        // SAFETY: the answer is of this kind, and outlives what is copied from it.
        let found = unsafe {
            let result = sys::rd_kafka_event_DeleteRecords_result(answer.ptr());
            entries(sys::rd_kafka_DeleteRecords_result_offsets(result))
        };
        let first = |partition| offset_of(&found, partition)?.ok_or_else(|| unanswered(partition));
        Ok(before.iter().map(|(partition, _)| first(partition)).collect())
    }
}

/// The partitions of the one group that was asked for.
///
/// # Safety
/// The results are alive.
unsafe fn group_entries(
    what: &str,
    groups: Vec<*const sys::rd_kafka_group_result_t>,
) -> Result<Vec<Entry>> {
    let mut found = Vec::new();
    for group in groups {
        // SAFETY: as promised; the error belongs to the result, and is only read.
        unsafe {
            let error = sys::rd_kafka_group_result_error(group);
            if !error.is_null() {
                single(
                    what.to_owned(),
                    NativeError::code(error),
                    sys::rd_kafka_error_string(error),
                )?;
            }
            found.extend(entries(sys::rd_kafka_group_result_partitions(group)));
        }
    }
    Ok(found)
}

fn refused(code: Code, partition: &TopicPartition, what: &str) -> Result<()> {
    match code {
        Code::NONE => Ok(()),
        Code::UNKNOWN_TOPIC_OR_PARTITION | Code::UNKNOWN_PARTITION | Code::UNKNOWN_TOPIC => {
            Err(Error::UnknownTopic { topic: partition.topic.clone() })
        }
        Code::OFFSET_OUT_OF_RANGE => Err(Error::Request {
            what: format!("{what} ({partition})"),
            code,
            text: "the log does not reach that far".to_owned(),
        }),
        code => {
            Err(Error::Request { what: format!("{what} ({partition})"), code, text: code.text() })
        }
    }
}

fn find<'a>(found: &'a [Entry], partition: &TopicPartition) -> Result<&'a Entry> {
    found.iter().find(|entry| entry.partition == *partition).ok_or_else(|| Error::Request {
        what: format!("asking about {partition}"),
        code: Code::UNKNOWN_PARTITION,
        text: "the answer does not mention it".to_owned(),
    })
}

/// What brokers answer where there is no offset of a time.
const NOWHERE: i64 = -1;

/// The offset of a partition; `None` where the broker has said that there is none.
///
/// librdkafka 2.12 forgets why a leader did not answer ListOffsets: its partitions then have no error, and librdkafka's
/// own mark for "no offset", which must never be taken for an answer.
fn offset_of(found: &[Entry], partition: &TopicPartition) -> Result<Option<i64>> {
    let entry = find(found, partition)?;
    refused(entry.code, partition, "asking for offsets")?;
    match entry.offset {
        NOWHERE => Ok(None),
        offset if offset >= 0 => Ok(Some(offset)),
        _ => Err(unanswered(partition)),
    }
}

fn unanswered(partition: &TopicPartition) -> Error {
    Error::Request {
        what: format!("asking for offsets ({partition})"),
        code: Code::TRANSPORT,
        text: "the leader's answer was lost".to_owned(),
    }
}

fn committed_of(
    found: &[Entry],
    partition: &TopicPartition,
    group: &str,
) -> Result<Option<Committed>> {
    let entry = find(found, partition)?;
    match entry.code {
        Code::UNSTABLE_OFFSET_COMMIT => Err(Error::UnstableOffsets { group: group.to_owned() }),
        code => {
            refused(code, partition, "reading committed offsets")?;
            let metadata = entry.metadata.clone().unwrap_or_default();
            Ok((entry.offset >= 0).then_some(Committed { offset: entry.offset, metadata }))
        }
    }
}
