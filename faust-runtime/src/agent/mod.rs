//! The call: what an agent is, how its parameters are bound, and its loop over one partition.

mod group;
mod start;
mod traits;

pub use group::{Known, Member, concat};
pub(crate) use start::{DeadLetter, Lane, Verdict, poll_guarded};
pub use traits::{
    Agent, AgentDef, AgentInput, AgentName, AgentOptions, AgentOutput, AgentParam, AgentParamOf,
    AgentParams, AgentSlot, Bind, Gives, Param, ParamOf, Params, RemoteUse, Slot, TableUse, Use,
};
pub(crate) use traits::{LaneFuture, TopicsOf, call};
