//! What `#[cron]` and `#[service]` implement. Their functions are checked and do not run yet.

use crate::agent::Params;
use std::future::Future;

/// A function that runs when the clock says so.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a cron",
    label = "not declared with `#[cron]`",
    note = "`crons(..)` lists functions under `#[cron(\"0 9 * * *\")]`"
)]
pub trait Cron: Sized + 'static {
    /// The handles, as a tuple of slots.
    type Params: Params;
    /// Calls the function.
    fn call(
        params: &Self::Params,
    ) -> impl Future<Output = crate::Result<()>> + Send + 'static + use<Self>;
    /// The manifest lists it.
    fn listed() {}
}

/// A function that runs as long as its worker.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a service",
    label = "not declared with `#[service]`",
    note = "`services(..)` lists functions under `#[service]`"
)]
pub trait Service: Sized + 'static {
    /// The handles, as a tuple of slots.
    type Params: Params;
    /// Calls the function.
    fn call(
        params: &Self::Params,
    ) -> impl Future<Output = crate::Result<()>> + Send + 'static + use<Self>;
    /// The manifest lists it.
    fn listed() {}
}
