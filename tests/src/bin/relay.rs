//! Counts what each key sends and passes it on with its count, so that it can be seen from outside when a partition
//! stands still, and whether anything was lost or counted twice.
use faust::prelude::*;

/// Something of a key.
#[topic("ticks", key = key, partitions = 6)]
struct Tick {
    key: String,
}

/// The same with how many there were of its key.
#[topic("tocks", key = key, partitions = 6)]
struct Tock {
    key: String,
    n: u64,
}

/// How many there were.
#[table("totals")]
struct Total {
    key: String,
    value: u64,
}

#[agent]
async fn relay(tick: Event<Tick>, totals: Table<Total>, tocks: Sink<Tock>) -> Result<()> {
    let n = totals
        .update(&tick.key, |n| {
            *n += 1;
            *n
        })
        .await?;
    tocks.send(Tock { key: tick.key.clone(), n }).await
}

#[app("relay", agents(relay))]
struct Relay;

fn main() -> std::process::ExitCode {
    faust::main::<Relay>()
}
