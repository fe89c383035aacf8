//! What is said: topics, tables and their records and rows, as constant data. Knows neither Kafka nor the engine.

mod field;
mod history;
mod kind;
mod nothing;
mod ops;
#[doc(hidden)]
pub mod options;
mod place;
mod record;
mod records;
mod row;
mod session;
mod set;
mod shape;
mod sliding;
mod table;
mod topic;
mod window;

pub use field::{
    BorrowedCodec, FieldIn, FieldOf, KeyCodec, KeyOf, KeyPart, NoBorrowedCodec, NoKeyCodec,
    NoValueCodec, Text, ValueCodec,
};
pub(crate) use history::STAMP;
pub use history::{Stamp, Version};
pub use kind::{ByKey, ByTime, HasWindows};
pub use nothing::Nothing;
pub use ops::TopicUse;
pub(crate) use ops::{Admitted, RecordOps};
pub use place::Place;
pub use record::{NoKey, OwnedRecord, Record, SameKey};
pub use records::{Agrees, Both, Each, Only, Records, Variant, VariantOf};
pub use row::{AnyKey, Initial, Owns, Row};
pub(crate) use session::split_session;
pub use session::{Session, SessionsOf};
pub use set::{IsSet, Set, require_set};
pub use shape::{
    Aging, Forever, History, Members, Now, Overlapping, Plain, Sessions, Shape, Sliding,
    Unwindowed, Windowed,
};
pub(crate) use shape::{Kept, KeptRow, lives, split};
pub(crate) use sliding::split_panes;
pub use sliding::{Pane, PanesOf};
pub use table::{Scope, TableDef};
pub use topic::TopicDef;
pub use window::{Window, WindowDef};
