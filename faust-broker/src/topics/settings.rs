//! A topic's settings: Kafka's names, types and defaults. The broker acts on `cleanup.policy` with
//! what belongs to it (`delete.retention.ms`, `min.cleanable.dirty.ratio`, `min.compaction.lag.ms`,
//! `retention.bytes`, `retention.ms`, `segment.bytes`, `segment.ms`), `max.message.bytes` and
//! `message.timestamp.type`; the others are kept and told.
//!
//! Nothing is deleted in silence: only topics that set a retention have one.

use std::collections::BTreeMap;
use std::time::Duration;

use kafka_protocol::ResponseError;

use crate::log::Roll;

/// What a value must look like; the numbers are those of the DescribeConfigs API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Boolean = 1,
    Text = 2,
    Int = 3,
    Long = 5,
    Double = 6,
    List = 7,
}

/// A setting that topics have.
#[derive(Debug)]
pub(crate) struct Setting {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) default: &'static str,
    /// The legal values, where they are few.
    choices: &'static [&'static str],
}

const fn setting(name: &'static str, kind: Kind, default: &'static str) -> Setting {
    Setting { name, kind, default, choices: &[] }
}

const fn choice(name: &'static str, choices: &'static [&'static str]) -> Setting {
    let default = match choices {
        [first, ..] => first,
        [] => "",
    };
    Setting { name, kind: Kind::Text, default, choices }
}

/// Every setting, with Kafka's default.
pub(crate) const SETTINGS: &[Setting] = &[
    Setting {
        name: "cleanup.policy",
        kind: Kind::List,
        default: "delete",
        choices: &["delete", "compact", "compact,delete", "delete,compact"],
    },
    choice("compression.type", &["producer", "uncompressed", "gzip", "snappy", "lz4", "zstd"]),
    setting("delete.retention.ms", Kind::Long, "86400000"),
    setting("file.delete.delay.ms", Kind::Long, "60000"),
    setting("flush.messages", Kind::Long, "9223372036854775807"),
    setting("flush.ms", Kind::Long, "9223372036854775807"),
    setting("follower.replication.throttled.replicas", Kind::List, ""),
    setting("index.interval.bytes", Kind::Int, "4096"),
    setting("leader.replication.throttled.replicas", Kind::List, ""),
    setting("max.compaction.lag.ms", Kind::Long, "9223372036854775807"),
    setting("max.message.bytes", Kind::Int, "1048588"),
    setting("message.timestamp.after.max.ms", Kind::Long, "3600000"),
    setting("message.timestamp.before.max.ms", Kind::Long, "9223372036854775807"),
    choice("message.timestamp.type", &["CreateTime", "LogAppendTime"]),
    setting("min.cleanable.dirty.ratio", Kind::Double, "0.5"),
    setting("min.compaction.lag.ms", Kind::Long, "0"),
    setting("min.insync.replicas", Kind::Int, "1"),
    setting("preallocate", Kind::Boolean, "false"),
    setting("retention.bytes", Kind::Long, "-1"),
    setting("retention.ms", Kind::Long, "604800000"),
    setting("segment.bytes", Kind::Int, "1073741824"),
    setting("segment.index.bytes", Kind::Int, "10485760"),
    setting("segment.jitter.ms", Kind::Long, "0"),
    setting("segment.ms", Kind::Long, "604800000"),
    setting("unclean.leader.election.enable", Kind::Boolean, "false"),
];

impl Setting {
    fn accepts(&self, value: &str) -> bool {
        if !self.choices.is_empty() {
            return self.choices.contains(&value.replace(' ', "").as_str());
        }
        match self.kind {
            Kind::Boolean => value.parse::<bool>().is_ok(),
            Kind::Int => value.parse::<i32>().is_ok(),
            Kind::Long => value.parse::<i64>().is_ok(),
            Kind::Double => value.parse::<f64>().is_ok(),
            Kind::Text | Kind::List => true,
        }
    }
}

/// The settings of one topic that differ from the defaults.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    configs: BTreeMap<String, String>,
    pub(crate) max_message_bytes: usize,
    pub(crate) log_append_time: bool,
    pub(crate) may_delete_records: bool,
    pub(crate) is_compacted: bool,
}

impl Settings {
    /// Reads settings that [`check`] has accepted.
    pub(crate) fn new(configs: BTreeMap<String, String>) -> Self {
        let mut settings = Self {
            configs,
            max_message_bytes: 0,
            log_append_time: false,
            may_delete_records: false,
            is_compacted: false,
        };
        settings.max_message_bytes =
            settings.get("max.message.bytes").parse().unwrap_or(usize::MAX);
        settings.log_append_time = settings.get("message.timestamp.type") == "LogAppendTime";
        settings.may_delete_records = settings.get("cleanup.policy").contains("delete");
        settings.is_compacted = settings.get("cleanup.policy").contains("compact");
        settings
    }

    /// The value of a setting, which may be the default.
    pub(crate) fn get(&self, name: &str) -> &str {
        let default =
            || SETTINGS.iter().find(|known| known.name == name).map_or("", |known| known.default);
        self.configs.get(name).map_or_else(default, String::as_str)
    }

    /// The value of a setting that is a number.
    pub(crate) fn number(&self, name: &str) -> i64 {
        self.get(name).parse().unwrap_or_default()
    }

    /// The value of a retention, if the topic has one of its own.
    pub(crate) fn retention(&self, name: &str) -> Option<u64> {
        let set = self.may_delete_records && self.is_set(name);
        set.then(|| u64::try_from(self.number(name)).ok()).flatten()
    }

    /// When segments are closed; the broker's own limit holds too.
    pub(crate) fn roll(&self, limit: u64) -> Roll {
        let bytes = u64::try_from(self.number("segment.bytes")).unwrap_or(limit).min(limit);
        let after = Duration::from_millis(self.number("segment.ms").max(1).unsigned_abs());
        Roll { bytes, after }
    }

    pub(crate) fn is_set(&self, name: &str) -> bool {
        self.configs.contains_key(name)
    }

    pub(crate) fn configs(&self) -> &BTreeMap<String, String> {
        &self.configs
    }
}

/// Collects what a request sets; a name or value that Kafka would refuse is an error.
pub(crate) fn check<'a>(
    configs: impl Iterator<Item = (&'a str, Option<&'a str>)>,
) -> Result<BTreeMap<String, String>, (ResponseError, String)> {
    let mut checked = BTreeMap::new();
    for (name, value) in configs {
        let refuse = |why: String| (ResponseError::InvalidConfig, why);
        let known = SETTINGS.iter().find(|known| known.name == name);
        let known = known.ok_or_else(|| refuse(format!("unknown topic config {name}")))?;
        let Some(value) = value else { continue };
        if !known.accepts(value) {
            return Err(refuse(format!("invalid value {value} for configuration {name}")));
        }
        checked.insert(name.to_owned(), value.to_owned());
    }
    Ok(checked)
}
