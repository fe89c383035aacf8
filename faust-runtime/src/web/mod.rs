//! Pages, tables, health and metrics over HTTP.

mod list;
mod listen;
mod page;
mod remote;
mod router;
mod row;
mod status;
mod table;

pub(crate) use listen::Listener;
pub use page::{
    Method, NoUses, Page, PageDef, PageOptions, UsesOf, from_parts, from_request, from_worker,
    respond,
};
pub(crate) use remote::{Rows, Stored, fetch_stored, table_url};
pub(crate) use router::{call, router, serve};
pub(crate) use row::{Printer, Wanted};
pub(crate) use row::{beginning as rows_beginning, windows as rows_of_windows};
