//! Settings from where they are said: defaults, then a file, then the environment, then the command line. All
//! mistakes are found at once.

use super::read::{Raw, text};
use super::{Origin, Settings, SettingsError};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use toml::de::{DeTable, DeValue};

/// Where settings are said.
#[derive(Default)]
pub(crate) struct Sources {
    /// The file that was asked for; without one, `faust.toml` in the working folder, if it is there.
    pub(crate) file: Option<PathBuf>,
    /// The environment.
    pub(crate) environment: Vec<(String, String)>,
    /// Options of the command line: the option as written, the setting, the value.
    pub(crate) options: Vec<(String, String, String)>,
}

/// The topics and tables that an app declares: only these can be renamed.
pub(crate) struct Names {
    pub(crate) topics: Vec<String>,
    pub(crate) tables: Vec<String>,
}

/// One setting, as said.
struct Said {
    name: String,
    raw: Raw,
    origin: Origin,
}

impl Settings {
    /// Reads all sources.
    pub(crate) fn load(sources: &Sources, declared: &Names) -> Result<Self, Vec<SettingsError>> {
        let mut errors = Vec::new();
        let mut said = in_file(sources.file.as_deref(), &mut errors);
        said.extend(
            sources.environment.iter().filter_map(|(name, value)| in_environment(name, value)),
        );
        said.extend(sources.options.iter().map(|(option, name, value)| Said {
            name: name.clone(),
            raw: Raw::Word(value.clone()),
            origin: Origin::Option(option.clone()),
        }));
        let mut settings = Self::default();
        for said in said {
            if let Err(error) = settings.apply(said, declared) {
                errors.push(error);
            }
        }
        if errors.is_empty() { Ok(settings) } else { Err(errors) }
    }

    fn apply(&mut self, said: Said, declared: &Names) -> Result<(), SettingsError> {
        let Said { name, raw, origin } = said;
        let result = match name.split_once('.') {
            None => self.set(&name, &raw),
            Some((table, entry)) => self.entry(table, entry, &raw),
        };
        match result {
            Some(Ok(())) => {}
            Some(Err(allowed)) => {
                return Err(SettingsError::Value { origin, name, given: raw.to_string(), allowed });
            }
            None => {
                let known = Self::ALL.iter().map(|(name, _)| *name);
                return Err(SettingsError::Unknown { hint: hint(&name, known), origin, name });
            }
        }
        for (kind, renamed, declared) in [
            ("topics", &mut self.topics, &declared.topics),
            ("tables", &mut self.tables, &declared.tables),
        ] {
            if let Some(entry) = renamed.keys().find(|entry| !declared.contains(entry)).cloned() {
                renamed.remove(&entry);
                let hint = format!(
                    "the {kind} that the app declares are {}",
                    list(declared.iter().map(String::as_str))
                );
                return Err(SettingsError::Unknown {
                    origin,
                    name: format!("{kind}.{entry}"),
                    hint,
                });
            }
        }
        Ok(())
    }

    /// Sets an entry of a table of settings.
    fn entry(&mut self, table: &str, entry: &str, raw: &Raw) -> Option<Result<(), String>> {
        let known = self.table(table)?;
        let value = match raw {
            // Properties of librdkafka are numbers and flags as well as texts.
            Raw::Number(number) if table == "kafka" => Ok(number.to_string()),
            Raw::Flag(flag) if table == "kafka" => Ok(flag.to_string()),
            raw => text(raw),
        };
        Some(value.map(|value| {
            known.insert(entry.into(), value);
        }))
    }

    fn table(&mut self, name: &str) -> Option<&mut BTreeMap<String, String>> {
        match name {
            "topics" => Some(&mut self.topics),
            "tables" => Some(&mut self.tables),
            "kafka" => Some(&mut self.kafka),
            _ => None,
        }
    }
}

/// `FAUST_COMMIT_INTERVAL`, `FAUST_TOPICS_LINES`, `FAUST_KAFKA_SASL_PASSWORD`. `FAUST_SETTINGS` names the file, and
/// `FAUST_TEST_..` is for tests.
fn in_environment(variable: &str, value: &str) -> Option<Said> {
    let name = variable.strip_prefix("FAUST_")?.to_lowercase();
    if name == "settings" || name.starts_with("test_") {
        return None;
    }
    let name = match name.split_once('_') {
        Some(("kafka", entry)) => format!("kafka.{}", entry.replace('_', ".")),
        Some((table @ ("topics" | "tables"), entry)) => format!("{table}.{entry}"),
        _ => name,
    };
    let origin = Origin::Environment(variable.into());
    Some(Said { name, raw: Raw::Word(value.into()), origin })
}

fn in_file(path: Option<&Path>, errors: &mut Vec<SettingsError>) -> Vec<Said> {
    let default = Path::new("faust.toml");
    if path.is_none() && !default.exists() {
        return Vec::new();
    }
    let path = path.unwrap_or(default);
    let content = match std::fs::read_to_string(path) {
        Ok(content) => content,
        Err(error) => {
            errors.push(SettingsError::File { path: path.into(), cause: error.to_string() });
            return Vec::new();
        }
    };
    let origin = |at: usize| {
        let line = content.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1;
        Origin::File { path: path.into(), line }
    };
    let mut said = Vec::new();
    match DeTable::parse(&content) {
        Ok(table) => flatten("", table.get_ref(), &origin, &mut said),
        Err(error) => errors.push(SettingsError::Syntax {
            origin: origin(error.span().map_or(0, |span| span.start)),
            cause: error.message().to_string(),
        }),
    }
    said
}

/// Tables in tables are dotted names: `[kafka] security.protocol` is `kafka.security.protocol`.
fn flatten(
    prefix: &str,
    table: &DeTable<'_>,
    origin: &dyn Fn(usize) -> Origin,
    said: &mut Vec<Said>,
) {
    for (key, value) in table {
        let name = format!("{prefix}{}", key.get_ref());
        let raw = match value.get_ref() {
            DeValue::Table(inner) => {
                flatten(&format!("{name}."), inner, origin, said);
                continue;
            }
            DeValue::String(text) => Raw::Text(text.to_string()),
            DeValue::Boolean(flag) => Raw::Flag(*flag),
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
                .map_or(Raw::Other("a number that is too large"), Raw::Number),
            DeValue::Float(_) => Raw::Other("a fraction"),
            DeValue::Datetime(_) => Raw::Other("a date without quotes"),
            DeValue::Array(_) => Raw::Other("a list"),
        };
        said.push(Said { name, raw, origin: origin(key.span().start) });
    }
}

/// The nearest name, or all of them.
fn hint<'a>(name: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    let nearest = known.clone().map(|other| (distance(name, other), other)).min();
    match nearest {
        Some((steps, nearest)) if steps <= 1 + name.len() / 4 => {
            format!("did you mean `{nearest}`?")
        }
        _ => format!("the settings are {}", list(known)),
    }
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<_> = names.map(|name| format!("`{name}`")).collect();
    if names.is_empty() { "none".into() } else { names.join(", ") }
}

/// How many letters differ (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (to, cell) in b.chars().zip(row.iter_mut().skip(1)) {
            let above = *cell;
            left = (diagonal + usize::from(from != to)).min(above + 1).min(left + 1);
            diagonal = above;
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::settings::{Guarantee, StartAt};
    use std::io::Write;
    use std::time::Duration;

    fn load(
        file: &str,
        environment: &[(&str, &str)],
        options: &[(&str, &str, &str)],
    ) -> Result<Settings, Vec<String>> {
        let mut at =
            tempfile::Builder::new().prefix("settings").suffix(".toml").tempfile().unwrap();
        at.write_all(file.as_bytes()).unwrap();
        let sources = Sources {
            file: Some(at.path().into()),
            environment: environment.iter().map(|(a, b)| (a.to_string(), b.to_string())).collect(),
            options: options
                .iter()
                .map(|(a, b, c)| (a.to_string(), b.to_string(), c.to_string()))
                .collect(),
        };
        let names = Names { topics: vec!["lines".into()], tables: vec!["counts".into()] };
        let shown = at.path().display().to_string();
        Settings::load(&sources, &names).map_err(|errors| {
            errors.iter().map(|e| e.to_string().replace(&shown, "FILE")).collect()
        })
    }

    #[test]
    fn the_command_line_wins_over_the_environment_over_the_file() {
        let file = "commit_interval = \"1s\"\nshards = 3\nmax_retries = 5\n";
        let settings = load(
            file,
            &[("FAUST_SHARDS", "4"), ("FAUST_MAX_RETRIES", "6"), ("HOME", "/")],
            &[("--shards", "shards", "5")],
        )
        .unwrap();
        assert_eq!(settings.commit_interval, Duration::from_secs(1));
        assert_eq!((settings.shards, settings.max_retries), (5, 6));
    }

    #[test]
    fn tables_of_settings_come_from_everywhere() {
        let settings = load(
            "guarantee = \"at_least_once\"\nstart = \"1970-01-01T00:00:01Z\"\ncache_bytes = \"2MiB\"\n\
             [topics]\nlines = \"in-7\"\n[kafka]\nsecurity.protocol = \"ssl\"\nlinger.ms = 5\n",
            &[("FAUST_KAFKA_SASL_PASSWORD", "a,b"), ("FAUST_TABLES", "counts=c-7")],
            &[],
        )
        .unwrap();
        assert_eq!(settings.guarantee, Guarantee::AtLeastOnce);
        assert!(matches!(settings.start, StartAt::Time(t) if t.as_millis() == 1000));
        assert_eq!(settings.cache_bytes, 2 << 20);
        assert_eq!(settings.topic_name("lines"), "in-7");
        assert_eq!(settings.table_name("counts"), "c-7");
        let kafka: Vec<_> = settings.kafka.iter().map(|(a, b)| format!("{a}={b}")).collect();
        assert_eq!(kafka, ["linger.ms=5", "sasl.password=a,b", "security.protocol=ssl"]);
        assert!(!format!("{settings:?}").contains("a,b"), "passwords are not shown");
    }

    #[test]
    fn every_mistake_says_which_setting_from_where_and_what_is_allowed() {
        let errors = load(
            "comit_interval = \"1s\"\n\nshards = \"two\"\n[topics]\nline = \"x\"\n",
            &[("FAUST_COMMIT_INTERVAL", "100")],
            &[("--web-port", "web_port", "99999")],
        )
        .unwrap_err();
        assert_eq!(
            errors,
            [
                "FILE:1: there is no setting `comit_interval`; did you mean `commit_interval`?",
                "FILE:3: `shards` is the text \"two\", but must be a whole number from 1 to 1024",
                "FILE:5: there is no setting `topics.line`; the topics that the app declares are `lines`",
                "environment variable FAUST_COMMIT_INTERVAL: `commit_interval` is `100`, but must be a duration such as `100ms`, `10s` or `1h`, at least 1ms",
                "option --web-port: `web_port` is `99999`, but must be a whole number from 0 to 65535",
            ]
        );
    }

    #[test]
    #[cfg(not(feature = "rocksdb"))]
    fn a_store_that_the_program_was_built_without_says_the_feature() {
        let errors = load("", &[("FAUST_STORE", "rocksdb")], &[]).unwrap_err();
        assert_eq!(
            errors,
            [
                "environment variable FAUST_STORE: `store` is `rocksdb`, but must be `fjall` or `memory`; for `rocksdb`, build the program with the feature `rocksdb` of `faust`"
            ]
        );
    }

    #[test]
    #[cfg(feature = "rocksdb")]
    fn a_store_that_the_program_was_built_with_can_be_chosen() {
        let settings = load("store = \"rocksdb\"", &[], &[]).unwrap();
        assert_eq!(settings.store.to_string(), "rocksdb");
    }

    #[test]
    fn a_file_that_is_not_toml_is_shown_by_its_line() {
        let errors = load("shards = 2\nweb = = true\n", &[], &[]).unwrap_err();
        assert_eq!(errors.len(), 1);
        assert!(errors[0].starts_with("FILE:2: "), "{errors:?}");
    }
}
