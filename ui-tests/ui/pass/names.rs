//! Functions and types with the names that generated code uses for itself; paths, modules and visibility.
#![deny(warnings)]
#![allow(clippy::indexing_slicing, clippy::unwrap_used)]
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
async fn request(
    f::Path(p0): f::Path<String>,
    _: f::Query<Vec<(String, String)>>,
    body: String,
) -> Result<String> {
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

/// Declarations from a `macro_rules!`: their tokens come in invisible groups.
macro_rules! counter {
    ($module:ident, $name:literal, $partitions:expr, $key:ty, $count:ty, $every:literal) => {
        pub(crate) mod $module {
            use faust::prelude::*;

            #[topic($name, key = id, partitions = $partitions)]
            pub(crate) struct Seen {
                id: $key,
            }

            #[table($name, partitions = $partitions, window = tumbling($every))]
            pub(crate) struct Count {
                key: $key,
                value: $count,
            }

            #[agent(name = $name)]
            pub(crate) async fn tally(seen: Event<Seen>, counts: Table<Count>) -> Result<$count> {
                counts
                    .at(&seen)
                    .update(&seen.id, |n| {
                        *n += 1;
                        *n
                    })
                    .await
            }

            #[timer(every = $every)]
            pub(crate) async fn tick(_: View<Count>) -> Result<()> {
                Ok(())
            }

            #[app($name, agents(tally), timers(tick))]
            pub(crate) struct Counter;
        }
    };
}

counter!(users, "users", 4, u64, u32, 10s);
counter!(words, "seen-words", 8, String, u64, 1min);

#[faust::app("part", agents(orders::input))]
struct Part;

#[faust::app(
    "names",
    agents(orders::params),
    timers(call),
    tasks(worker),
    pages(respond, request, parts),
    commands(args),
    parts(Part, users::Counter, words::Counter)
)]
struct App;

fn main() {
    let app = <App as faust::App>::APP;
    let command = app.commands[0].options;
    assert_eq!((command.name, command.about), ("args", "Prints its arguments, one a line."));
    assert_eq!(app.pages[1].options.path, "/request/{p0}");
}
