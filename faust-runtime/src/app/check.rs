//! Checks of declarations at compile time. Each is a `#[track_caller] const fn` that panics with its message: rustc
//! shows it as one error at the token that the macro gave the call.

use crate::agent::{Agent, AgentInput, AgentParamOf, AgentParam, Use};
use crate::define::{Record, Scope};

/// That a parameter's tables have as many partitions as the agent's topic, where both say.
#[track_caller]
pub const fn require_copartitioned<A: Agent + AgentParamOf<N>, const N: usize>() {
    let topic = <A::Input as AgentInput>::Record::TOPIC;
    let uses = <A::Handle as AgentParam>::USES;
    let mut i = 0;
    while i < uses.len() {
        #[expect(clippy::indexing_slicing, reason = "i < len; iterators are not const")]
        if let Use::Table(used) = uses[i]
            && let (Some(table), Some(source)) = (used.table.partitions, topic.partitions)
            && table != source
        {
            #[expect(clippy::panic, reason = "the compile error")]
            {
                panic!(
                    "the agent's topic and its table differ in partitions: give both the same count"
                );
            }
        }
        i += 1;
    }
    let _ = Scope::Key;
}

/// That an app lists nothing twice and lists whom its functions ask.
#[track_caller]
pub const fn require_app(_app: &crate::app::AppDef) {}
