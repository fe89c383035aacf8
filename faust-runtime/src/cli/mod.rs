//! The command line: the worker, looking at it, sending to it, and the app's own commands.

mod args;
mod backup;
mod command;
mod connect;
mod failure;
mod inspect;
mod output;
mod progress;
mod rows;
mod screen;
mod send;
mod session;
mod signals;
mod stores;
mod work;

pub use command::{Command, CommandDef, CommandOptions};

use crate::app::App;
use args::{Chosen, Given};
use failure::Failure;
use session::Session;
use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Duration;

/// Runs the app from the command line: what `fn main` returns.
///
/// Without a subcommand the worker starts. The exit code is 0 when all went well, 1 after a failure, 2 when the
/// command line or a setting is wrong.
///
/// ```no_run
/// use faust::prelude::*;
///
/// #[app("nothing-yet")]
/// struct Nothing;
///
/// fn main() -> std::process::ExitCode {
///     faust::main::<Nothing>()
/// }
/// ```
pub fn main<A: App>() -> ExitCode {
    #[cfg(feature = "mimalloc")]
    crate::kafka::keep_freed_memory();
    match run::<A>(std::env::args_os()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn run<A: App>(line: impl Iterator<Item = OsString>) -> Result<(), Failure> {
    let app = A::APP;
    let declared = session::declared(&app)?;
    let Given { everywhere, worker, chosen } = args::parse(&app, &declared, line)?;
    let session = Session::open(app, &declared, &everywhere, &worker, chosen.is_worker())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(async {
        match chosen {
            Chosen::Worker => work::run(session, worker.until_end).await,
            Chosen::Send(what) => send::run(&session, &what).await,
            Chosen::Table(what) => rows::run(&session, &what).await,
            Chosen::Backup(to) => backup::run(&session, &to).await,
            Chosen::Restore(from) => backup::restore(&session, &from).await,
            Chosen::Agents(how) => inspect::agents(&session, how),
            Chosen::Tables(how) => inspect::tables(&session, how),
            Chosen::Topics(how) => inspect::topics(&session, how),
            Chosen::Own(command, matches) => work::command(session, command, &matches).await,
        }
    });
    // What users spawned and did not end must not hold up the process.
    runtime.shutdown_timeout(Duration::from_millis(100));
    result
}
