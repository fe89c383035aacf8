//! What `#[command]` implements: a subcommand of the app's command line.

use crate::agent::{Params, Use};
use crate::define::Place;
use crate::worker::Worker;
use clap::ArgMatches;
use futures::future::{BoxFuture, FutureExt};
use std::future::Future;

/// A subcommand: an async function with arguments and handles; `#[command]` implements it for a type that has the
/// function's name.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a command",
    label = "not declared with `#[command]`",
    note = "`commands(..)` lists functions under `#[command]`"
)]
pub trait Command: Sized + 'static {
    /// The arguments: a struct with a field for each parameter under `#[arg]`.
    type Args: clap::Args + Send + 'static;
    /// The handles, as a tuple of slots.
    type Params: Params;
    /// What the attribute says.
    const OPTIONS: CommandOptions;
    /// Calls the function.
    fn call(
        args: Self::Args,
        params: &Self::Params,
    ) -> impl Future<Output = crate::Result<()>> + Send + 'static + use<Self>;
    /// The declaration.
    const COMMAND: CommandDef = CommandDef {
        options: Self::OPTIONS,
        uses: <Self::Params as Params>::USES,
        clap: || {
            <Self::Args as clap::Args>::augment_args(
                clap::Command::new(Self::OPTIONS.name).about(Self::OPTIONS.about),
            )
        },
        run: |worker, matches| {
            let call = <Self::Args as clap::FromArgMatches>::from_arg_matches(matches)
                .map_err(crate::Error::from)
                .and_then(|args| Ok((args, Self::Params::bind(worker)?)))
                .map(|(args, params)| Self::call(args, &params));
            async move { call?.await }.boxed()
        },
    };
}

/// What `#[command]` says.
#[derive(Clone, Copy, Debug)]
pub struct CommandOptions {
    /// The command's name: the function's, with dashes.
    pub name: &'static str,
    /// What it does: the function's documentation.
    pub about: &'static str,
    /// Where it is declared.
    pub place: Place,
}

/// A command as data.
#[derive(Clone, Copy)]
pub struct CommandDef {
    /// What the attribute says.
    pub options: CommandOptions,
    /// What its parameters name, a slice a parameter.
    pub uses: &'static [&'static [Use]],
    pub(crate) clap: fn() -> clap::Command,
    pub(crate) run: fn(&Worker, &ArgMatches) -> BoxFuture<'static, crate::Result<()>>,
}
