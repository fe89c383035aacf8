//! The manifest: what an app consists of, its checks, its settings, and its topology.

mod check;
mod def;
mod settings;
pub(crate) mod topology;

pub use check::{
    Index, Keys, OwnsNone, require_app, require_closes, require_copartitioned, require_entry,
    require_external, require_part, require_variant,
};
pub use def::{App, AppDef};
pub use settings::{
    ChangedOffsets, Guarantee, Origin, Settings, SettingsError, StartAt, StoreKind,
};
pub(crate) use settings::{Names, Sources};
