//! The manifest: what an app consists of, its checks, its settings, and its topology.

mod check;
mod def;
mod settings;
pub(crate) mod topology;

pub use check::{require_app, require_copartitioned};
pub use def::{App, AppDef};
pub use settings::{Settings, SettingsError};
