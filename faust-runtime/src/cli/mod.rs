//! The command line: the worker, looking at it, sending to it, and the app's own commands.

mod command;

pub use command::{Command, CommandDef, CommandOptions};
