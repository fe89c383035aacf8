//! How a command ends that does not end well: what is said, and the exit code.

use crate::app::SettingsError;
use crate::error::Error;
use std::error::Error as StdError;
use std::process::ExitCode;

/// Why the process ends.
#[derive(Debug)]
pub(super) enum Failure {
    /// The command line is wrong, or help was asked for.
    Usage(clap::Error),
    /// Settings are wrong.
    Settings(Vec<SettingsError>),
    /// The manifest is wrong in ways that the compiler could not see.
    App(Vec<String>),
    /// Anything else.
    Failed(Error),
}

impl<E: Into<Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl Failure {
    pub(super) fn usage(message: impl std::fmt::Display) -> Self {
        let error = clap::Error::raw(clap::error::ErrorKind::InvalidValue, format!("{message}\n"));
        Self::Usage(error)
    }

    /// Says it on stderr (help on stdout).
    pub(super) fn report(&self) -> ExitCode {
        match self {
            Self::Usage(error) => {
                // If the terminal is gone there is nobody to tell.
                let _ = error.print();
                ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
            }
            Self::Settings(errors) => {
                for error in errors {
                    eprintln!("error: {error}");
                }
                ExitCode::from(2)
            }
            Self::App(errors) => {
                for error in errors {
                    eprintln!("error: {error}");
                }
                ExitCode::FAILURE
            }
            Self::Failed(error) => {
                eprintln!("error: {}", chain(&**error));
                ExitCode::FAILURE
            }
        }
    }
}

/// An error and its causes, without those that it tells itself.
fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}
