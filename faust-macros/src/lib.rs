//! The attribute macros of faust. Their documentation for users is on the re-exports in `faust`.
//!
//! Each macro is a file with three steps, top-down: `expand` is the pipeline, `lower` reads tokens into a checked
//! model and collects every error, `generate` turns the model into tokens and cannot fail. On a mistake the user's item
//! stays as it is, the errors follow, and then what could still be generated, so that uses of the name are no errors.

mod closest;
mod errors;
mod handles;
mod krate;
mod literal;
mod options;
mod said;
mod signature;

mod agent;
mod app;
mod command;
mod page;
mod record;
mod table;
mod task;
mod timer;
mod topic;

#[cfg(test)]
mod tests;

use proc_macro::TokenStream;

#[allow(missing_docs)]
#[proc_macro_attribute]
pub fn topic(attr: TokenStream, item: TokenStream) -> TokenStream {
    topic::expand(attr.into(), item.into()).into()
}

#[allow(missing_docs)]
#[proc_macro_attribute]
pub fn table(attr: TokenStream, item: TokenStream) -> TokenStream {
    table::expand(attr.into(), item.into()).into()
}

#[allow(missing_docs)]
#[proc_macro_attribute]
pub fn agent(attr: TokenStream, item: TokenStream) -> TokenStream {
    agent::expand(attr.into(), item.into()).into()
}

#[allow(missing_docs)]
#[proc_macro_attribute]
pub fn timer(attr: TokenStream, item: TokenStream) -> TokenStream {
    timer::expand(attr.into(), item.into()).into()
}

#[allow(missing_docs)]
#[proc_macro_attribute]
pub fn task(attr: TokenStream, item: TokenStream) -> TokenStream {
    task::expand(attr.into(), item.into()).into()
}

#[allow(missing_docs)]
#[proc_macro_attribute]
pub fn page(attr: TokenStream, item: TokenStream) -> TokenStream {
    page::expand(attr.into(), item.into()).into()
}

#[allow(missing_docs)]
#[proc_macro_attribute]
pub fn command(attr: TokenStream, item: TokenStream) -> TokenStream {
    command::expand(attr.into(), item.into()).into()
}

#[allow(missing_docs)]
#[proc_macro_attribute]
pub fn app(attr: TokenStream, item: TokenStream) -> TokenStream {
    app::expand(attr.into(), item.into()).into()
}
