//! What a function under `#[window_close]` has done of one partition: it is called once for each row of each window
//! that closes, in their order, and how far it has come is committed with what it did.

use super::reader::Reader;
use std::cell::Cell;
use std::rc::Rc;

/// How far a closer has come: everything in windows that start below, and so many rows of the window that starts here.
/// Closed windows do not change, so that a count is a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClosedTo {
    pub(crate) start: i64,
    pub(crate) rows: u64,
}

impl ClosedTo {
    /// Before the first window.
    pub(crate) const NOTHING: Self = Self { start: i64::MIN, rows: 0 };
}

/// One closer on one partition.
pub(crate) struct Closer {
    /// The agent's name, under which its place is committed.
    pub(crate) name: &'static str,
    /// The table's number in the task.
    pub(crate) table: u16,
    /// What it has done.
    pub(crate) at: Cell<ClosedTo>,
    /// Windows that start below were looked for and are done.
    pub(crate) done_below: Cell<i64>,
    /// Reads nothing: that the task stops, and what is counted.
    pub(crate) reader: Rc<Reader>,
}

impl Closer {
    pub(crate) fn new(name: &'static str, table: u16, at: ClosedTo, reader: Rc<Reader>) -> Self {
        let (at, done_below) = (Cell::new(at), Cell::new(i64::MIN));
        Self { name, table, at, done_below, reader }
    }
}
