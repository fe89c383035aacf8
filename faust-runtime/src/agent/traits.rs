//! What macros implement for functions, and what parameters implement.

use super::start::Lane;
use crate::define::{Place, Records, TableDef, TopicUse};
use crate::worker::Worker;
use std::future::Future;
use std::pin::Pin;

/// An agent: an async function over the records of a topic; `#[agent]` implements it for a type that has the
/// function's name.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an agent",
    label = "not declared with `#[agent]`",
    note = "`agents(..)` lists functions under `#[agent]`; timers, pages and tasks have lists of their own"
)]
pub trait Agent: Sized + 'static {
    /// `Event<T>` or `Stream<T>`, where a record that borrows does so for `'static`.
    type Input: for<'m> Gives<'m, Self::Given<'m>>;
    /// The same as a message gives it.
    type Given<'m>;
    /// The handles behind the input, as a tuple of [`AgentSlot`]s.
    type Params: AgentParams;
    /// `faust::Result<Reply>`.
    type Output: AgentOutput;
    /// What the attribute says.
    const OPTIONS: AgentOptions;
    /// Calls the function with the input that a message gives; its future may borrow from the message, not from the
    /// parameters.
    fn call<'m>(
        input: Self::Given<'m>,
        params: &mut Self::Params,
    ) -> impl Future<Output = Self::Output> + use<'m, Self>;
    /// The declaration.
    const AGENT: AgentDef = AgentDef::of::<Self>();
}

/// What `#[agent]` says.
#[derive(Clone, Copy, Debug)]
pub struct AgentOptions {
    /// The agent's name: the function's.
    pub name: &'static str,
    /// How many events of different keys of a partition run at once.
    pub concurrency: u16,
    /// Where it is declared.
    pub place: Place,
}

impl AgentOptions {
    /// An agent with nothing said but its name.
    pub const fn new(name: &'static str, place: Place) -> Self {
        Self { name, concurrency: 1, place }
    }
}

/// An agent as data.
#[derive(Clone, Copy)]
pub struct AgentDef {
    /// What the attribute says.
    pub options: AgentOptions,
    /// The topics that it reads.
    pub inputs: &'static [TopicUse],
    /// What its parameters name, a slice a parameter.
    pub uses: &'static [&'static [Use]],
    /// The table whose windows it is called with when they close.
    pub(crate) closes: Option<&'static str>,
    /// Binds the parameters and makes the loop over one partition.
    pub(crate) start: fn(&Bind<'_>, Lane) -> crate::Result<LaneFuture>,
}

/// The records that an agent reads.
pub(crate) type TopicsOf<A> = <<A as Agent>::Input as AgentInput>::Records;

/// An agent's loop over one partition, polled on its shard's thread.
pub(crate) type LaneFuture = Pin<Box<dyn Future<Output = ()>>>;

impl AgentDef {
    /// The declaration of an agent.
    pub const fn of<A: Agent>() -> Self {
        Self {
            options: A::OPTIONS,
            inputs: TopicsOf::<A>::TOPICS,
            uses: A::Params::USES,
            closes: A::Input::CLOSES,
            start: super::start::start::<A>,
        }
    }

    /// Its name.
    pub const fn name(&self) -> &'static str {
        self.options.name
    }

    /// Whether it reads the topic that is declared under this name.
    pub(crate) fn reads(&self, topic: &str) -> bool {
        self.inputs.iter().any(|input| input.topic.name == topic)
    }

    /// The declared names of the topics that it reads, or of the table of which it is given closed windows.
    pub(crate) fn read_names(&self) -> String {
        if let Some(table) = self.closes {
            return format!("closed {table}");
        }
        let names: Vec<_> = self.inputs.iter().map(|input| input.topic.name).collect();
        names.join(", ")
    }
}

/// What the first parameter of an agent can be.
#[diagnostic::on_unimplemented(
    message = "the first parameter of an agent is its input, `{Self}` is not",
    label = "neither `Event<..>` nor `Stream<..>`",
    note = "`async fn name(event: Event<Record>, ..) -> Result<Reply>`, called per event, or `async fn name(stream: Stream<Record>, ..) -> Result<()>`"
)]
pub trait AgentInput: Sized + 'static {
    /// The record of the topic, or the records of several.
    type Records: Records;
    /// The input as a message gives it: its record may borrow from it.
    type Of<'m>;
    /// The table whose windows close, where that is the input.
    #[doc(hidden)]
    const CLOSES: Option<&'static str> = None;
    /// The agent's loop over one partition.
    #[doc(hidden)]
    fn run<A: Agent<Input = Self>>(lane: Lane, params: A::Params) -> LaneFuture;
}

/// That a message gives an agent's input as its function takes it: only that which [`AgentInput::Of`] says does.
pub trait Gives<'m, I>: AgentInput {
    /// The same.
    #[doc(hidden)]
    fn give(input: Self::Of<'m>) -> I;
}

impl<'m, T: AgentInput> Gives<'m, T::Of<'m>> for T {
    fn give(input: T::Of<'m>) -> T::Of<'m> {
        input
    }
}

/// Calls an agent's function with what its input gives.
pub(crate) fn call<'m, A: Agent>(
    input: <A::Input as AgentInput>::Of<'m>,
    params: &mut A::Params,
) -> impl Future<Output = A::Output> + use<'m, A> {
    A::call(<A::Input as Gives<'m, A::Given<'m>>>::give(input), params)
}

/// What an agent returns: `faust::Result<Reply>`.
#[diagnostic::on_unimplemented(
    message = "an agent returns `faust::Result<_>`, not `{Self}`",
    label = "not `faust::Result<_>`"
)]
pub trait AgentOutput: 'static {
    /// The reply to who asked.
    type Reply: crate::codec::Value;
    /// As a plain result.
    fn into_result(self) -> crate::Result<Self::Reply>;
}

impl<R: crate::codec::Value> AgentOutput for crate::Result<R> {
    type Reply = R;
    fn into_result(self) -> crate::Result<R> {
        self
    }
}

/// What a parameter names; the manifest is made of it.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub enum Use {
    /// Rows that an agent owns.
    Table(TableUse),
    /// Rows that are read.
    View(TableUse),
    /// Rows of which every worker has a copy.
    Global(TableUse),
    /// Rows that are written from elsewhere.
    Remote(RemoteUse),
    /// A topic that is sent to.
    Sink(TopicUse),
    /// An agent that is asked: its name, place and topic.
    Ask(AgentName),
}

/// A table as data, with what makes its typed state.
#[derive(Clone, Copy)]
pub struct TableUse {
    /// The declaration.
    pub table: TableDef,
    pub(crate) ops: crate::table::TableOps,
}

impl TableUse {
    /// The declaration of a table.
    pub const fn of<T: crate::define::Row>() -> Self {
        Self { table: T::TABLE, ops: crate::table::TableOps::of::<T>() }
    }
}

/// A table that is written from elsewhere as data.
#[derive(Clone, Copy)]
pub struct RemoteUse {
    /// The table.
    pub(crate) table: TableUse,
    /// What its writes go through.
    pub(crate) topic: TopicUse,
    /// The agent of the engine that applies them.
    pub(crate) writer: AgentDef,
}

impl RemoteUse {
    pub(crate) const fn of<T: crate::define::Row, W: crate::define::Record, A: Agent>() -> Self {
        Self { table: TableUse::of::<T>(), topic: TopicUse::of::<W>(), writer: AgentDef::of::<A>() }
    }
}

/// An agent by name.
#[derive(Clone, Copy)]
pub struct AgentName {
    /// Its name.
    pub name: &'static str,
    /// The topics that it reads.
    pub inputs: &'static [TopicUse],
    /// Where it is declared.
    pub place: Place,
}

impl AgentName {
    /// The name of an agent.
    pub const fn of<A: Agent>() -> Self {
        let AgentOptions { name, place, .. } = A::OPTIONS;
        Self { name, inputs: TopicsOf::<A>::TOPICS, place }
    }
}

/// A handle that an agent can ask for, behind its input.
///
/// `#[derive(AgentParam)]` makes one of a struct of handles, for what belongs together; it is `Clone` then. Timers, tasks
/// and pages can ask for such a group too, where they can ask for each member.
///
/// ```
/// use faust::prelude::*;
///
/// #[topic("payments", key = account)]
/// struct Payment { account: u64, amount: i64 }
///
/// #[topic("alerts")]
/// struct Alert { text: String }
///
/// #[table("accounts")]
/// struct Account { key: u64, value: i64 }
///
/// #[derive(AgentParam)]
/// struct Ledger { accounts: Table<Account>, alerts: Sink<Alert> }
///
/// impl Ledger {
///     async fn book(&self, account: u64, amount: i64) -> Result<()> {
///         let balance = self.accounts.update(&account, |sum| { *sum += amount; *sum }).await?;
///         if balance < 0 {
///             self.alerts.send(Alert { text: format!("{account} owes {}", -balance) }).await?;
///         }
///         Ok(())
///     }
/// }
///
/// #[agent]
/// async fn pay(payment: Event<Payment>, ledger: Ledger) -> Result<()> {
///     ledger.book(payment.account, payment.amount).await
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "an agent cannot ask for `{Self}`",
    label = "not a handle",
    note = "the handles of an agent are `Table<T>`, `View<T>`, `Global<T>`, `Remote<T>`, `Sink<T>`, `Ask<agent>`, `Settings`, `State<S>` and `Context`"
)]
pub trait AgentParam: Clone + 'static {
    /// What decides the partition of the rows that it owns: an agent can ask for it where its topic's key is the same.
    /// [`Owns`](crate::Owns) says it, or [`AnyKey`](crate::AnyKey) where it owns none.
    type PartitionKey;
    /// What it names.
    const USES: &'static [Use] = &[];
    /// Makes the handle for one partition of one agent.
    fn bind(bind: &Bind<'_>) -> crate::Result<Self>;
}

/// A handle that timers, tasks, pages and commands can ask for.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a handle for timers, tasks, pages and commands",
    label = "not a handle here",
    note = "a table is written by its agents: ask for `View<T>` to read it, for `Remote<T>` to have it written; the others are `Global<T>`, `Sink<T>`, `Ask<agent>`, `Settings`, `State<S>` and `Context`"
)]
pub trait Param: Clone + Send + 'static {
    /// What it names.
    const USES: &'static [Use] = &[];
    /// Makes the handle for one worker.
    fn bind(worker: &Worker) -> crate::Result<Self>;
}

/// What parameters are bound to: one agent on one partition.
pub struct Bind<'a> {
    pub(crate) worker: &'a Worker,
    pub(crate) task: &'a crate::partition::Task,
}

/// Parameter `N` of an agent: one impl a parameter, so that a wrong type is one error at that type.
pub trait AgentParamOf<const N: usize> {
    /// The parameter's type.
    type Handle: AgentParam;
}

/// Parameter `N` of a timer, a task or a command.
pub trait ParamOf<const N: usize> {
    /// The parameter's type.
    type Handle: Param;
}

/// A bound parameter of an agent.
pub struct AgentSlot<F: AgentParamOf<N>, const N: usize>(F::Handle);

impl<F: AgentParamOf<N>, const N: usize> AgentSlot<F, N> {
    /// The handle.
    pub fn get(&self) -> F::Handle {
        self.0.clone()
    }
}

/// A bound parameter of a timer, a task or a command.
pub struct Slot<F: ParamOf<N>, const N: usize>(F::Handle);

impl<F: ParamOf<N>, const N: usize> Slot<F, N> {
    /// The handle.
    pub fn get(&self) -> F::Handle {
        self.0.clone()
    }
}

/// The bound parameters of an agent: a tuple of [`AgentSlot`]s.
pub trait AgentParams: Sized + 'static {
    /// What they name.
    const USES: &'static [&'static [Use]];
    /// Binds all of them.
    fn bind(bind: &Bind<'_>) -> crate::Result<Self>;
}

/// The bound parameters of a timer, a task or a command: a tuple of [`Slot`]s.
pub trait Params: Sized + Send + 'static {
    /// What they name.
    const USES: &'static [&'static [Use]];
    /// Binds all of them.
    fn bind(worker: &Worker) -> crate::Result<Self>;
}

macro_rules! params {
    ($($n:tt $f:ident)*) => {
        #[diagnostic::do_not_recommend]
        impl<$($f: AgentParamOf<$n> + 'static),*> AgentParams for ($(AgentSlot<$f, $n>,)*) {
            const USES: &'static [&'static [Use]] = &[$(<$f::Handle as AgentParam>::USES),*];
            fn bind(_bind: &Bind<'_>) -> crate::Result<Self> {
                Ok(($(AgentSlot(<$f::Handle as AgentParam>::bind(_bind)?),)*))
            }
        }

        #[diagnostic::do_not_recommend]
        impl<$($f: ParamOf<$n> + 'static),*> Params for ($(Slot<$f, $n>,)*) {
            const USES: &'static [&'static [Use]] = &[$(<$f::Handle as Param>::USES),*];
            fn bind(_worker: &Worker) -> crate::Result<Self> {
                Ok(($(Slot(<$f::Handle as Param>::bind(_worker)?),)*))
            }
        }
    };
}

params!();
params!(0 F0);
params!(0 F0 1 F1);
params!(0 F0 1 F1 2 F2);
params!(0 F0 1 F1 2 F2 3 F3);
params!(0 F0 1 F1 2 F2 3 F3 4 F4);
params!(0 F0 1 F1 2 F2 3 F3 4 F4 5 F5);
params!(0 F0 1 F1 2 F2 3 F3 4 F4 5 F5 6 F6);
params!(0 F0 1 F1 2 F2 3 F3 4 F4 5 F5 6 F6 7 F7);
params!(0 F0 1 F1 2 F2 3 F3 4 F4 5 F5 6 F6 7 F7 8 F8);
params!(0 F0 1 F1 2 F2 3 F3 4 F4 5 F5 6 F6 7 F7 8 F8 9 F9);
params!(0 F0 1 F1 2 F2 3 F3 4 F4 5 F5 6 F6 7 F7 8 F8 9 F9 10 F10);
params!(0 F0 1 F1 2 F2 3 F3 4 F4 5 F5 6 F6 7 F7 8 F8 9 F9 10 F10 11 F11);
