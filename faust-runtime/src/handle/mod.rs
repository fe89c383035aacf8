//! What functions hold: small ids that find the event, the table or the worker behind them. Thin; no stage imports
//! them.

mod ask;
mod closed;
mod context;
mod event;
mod later;
mod sink;
mod state;
mod stream;
mod table;
mod view;

pub use ask::Ask;
pub use closed::{Closed, WindowClose, require_closed_of};
pub use context::Context;
pub use event::Event;
pub use later::{Global, Lookup};
pub use sink::{Delivered, Sink};
pub use state::State;
pub use stream::Stream;
pub use table::{Access, EachWindow, InWindow, Table};
pub use view::{LocalView, View, ViewInWindow};
