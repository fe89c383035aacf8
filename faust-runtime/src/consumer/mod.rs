//! Records in: who reads which partition (assignment), and what happens when that changes (control).

mod assignment;
mod control;

pub(crate) use assignment::{Announcement, Assignment, Plan};
pub(crate) use control::Control;
