//! Records in: who reads which partition (placement decides, assignment tells), and what happens when that changes (control).

mod assignment;
mod control;
mod placement;

pub(crate) use assignment::{Assignment, Plan};
pub(crate) use control::{Control, Stop};
