//! What runs outside of events: timers and tasks.

mod traits;

pub use traits::{Task, TaskDef, TaskOptions, Timer, TimerDef, TimerOptions};
