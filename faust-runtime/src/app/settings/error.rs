//! What is wrong with a setting: which one, where it was said, what is allowed instead.

use std::fmt;
use std::path::PathBuf;

/// Why settings cannot be used.
///
/// ```
/// use faust::{Origin, SettingsError};
///
/// let error = SettingsError::Value {
///     origin: Origin::Environment("FAUST_SHARDS".into()),
///     name: "shards".into(),
///     given: "`many`".into(),
///     allowed: "a whole number from 1 to 1024".into(),
/// };
/// assert_eq!(
///     error.to_string(),
///     "environment variable FAUST_SHARDS: `shards` is `many`, but must be a whole number from 1 to 1024",
/// );
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// The file cannot be read: correct `--settings`, or the file's rights.
    #[error("settings file {}: {cause}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        cause: String,
    },
    /// The file is not TOML: correct the line.
    #[error("{origin}: {cause}")]
    Syntax {
        /// The line.
        origin: Origin,
        /// What the parser expected.
        cause: String,
    },
    /// There is no such setting: correct or remove it.
    #[error("{origin}: there is no setting `{name}`; {hint}")]
    Unknown {
        /// Where it was said.
        origin: Origin,
        /// What was said.
        name: String,
        /// The nearest names, or all.
        hint: String,
    },
    /// The setting cannot have this value: give one that is allowed.
    #[error("{origin}: `{name}` is {given}, but must be {allowed}")]
    Value {
        /// Where it was said.
        origin: Origin,
        /// The setting.
        name: String,
        /// The value, or its kind.
        given: String,
        /// What is allowed.
        allowed: String,
    },
}

/// Where a setting was said.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// A line of a settings file.
    File {
        /// The file.
        path: PathBuf,
        /// The line, from 1 on.
        line: usize,
    },
    /// A variable of the environment.
    Environment(String),
    /// An option of the command line.
    Option(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Environment(name) => write!(f, "environment variable {name}"),
            Self::Option(name) => write!(f, "option {name}"),
        }
    }
}
