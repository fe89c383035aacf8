//! What can be said of the windows of a table.

use super::{Aging, Forever, Members, Overlapping, Plain, Sessions, Sliding, Unwindowed, Windowed};

/// That a table has windows.
#[diagnostic::on_unimplemented(
    message = "this table has no windows",
    label = "no windows of it can close",
    note = "declare some: `#[table(\"..\", window = tumbling(1min))]`"
)]
pub trait HasWindows {}

impl HasWindows for Windowed {}
impl HasWindows for Overlapping {}
impl HasWindows for Sessions {}
impl HasWindows for Sliding {}

/// That a table has windows of one length, so that a moment says which.
#[diagnostic::on_unimplemented(
    message = "a moment does not say which window of this table is meant",
    label = "its windows are not all of one length",
    note = "the session of an event: `table.update_session(&event, key, change, join)`"
)]
pub trait ByTime {}

impl ByTime for Windowed {}
impl ByTime for Overlapping {}

/// That rows of a table are found by their keys alone, so that they can be copied and written from elsewhere.
#[diagnostic::on_unimplemented(
    message = "a row of this table is not found by its key alone",
    label = "it has windows, or a history",
    note = "`View<T>` reads rows of any table from anywhere"
)]
pub trait ByKey: Plain {}

#[diagnostic::do_not_recommend]
impl ByKey for Unwindowed<Forever> {}
#[diagnostic::do_not_recommend]
impl ByKey for Unwindowed<Aging> {}
#[diagnostic::do_not_recommend]
impl ByKey for Members {}
