//! The call: what an agent is, how its parameters are bound, and its loop over one partition.

mod start;
mod traits;

pub(crate) use start::{Lane, Verdict, poll_guarded};
pub use traits::{
    Agent, AgentDef, AgentInput, AgentName, AgentOptions, AgentOutput, AgentParam, AgentParamOf,
    AgentParams, AgentSlot, Bind, Gives, OwnsRows, Param, ParamOf, Params, Slot, TableUse, Use,
};
pub(crate) use traits::{LaneFuture, call};
