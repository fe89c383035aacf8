//! `path APP GUARANTEE RECORDS KEYS`: an app in memory on one thread, which has seen all keys, processes records; what
//! `instructions.sh` counts happens in `measured`.

use faust::{App, Guarantee, Result};
use faust_benches::{Direct, Shuffle, steps};

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let [app, guarantee, records, keys] = words[..] else {
        return Err("usage: path APP GUARANTEE RECORDS KEYS".into());
    };
    let guarantee = match guarantee {
        "at_least_once" => Guarantee::AtLeastOnce,
        "exactly_once" => Guarantee::ExactlyOnce,
        other => return Err(format!("no such guarantee: {other}").into()),
    };
    let (records, keys) = (records.parse()?, keys.parse()?);
    match app {
        "direct" => run::<Direct>(guarantee, records, keys, true),
        "shuffle" => run::<Shuffle>(guarantee, records, keys, false),
        "once" => run::<steps::Once>(guarantee, records, keys, true),
        "twice" => run::<steps::Twice>(guarantee, records, keys, true),
        "parse" => run::<steps::Parse>(guarantee, records, keys, true),
        "own" => run::<steps::Own>(guarantee, records, keys, true),
        "update" => run::<steps::Update>(guarantee, records, keys, true),
        "send" => run::<steps::Send>(guarantee, records, keys, true),
        "latest" => run::<steps::Latest>(guarantee, records, keys, true),
        other => Err(format!("no such app: {other}").into()),
    }
}

fn run<A: App>(guarantee: Guarantee, records: usize, keys: usize, keyed: bool) -> Result<()> {
    let mut run = steps::Run::new::<A>(guarantee, keys, keyed)?;
    // Twelve draws a key: all but a few words come, so that rows are cached and vectors have grown.
    run.fill(12 * keys)?;
    run.drain()?;
    run.fill(records)?;
    measured(&run)
}

#[inline(never)]
fn measured(run: &steps::Run) -> Result<()> {
    run.drain()
}
