//! What `#[timer]` and `#[task]` implement.

use crate::agent::{Params, Use};
use crate::define::Place;
use crate::worker::Worker;
use futures::future::{BoxFuture, FutureExt};
use std::future::Future;
use std::time::Duration;

/// A function that runs at intervals; `#[timer]` implements it for a type that has the function's name.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a timer",
    label = "not declared with `#[timer]`",
    note = "`timers(..)` lists functions under `#[timer(every = ..)]`"
)]
pub trait Timer: Sized + 'static {
    /// The handles, as a tuple of slots.
    type Params: Params;
    /// What the attribute says.
    const OPTIONS: TimerOptions;
    /// Calls the function.
    fn call(
        params: &Self::Params,
    ) -> impl Future<Output = crate::Result<()>> + Send + 'static + use<Self>;
    /// The declaration.
    const TIMER: TimerDef = TimerDef {
        options: Self::OPTIONS,
        uses: <Self::Params as Params>::USES,
        run: |worker| {
            let call = Self::Params::bind(worker).map(|params| Self::call(&params));
            async move { call?.await }.boxed()
        },
    };
}

/// What `#[timer]` says.
#[derive(Clone, Copy, Debug)]
pub struct TimerOptions {
    /// The timer's name: the function's.
    pub name: &'static str,
    /// From one start to the next; the first is after this span.
    pub every: Duration,
    /// Where it is declared.
    pub place: Place,
}

/// A timer as data.
#[derive(Clone, Copy)]
pub struct TimerDef {
    /// What the attribute says.
    pub options: TimerOptions,
    /// What its parameters name, a slice a parameter.
    pub uses: &'static [&'static [Use]],
    pub(crate) run: fn(&Worker) -> BoxFuture<'static, crate::Result<()>>,
}

/// A function that runs once, when the worker is up; `#[task]` implements it for a type that has the function's name.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a task",
    label = "not declared with `#[task]`",
    note = "`tasks(..)` lists functions under `#[task]`"
)]
pub trait Task: Sized + 'static {
    /// The handles, as a tuple of slots.
    type Params: Params;
    /// What the attribute says.
    const OPTIONS: TaskOptions;
    /// Calls the function.
    fn call(
        params: &Self::Params,
    ) -> impl Future<Output = crate::Result<()>> + Send + 'static + use<Self>;
    /// The declaration.
    const TASK: TaskDef = TaskDef {
        options: Self::OPTIONS,
        uses: <Self::Params as Params>::USES,
        run: |worker| {
            let call = Self::Params::bind(worker).map(|params| Self::call(&params));
            async move { call?.await }.boxed()
        },
    };
}

/// What `#[task]` says.
#[derive(Clone, Copy, Debug)]
pub struct TaskOptions {
    /// The task's name: the function's.
    pub name: &'static str,
    /// Where it is declared.
    pub place: Place,
}

/// A task as data.
#[derive(Clone, Copy)]
pub struct TaskDef {
    /// What the attribute says.
    pub options: TaskOptions,
    /// What its parameters name, a slice a parameter.
    pub uses: &'static [&'static [Use]],
    pub(crate) run: fn(&Worker) -> BoxFuture<'static, crate::Result<()>>,
}
