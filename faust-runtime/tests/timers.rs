//! Timers and tasks, with virtual time.

use faust::prelude::*;
use faust::testing::TestApp;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

#[derive(Default, Clone)]
struct Ticks(std::sync::Arc<AtomicU32>);

#[topic("ticks", partitions = 1)]
struct Tick {
    n: u32,
}

/// Fails every second time, and goes on all the same.
#[timer(every = 10s)]
async fn tick(ticks: State<Ticks>, out: Sink<Tick>) -> Result<()> {
    let n = ticks.0.fetch_add(1, Ordering::Relaxed) + 1;
    if n.is_multiple_of(2) {
        return Err("every second time".into());
    }
    out.send(Tick { n }).await
}

#[task]
async fn begin(out: Sink<Tick>) -> Result<()> {
    out.deliver(Tick { n: 0 }).await?;
    Ok(())
}

#[app("timers", timers(tick), tasks(begin))]
struct Timers;

#[tokio::test]
async fn a_timer_fires_at_its_interval_whether_it_fails_or_not() -> Result<()> {
    let app = TestApp::start::<Timers>().await?;
    app.advance(Duration::from_secs(55)).await?;
    let ticks: Vec<u32> = app.outputs::<Tick>()?.into_iter().map(|tick| tick.record.n).collect();
    assert_eq!(ticks, [0, 1, 3, 5], "the task first, then every second tick");
    Ok(())
}
