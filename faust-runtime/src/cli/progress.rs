//! What a worker shows while its tables come back: a bar in a terminal, elsewhere a line in the log every few seconds.

use crate::kafka::{Offset, TopicPartition};
use crate::monitor::{Monitor, Recovery};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(250);
/// From one line in the log to the next.
const LINE: Duration = Duration::from_secs(5);
/// What takes less is not worth a bar.
const SOON: Duration = Duration::from_millis(500);

/// Shows it for as long as the worker runs.
pub(super) async fn show(monitor: Monitor) {
    let terminal = std::io::stderr().is_terminal();
    loop {
        sleep(LOOK).await;
        if !monitor.recovering().is_empty() {
            follow(&monitor, terminal).await;
        }
    }
}

/// Shows one recovery of everything that is assigned, until it is done.
async fn follow(monitor: &Monitor, terminal: bool) {
    let begun = Instant::now();
    let mut seen = Seen::default();
    let mut bar = None;
    let mut line = begun + LINE;
    while seen.look(&monitor.recovering()) || !monitor.ready() {
        let (done, all) = seen.sum();
        if terminal && begun.elapsed() >= SOON {
            let bar = bar.get_or_insert_with(new_bar);
            bar.set_length(all);
            bar.set_position(done);
        } else if !terminal && Instant::now() >= line {
            line += LINE;
            let percent = done * 100 / all.max(1);
            tracing::info!(records = done, of = all, "recovering: {percent} %");
        }
        sleep(LOOK).await;
    }
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
}

fn new_bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template(
        "  recovering {wide_bar} {percent} % of {human_len} records, {per_sec}, {eta} left",
    );
    // One that cannot be read is a plain one.
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// Every partition that was seen to recover: how much of it is done, and how much there is.
#[derive(Default)]
struct Seen(BTreeMap<TopicPartition, (Offset, Offset)>);

impl Seen {
    /// Takes over where recoveries are; whether there are any.
    fn look(&mut self, now: &[(TopicPartition, Recovery)]) -> bool {
        // What is not there any more is done.
        for (done, all) in self.0.values_mut() {
            *done = *all;
        }
        for (of, it) in now {
            self.0.insert(of.clone(), (it.at - it.from, it.to - it.from));
        }
        !now.is_empty()
    }

    fn sum(&self) -> (u64, u64) {
        let sum = |part: fn(&(Offset, Offset)) -> Offset| {
            self.0.values().map(|it| part(it).unsigned_abs()).sum()
        };
        (sum(|(done, _)| *done), sum(|(_, all)| *all))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_recovered_stays_in_the_sum() {
        let at = |partition, at| {
            let table = "t".into();
            let of = TopicPartition::new("changelog", partition);
            (of, Recovery { table, from: 100, at, to: 200 })
        };
        let mut seen = Seen::default();
        assert!(seen.look(&[at(0, 150), at(1, 100)]));
        assert_eq!(seen.sum(), (50, 200));
        assert!(seen.look(&[at(1, 120)]));
        assert_eq!(seen.sum(), (120, 200), "the first is done");
        assert!(!seen.look(&[]));
        assert_eq!(seen.sum(), (200, 200));
    }
}
