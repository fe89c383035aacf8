//! The attribute macros of faust. Their documentation for users is on the re-exports in `faust`.
//!
//! Each macro is a file with three steps, top-down: `expand` is the pipeline, `lower` reads tokens into a checked
//! model and collects every error, `generate` turns the model into tokens and cannot fail. On a mistake the user's item
//! stays as it is, the errors follow, and then what could still be generated, so that uses of the name are no errors.

#![expect(missing_docs, reason = "the documentation is on the re-exports")]
#![expect(clippy::large_enum_variant, reason = "there is one model an expansion")]

// What is read: attributes and the items under them.
mod literal;
mod options;
mod placeholders;
mod record;
mod schedule;
mod signature;
mod window;

// The macros.
mod agent;
mod app;
mod command;
mod cron;
mod group;
mod page;
mod records;
mod service;
mod table;
mod task;
mod timer;
mod topic;
mod window_close;

// What they share in saying it.
mod cfg;
mod closest;
mod editor;
mod errors;
mod handles;
mod krate;
mod said;
mod types;

#[cfg(test)]
mod tests;

use proc_macro::TokenStream;

#[proc_macro_attribute]
pub fn topic(attr: TokenStream, item: TokenStream) -> TokenStream {
    editor::expand("topic", topic::expand, attr.into(), item.into()).into()
}

#[proc_macro_attribute]
pub fn table(attr: TokenStream, item: TokenStream) -> TokenStream {
    editor::expand("table", table::expand, attr.into(), item.into()).into()
}

#[proc_macro_attribute]
pub fn agent(attr: TokenStream, item: TokenStream) -> TokenStream {
    editor::expand("agent", agent::expand, attr.into(), item.into()).into()
}

#[proc_macro_attribute]
pub fn timer(attr: TokenStream, item: TokenStream) -> TokenStream {
    editor::expand("timer", timer::expand, attr.into(), item.into()).into()
}

#[proc_macro_attribute]
pub fn task(attr: TokenStream, item: TokenStream) -> TokenStream {
    editor::expand("task", task::expand, attr.into(), item.into()).into()
}

#[proc_macro_attribute]
pub fn page(attr: TokenStream, item: TokenStream) -> TokenStream {
    editor::expand("page", page::expand, attr.into(), item.into()).into()
}

#[proc_macro_attribute]
pub fn command(attr: TokenStream, item: TokenStream) -> TokenStream {
    editor::expand("command", command::expand, attr.into(), item.into()).into()
}

#[proc_macro_attribute]
pub fn cron(attr: TokenStream, item: TokenStream) -> TokenStream {
    cron::expand(attr.into(), item.into()).into()
}

#[proc_macro_attribute]
pub fn service(attr: TokenStream, item: TokenStream) -> TokenStream {
    service::expand(attr.into(), item.into()).into()
}

#[proc_macro_attribute]
pub fn window_close(attr: TokenStream, item: TokenStream) -> TokenStream {
    editor::expand("window_close", window_close::expand, attr.into(), item.into()).into()
}

#[proc_macro_derive(AgentParam, attributes(faust))]
pub fn agent_param(item: TokenStream) -> TokenStream {
    group::expand(item.into()).into()
}

#[proc_macro_derive(Records, attributes(faust))]
pub fn records(item: TokenStream) -> TokenStream {
    records::expand(item.into()).into()
}

#[proc_macro_attribute]
pub fn app(attr: TokenStream, item: TokenStream) -> TokenStream {
    editor::expand("app", app::expand, attr.into(), item.into()).into()
}
