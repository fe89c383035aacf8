//! The workers of a run, each in its place, and what was done to them.

use super::schedule::{SLOTS, WORKERS};
use crate::{App, Worker};
use std::collections::BTreeMap;
use std::fmt;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long a worker may take to stop.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often each thing happened.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) kills: u64,
    pub(super) disks: u64,
    pub(super) stops: u64,
    /// Stops that could not commit what was in flight, because the group or the broker was not to be had.
    pub(super) late_stops: u64,
    pub(super) zombies: u64,
    pub(super) extras: u64,
    pub(super) outages: u64,
    pub(super) deaths: u64,
    pub(super) faults: u64,
    pub(super) rebalances: u64,
    pub(super) commits: u64,
    pub(super) aborts: u64,
    /// Workers that ended although nobody told them to.
    pub(super) crashes: Vec<String>,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} kills ({} with the disk), {} stops ({} too late to commit), {} zombies, {} extra workers, {} outages of the broker, {} deaths of it within a \
             transaction, {} requests struck; \
             {} rebalances, {} commits, {} aborts; {} workers gave up by themselves",
            self.kills + self.disks,
            self.disks,
            self.stops,
            self.late_stops,
            self.zombies,
            self.extras,
            self.outages,
            self.deaths,
            self.faults,
            self.rebalances,
            self.commits,
            self.aborts,
            self.crashes.len(),
        )
    }
}

/// What a process counted so far: rebalances, commits, aborts.
type Counts = [u64; 3];

pub(super) struct Fleet<'a> {
    app: &'a App,
    slots: BTreeMap<usize, Slot>,
    pub(super) tally: Tally,
}

struct Slot {
    worker: Worker,
    state: State,
    counts: Counts,
}

impl Slot {
    /// The end of its log.
    fn last_words(&self) -> String {
        let log = self.worker.logged();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(12)..].join("\n")
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Runs,
    Frozen,
    /// It was told to stop.
    Stops(Instant),
}

impl<'a> Fleet<'a> {
    pub(super) fn new(app: &'a App) -> Self {
        Self { app, slots: BTreeMap::new(), tally: Tally::default() }
    }

    /// Starts a worker in its place. One that is still stopping is waited for.
    pub(super) fn start(&mut self, n: usize) {
        self.wait_for_stop(n);
        self.tally.extras += u64::from(n >= WORKERS);
        self.slots.entry(n).or_insert_with(|| Slot {
            worker: self.app.start(n),
            state: State::Runs,
            counts: Counts::default(),
        });
    }

    pub(super) fn kill(&mut self, n: usize) {
        self.count(n);
        if let Some(slot) = self.slots.remove(&n) {
            slot.worker.kill();
            self.settle(slot.counts);
        }
    }

    /// Kills it and deletes what it had.
    pub(super) fn lose(&mut self, n: usize) {
        self.kill(n);
        // It may have had no time to make any.
        let _ = std::fs::remove_dir_all(self.app.data(n));
    }

    pub(super) fn stop(&mut self, n: usize) {
        self.count(n);
        if let Some(slot) = self.slots.get_mut(&n).filter(|slot| slot.state == State::Runs) {
            slot.worker.signal("TERM");
            slot.state = State::Stops(Instant::now());
            self.tally.stops += 1;
        }
    }

    pub(super) fn freeze(&mut self, n: usize) {
        self.count(n);
        if let Some(slot) = self.slots.get_mut(&n).filter(|slot| slot.state == State::Runs) {
            slot.worker.signal("STOP");
            slot.state = State::Frozen;
        }
    }

    pub(super) fn thaw(&mut self, n: usize) {
        if let Some(slot) = self.slots.get_mut(&n).filter(|slot| slot.state == State::Frozen) {
            slot.worker.signal("CONT");
            slot.state = State::Runs;
            self.tally.zombies += 1;
        }
    }

    /// All is well again: the first workers run, and no others.
    pub(super) fn calm(&mut self) {
        for n in 0..SLOTS {
            self.thaw(n);
            if n < WORKERS {
                self.start(n);
            } else {
                self.stop(n);
                self.wait_for_stop(n);
            }
        }
    }

    /// Notices who ended, restarts those that did so by themselves, and reads the counters of those that run.
    pub(super) fn watch(&mut self) {
        for n in 0..SLOTS {
            let Some(slot) = self.slots.get_mut(&n) else { continue };
            let Some(code) = slot.worker.ended() else { continue };
            let Some(slot) = self.slots.remove(&n) else { continue };
            self.settle(slot.counts);
            match slot.state {
                State::Stops(_) if code == Some(0) => {}
                // It says that its last events were not committed in time: the next one does them again.
                State::Stops(_) if code == Some(1) => self.tally.late_stops += 1,
                // It had only just begun, and did not listen to signals.
                State::Stops(_) if code.is_none() && slot.worker.logged().is_empty() => {}
                _ => {
                    let said = format!("worker {n} ended with {code:?}\n{}", slot.last_words());
                    println!("{said}");
                    self.tally.crashes.push(said);
                }
            }
            if slot.state == State::Runs {
                self.start(n);
            }
        }
    }

    /// Reads the counters of everyone who can answer.
    pub(super) fn count_all(&mut self) {
        (0..SLOTS).for_each(|n| self.count(n));
    }

    fn count(&mut self, n: usize) {
        let Some(slot) = self.slots.get_mut(&n).filter(|slot| slot.state == State::Runs) else {
            return;
        };
        let Some(status) = slot.worker.status_now() else { return };
        let number = |value: &serde_json::Value| value.as_u64().unwrap_or_default();
        let cuts = &status["cuts"];
        slot.counts =
            [number(&status["rebalances"]), number(&cuts["committed"]), number(&cuts["aborted"])];
    }

    fn settle(&mut self, [rebalances, commits, aborts]: Counts) {
        self.tally.rebalances += rebalances;
        self.tally.commits += commits;
        self.tally.aborts += aborts;
    }

    fn wait_for_stop(&mut self, n: usize) {
        while let Some(slot @ Slot { state: State::Stops(since), .. }) = self.slots.get(&n) {
            if since.elapsed() > PATIENCE {
                let (last, stacks) = (slot.last_words(), slot.worker.stacks());
                let said = format!("worker {n} did not stop within {PATIENCE:?}\n{last}\n{stacks}");
                println!("{said}");
                self.tally.crashes.push(said);
                self.kill(n);
                return;
            }
            self.watch();
            sleep(Duration::from_millis(20));
        }
    }

    /// Stops everyone.
    pub(super) fn end(mut self) -> Tally {
        self.count_all();
        (0..SLOTS).for_each(|n| self.stop(n));
        (0..SLOTS).for_each(|n| self.wait_for_stop(n));
        self.tally
    }

    /// What those that run say of themselves.
    pub(super) fn statuses(&self) -> Vec<Option<serde_json::Value>> {
        self.workers().map(Worker::status_now).collect()
    }

    /// Those that run.
    pub(super) fn workers(&self) -> impl Iterator<Item = &Worker> {
        self.slots.values().map(|slot| &slot.worker)
    }
}
