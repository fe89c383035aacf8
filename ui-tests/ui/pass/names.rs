//! Functions and types with the names that generated code uses for itself; paths, modules and visibility.
#![deny(warnings)]
#![allow(missing_docs, unused_qualifications)]

pub mod orders {
    use faust::prelude::*;

    #[topic("result", key = key)]
    pub struct Result_ {
        pub key: String,
        pub out: u64,
    }

    #[agent]
    pub async fn input(input: Event<Result_>) -> faust::Result<u64> {
        Ok(input.out)
    }

    #[agent]
    pub(crate) async fn params(params: Event<Result_>, input: Ask<input>) -> faust::Result<()> {
        input.ask(params.into_inner()).await?;
        Ok(())
    }
}

use faust::Result;
use faust::prelude as f;
use orders::Result_;

#[faust::timer(every = 1h)]
async fn call(params: f::Sink<Result_>) -> Result<()> {
    params.send(Result_ { key: "a".into(), out: 1 }).await
}

#[faust::task]
async fn worker() -> Result<()> {
    Ok(())
}

#[faust::page("/respond")]
async fn respond() -> Result<&'static str> {
    Ok("yes")
}

#[faust::page("/request/{p0}", method = put)]
async fn request(f::Path(p0): f::Path<String>, _: f::Query<Vec<(String, String)>>, body: String) -> Result<String> {
    Ok(p0 + &body)
}

#[faust::page("/parts", method = delete)]
async fn parts(ask: f::Ask<orders::input>) -> Result<String> {
    Ok(ask.ask(Result_ { key: "a".into(), out: 1 }).await?.to_string())
}

/// Prints its arguments,
/// one a line.
///
/// Not in the summary.
#[faust::command]
async fn args(
    /// How many
    #[arg(long, default_value_t = 3)]
    n: usize,
    out: f::Sink<Result_>,
    #[arg(value_name = "KEY")] key: String,
) -> Result<()> {
    out.send(Result_ { key, out: n as u64 }).await
}

#[faust::app("part", agents(orders::input))]
struct Part;

#[faust::app(
    "names",
    agents(orders::params),
    timers(call),
    tasks(worker),
    pages(respond, request, parts),
    commands(args),
    parts(Part)
)]
struct App;

fn main() {
    let app = <App as faust::App>::APP;
    let command = app.commands[0].options;
    assert_eq!((command.name, command.about), ("args", "Prints its arguments, one a line."));
    assert_eq!(app.pages[1].options.path, "/request/{p0}");
}
