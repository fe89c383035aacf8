//! The manifest as constant data.

use crate::agent::{AgentDef, AgentName};
use crate::cli::CommandDef;
use crate::define::Place;
use crate::schedule::{TaskDef, TimerDef};
use crate::web::PageDef;

/// An application; `#[app]` implements it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an app",
    label = "not declared with `#[app]`",
    note = "declare it: `#[app(\"id\", agents(..))] struct {Self};`"
)]
pub trait App: Sized + 'static {
    /// The manifest.
    const APP: AppDef;
}

/// What an app consists of. Nothing runs that it does not list; topics and tables follow from what functions ask for.
///
/// What an agent asks runs in this app or is said to run elsewhere, and what two parts declare agrees: all of it is
/// checked when `#[app]` compiles, and by [`require_app`](crate::require_app) for an app by hand.
///
/// By hand, without macros:
///
/// ```
/// use faust::{App, AppDef, Place};
///
/// struct Nothing;
/// impl App for Nothing {
///     const APP: AppDef = AppDef::new("nothing", Place { file: file!(), line: line!() });
/// }
/// const _: () = faust::require_app(&Nothing::APP);
/// assert_eq!(Nothing::APP.id, "nothing");
/// ```
#[derive(Clone, Copy)]
pub struct AppDef {
    /// The id: the consumer group, and the prefix of internal topics.
    pub id: &'static str,
    /// Another version is another app: other group, other state.
    pub version: u32,
    /// The agents.
    pub agents: &'static [AgentDef],
    /// What runs at intervals.
    pub timers: &'static [TimerDef],
    /// What runs once.
    pub tasks: &'static [TaskDef],
    /// What answers HTTP requests.
    pub pages: &'static [PageDef],
    /// Subcommands.
    pub commands: &'static [CommandDef],
    /// What runs each time when tables have been recovered.
    pub on_recovered: &'static [TaskDef],
    /// Agents that functions of this app ask, and that run in another app on the same Kafka.
    pub external: &'static [AgentName],
    /// Other apps whose agents, timers, tasks, pages and commands are part of this one.
    pub parts: &'static [AppDef],
    /// Where it is declared.
    pub place: Place,
}

impl AppDef {
    /// An app with nothing in it.
    pub const fn new(id: &'static str, place: Place) -> Self {
        Self {
            id,
            version: 1,
            agents: &[],
            timers: &[],
            tasks: &[],
            pages: &[],
            commands: &[],
            on_recovered: &[],
            external: &[],
            parts: &[],
            place,
        }
    }

    /// The consumer group and the prefix of internal topics: the id, and from version 2 on the version, as Faust
    /// has it.
    pub fn group(&self) -> String {
        if self.version == 1 {
            self.id.to_string()
        } else {
            format!("{}-v{}", self.id, self.version)
        }
    }
}
