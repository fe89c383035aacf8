//! What functions hold: small ids that find the event, the table or the worker behind them. Thin; no stage imports
//! them.

mod ask;
mod clear;
mod closed;
mod context;
mod event;
mod global;
mod history;
mod later;
mod range;
mod remote;
mod set;
mod set_elsewhere;
mod sink;
mod state;
mod stream;
mod table;
mod view;
mod watch;

pub use ask::Ask;
pub use closed::{Closed, WindowClose, require_closed_of};
pub use context::Context;
pub use event::Event;
pub use global::Global;
pub use history::Versions;
pub use later::Lookup;
pub use remote::Remote;
pub use set::SetOf;
pub use set_elsewhere::{CopiedSet, RemoteSet, ViewedSet};
pub use sink::{Delivered, Sink};
pub use state::State;
pub use stream::Stream;
pub use table::{Access, EachWindow, InWindow, Table};
pub use view::{LocalView, View, ViewInWindow};
pub use watch::Change;
