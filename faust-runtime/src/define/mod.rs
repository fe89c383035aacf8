//! What is said: topics, tables and their records and rows, as constant data. Knows neither Kafka nor the engine.

mod field;
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
mod sliding;
mod table;
mod topic;
mod window;

pub use field::{
    BorrowedCodec, FieldIn, FieldOf, KeyCodec, KeyOf, KeyPart, NoBorrowedCodec, NoKeyCodec,
    NoValueCodec, Text, ValueCodec,
};
pub(crate) use kind::Stored;
pub use kind::{
    ByTime, HasWindows, Overlapping, Sessions, Sliding, Unwindowed, WindowKind, Windowed,
};
pub use nothing::Nothing;
pub use ops::TopicUse;
pub(crate) use ops::{Admitted, RecordOps};
pub use place::Place;
pub use record::{NoKey, OwnedRecord, Record, SameKey};
pub use records::{Agrees, Both, Each, Only, Records, Variant, VariantOf};
pub use row::{AnyKey, Owns, Row};
pub(crate) use session::split_session;
pub use session::{Session, SessionsOf};
pub(crate) use sliding::split_panes;
pub use sliding::{Pane, PanesOf};
pub use table::{Scope, TableDef};
pub use topic::TopicDef;
pub use window::{Window, WindowDef};
