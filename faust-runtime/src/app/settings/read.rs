//! Values of settings from what people write. Each reader answers with the value or with what is allowed.

use crate::time::Timestamp;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// Where outputs and replies of an event go. State is exact under both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guarantee {
    /// Into the transaction of their cut: readers of committed records see each exactly once.
    ExactlyOnce,
    /// Out at once: sooner, and after a crash some of them twice.
    AtLeastOnce,
}

/// What keeps the rows of tables.
///
/// ```
/// use faust::{Settings, StoreKind};
///
/// let settings = Settings { store: StoreKind::Memory, ..Settings::default() };
/// assert_eq!(settings.store.to_string(), "memory");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreKind {
    /// Files under the data folder, written by fjall.
    Fjall,
    /// Memory, restored from the changelog at every start.
    Memory,
    /// Files under the data folder, written by RocksDB: for states that are much larger than memory.
    #[cfg(feature = "rocksdb")]
    #[cfg_attr(docsrs, doc(cfg(feature = "rocksdb")))]
    RocksDb,
}

impl StoreKind {
    const ALL: &[(&str, Self)] = &[
        ("fjall", Self::Fjall),
        ("memory", Self::Memory),
        #[cfg(feature = "rocksdb")]
        ("rocksdb", Self::RocksDb),
    ];
}

impl fmt::Display for StoreKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = Self::ALL.iter().find(|(_, kind)| kind == self);
        f.write_str(found.map_or("", |(name, _)| *name))
    }
}

/// Where a partition starts that the group has never read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartAt {
    /// At the oldest record that is there.
    Earliest,
    /// At what comes after the start.
    Latest,
    /// At the first record of this time or later.
    Time(Timestamp),
}

/// The ways out when the group's offsets were changed from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangedOffsets {
    /// Go on at the changed offsets with the tables as they are.
    Accept,
    /// Begin anew: drop offsets, changelogs and stores.
    Reset,
    /// Go back to the offsets that the tables belong to.
    Restore,
}

impl FromStr for StartAt {
    type Err = jiff::Error;
    fn from_str(text: &str) -> Result<Self, jiff::Error> {
        Ok(match text {
            "earliest" => Self::Earliest,
            "latest" => Self::Latest,
            time => {
                let time: jiff::Timestamp = time.parse()?;
                Self::Time(Timestamp::from_millis(time.as_millisecond()))
            }
        })
    }
}

/// A value as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Raw {
    /// In the environment or on the command line, where everything is text.
    Word(String),
    /// Quoted text in a file.
    Text(String),
    /// A whole number in a file.
    Number(i64),
    /// `true` or `false` in a file.
    Flag(bool),
    /// What no setting is: a list, a date, a fraction.
    Other(&'static str),
}

impl fmt::Display for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word(text) | Self::Text(text) if text.is_empty() => f.write_str("empty"),
            Self::Word(text) => write!(f, "`{text}`"),
            Self::Text(text) => write!(f, "the text \"{text}\""),
            Self::Number(number) => write!(f, "the number {number}"),
            Self::Flag(flag) => write!(f, "`{flag}`"),
            Self::Other(kind) => f.write_str(kind),
        }
    }
}

type Read<T> = Result<T, String>;

/// Text that says something.
pub(super) fn text(raw: &Raw) -> Read<String> {
    match raw {
        Raw::Word(text) | Raw::Text(text) if !text.is_empty() => Ok(text.clone()),
        _ => Err("a text that is not empty".into()),
    }
}

/// A setting that may be absent is present now.
pub(super) fn optional<T>(read: Read<T>) -> Read<Option<T>> {
    read.map(Some)
}

pub(super) fn path(raw: &Raw) -> Read<PathBuf> {
    text(raw).map(PathBuf::from).map_err(|_| "a path".into())
}

pub(super) fn flag(raw: &Raw) -> Read<bool> {
    match raw {
        Raw::Flag(flag) => Some(*flag),
        Raw::Word(word) => word.parse().ok(),
        _ => None,
    }
    .ok_or_else(|| "`true` or `false`".into())
}

pub(super) fn number<T>(raw: &Raw, least: T, most: T) -> Read<T>
where
    T: TryFrom<i64> + FromStr + PartialOrd + Copy + fmt::Display,
{
    match raw {
        Raw::Number(number) => T::try_from(*number).ok(),
        Raw::Word(word) => word.parse().ok(),
        _ => None,
    }
    .filter(|number| (least..=most).contains(number))
    .ok_or_else(|| format!("a whole number from {least} to {most}"))
}

/// `8388608`, `8MiB`, `8MB`.
pub(super) fn bytes(raw: &Raw, least: usize) -> Read<usize> {
    match raw {
        Raw::Number(number) => usize::try_from(*number).ok(),
        Raw::Word(text) | Raw::Text(text) => size(text),
        _ => None,
    }
    .filter(|bytes| *bytes >= least)
    .ok_or_else(|| {
        format!("a size such as `512KiB`, `64MiB` or `1GiB`, at least {}KiB", least >> 10)
    })
}

fn size(text: &str) -> Option<usize> {
    let unit = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(unit)?;
    let factor: usize = match unit.trim() {
        "" | "B" => 1,
        "kB" | "KB" => 1000,
        "MB" => 1000 * 1000,
        "GB" => 1000 * 1000 * 1000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number.parse::<usize>().ok()?.checked_mul(factor)
}

/// `100ms`, `10s`, `1h 30m`.
pub(super) fn span(raw: &Raw, least: Duration) -> Read<Duration> {
    match raw {
        Raw::Word(text) | Raw::Text(text) => text.parse::<jiff::SignedDuration>().ok(),
        _ => None,
    }
    .and_then(|span| Duration::try_from(span).ok())
    .filter(|span| *span >= least)
    .ok_or_else(|| format!("a duration such as `100ms`, `10s` or `1h`, at least {least:?}"))
}

/// One of a few words.
pub(super) fn choice<T: Copy>(raw: &Raw, choices: &[(&str, T)]) -> Read<T> {
    if let Raw::Word(text) | Raw::Text(text) = raw
        && let Some((_, value)) = choices.iter().find(|(name, _)| name == text)
    {
        return Ok(*value);
    }
    let names: Vec<_> = choices.iter().map(|(name, _)| format!("`{name}`")).collect();
    Err(match names.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    })
}

/// A kind of store, of those that the program was built with.
pub(super) fn store(raw: &Raw, _: StoreKind) -> Read<StoreKind> {
    choice(raw, StoreKind::ALL).map_err(|allowed| match raw {
        Raw::Word(text) | Raw::Text(text) if text == "rocksdb" => {
            format!(
                "{allowed}; for `rocksdb`, build the program with the feature `rocksdb` of `faust`"
            )
        }
        _ => allowed,
    })
}

/// What reads itself.
pub(super) fn parsed<T: FromStr>(raw: &Raw, allowed: &str) -> Read<T> {
    match raw {
        Raw::Word(text) | Raw::Text(text) => text.parse().ok(),
        _ => None,
    }
    .ok_or_else(|| allowed.to_string())
}

/// `a=b,c=d`, added to what is there. In a file it is a table instead, whose entries come one at a time.
pub(super) fn pairs(
    raw: &Raw,
    mut known: BTreeMap<String, String>,
) -> Read<BTreeMap<String, String>> {
    let allowed = "a table of texts in a file, `name=value,name=value` elsewhere";
    let Raw::Word(text) = raw else { return Err(allowed.into()) };
    for pair in text.split(',') {
        let (name, value) = pair.split_once('=').ok_or(allowed)?;
        known.insert(name.trim().into(), value.trim().into());
    }
    Ok(known)
}
