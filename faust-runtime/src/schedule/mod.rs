//! What runs outside of events: timers and tasks.

mod later;
mod traits;

pub use later::{Cron, Service};
pub use traits::{Task, TaskDef, TaskOptions, Timer, TimerDef, TimerOptions};
