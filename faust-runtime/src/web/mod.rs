//! Pages, tables, health and metrics over HTTP.

mod page;

pub use page::{Method, NoUses, Page, PageDef, PageOptions, UsesOf, from_parts, from_request, respond};
pub(crate) use page::problem;
