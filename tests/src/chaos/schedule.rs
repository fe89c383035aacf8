//! What happens when: a pure function of the seed, so that a run that failed can be had again.

use super::Plan;
use crate::split_mix;
use std::ops::Range;
use std::time::Duration;

/// Workers that are there from the beginning.
pub(super) const WORKERS: usize = 3;
/// Those and the ones that come and go.
pub(super) const SLOTS: usize = 5;
/// How long the group waits for a silent worker.
pub(super) const SESSION: Duration = Duration::from_secs(6);

/// Something that happens to a worker, by its number, or to the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Act {
    /// `kill -9`.
    Kill(usize),
    /// `kill -9`, and its disk is gone too.
    Lose(usize),
    /// SIGTERM.
    Stop(usize),
    /// SIGSTOP, for longer than the group waits.
    Freeze(usize),
    /// SIGCONT: a zombie is back.
    Thaw(usize),
    /// It starts, or starts again.
    Start(usize),
    /// The broker is gone: `kill -9` for one of ours, no connection to another.
    CutBroker,
    /// The broker is back.
    RestoreBroker,
    /// One of our brokers dies within a transaction, at this moment of it, and is back at once.
    Die(&'static str),
    /// Requests go wrong on their way.
    Fault(&'static str),
}

/// An act and its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    /// Since the beginning.
    pub(super) at: Duration,
    /// What happens.
    pub(super) act: Act,
}

/// Every kind of episode, as often as it comes in a round.
#[derive(Clone, Copy)]
enum Episode {
    Kill,
    Lose,
    Stop,
    Zombie,
    Extra,
    Outage,
    Die,
    Fault,
}

const ROUND: [Episode; 14] = {
    use Episode::{Die, Extra, Fault, Kill, Lose, Outage, Stop, Zombie};
    [Kill, Kill, Kill, Kill, Lose, Stop, Zombie, Zombie, Extra, Outage, Die, Fault, Fault, Fault]
};

const MOMENTS: [&str; 3] = ["die at=prepared", "die at=between-markers", "die at=marked"];

/// What goes wrong with requests: errors that a client is to try again after, errors that end its transaction, its
/// producer or its membership, answers that are lost after the fact, and connections that fall silent.
const FAULTS: [&str; 35] = [
    "Produce error=6 every=3 for=2s",  // not the leader
    "Produce error=19 every=3 for=2s", // not enough replicas
    "Produce lose-answer every=5 for=2s",
    "Produce drop every=5 for=2s",
    "Produce silence nth=3",
    "Fetch error=6 every=5 for=2s",
    "Fetch drop every=7 for=2s",
    "Fetch delay=400ms every=4 for=3s",
    "AddPartitionsToTxn error=51 every=2 for=2s", // concurrent transactions
    "AddPartitionsToTxn lose-answer every=3 for=2s",
    "AddPartitionsToTxn error=47 nth=2", // the producer's epoch is old
    "AddPartitionsToTxn error=90 nth=2", // fenced
    "AddOffsetsToTxn error=16 every=2 for=2s", // not the coordinator
    "AddOffsetsToTxn lose-answer every=2 for=2s",
    "TxnOffsetCommit error=14 every=2 for=2s", // the coordinator is loading
    "TxnOffsetCommit error=22 nth=2",          // the generation is old
    "TxnOffsetCommit error=25 nth=2",          // the member is unknown
    "TxnOffsetCommit error=82 nth=2",          // another member has its name
    "TxnOffsetCommit lose-answer every=3 for=2s",
    "EndTxn error=51 every=2 for=2s",
    "EndTxn error=16 every=2 for=2s",
    "EndTxn error=47 nth=2",
    "EndTxn lose-answer every=3 for=3s",
    "EndTxn drop every=3 for=3s",
    "EndTxn delay=1s every=3 for=3s",
    "EndTxn silence nth=2",
    "InitProducerId error=14 every=2 for=4s",
    "InitProducerId lose-answer every=2 for=4s",
    "FindCoordinator error=15 every=2 for=4s", // no coordinator
    "Heartbeat error=27 nth=1",                // a rebalance
    "Heartbeat error=25 nth=2",
    "Heartbeat silence nth=1",
    "JoinGroup lose-answer every=2 for=4s",
    "SyncGroup lose-answer every=2 for=4s",
    "OffsetFetch error=88 every=2 for=4s", // offsets are not stable
];

/// Episodes overlap, but no worker is in two at once.
pub(super) fn schedule(plan: &Plan) -> Vec<Step> {
    let mut random = Random { seed: plan.seed, drawn: 0 };
    let end = Duration::from_secs(plan.seconds);
    let longest_outage = if plan.seconds < 120 { 4_000 } else { 60_000 };
    let mut free_at = [Duration::ZERO; SLOTS + 1];
    let mut steps = Vec::new();
    let mut round = Vec::new();
    let mut at = Duration::from_millis(500);
    while at < end {
        let episode = round.pop().unwrap_or_else(|| {
            round = random.shuffled(&ROUND);
            Episode::Kill
        });
        let mut add = |at, act| steps.push(Step { at, act });
        match episode {
            Episode::Die => add(at, Act::Die(random.one_of(&MOMENTS))),
            Episode::Fault => add(at, Act::Fault(random.one_of(&FAULTS))),
            _ => {
                let (who, lasts) = match episode {
                    Episode::Kill | Episode::Lose => (0..WORKERS, random.millis(0..3_000)),
                    Episode::Stop => (0..WORKERS, random.millis(500..4_000)),
                    Episode::Extra => (WORKERS..SLOTS, random.millis(4_000..15_000)),
                    Episode::Outage => (SLOTS..SLOTS + 1, random.millis(500..longest_outage)),
                    _ => (0..WORKERS, SESSION + random.millis(1_000..4_000)),
                };
                let free: Vec<_> = who.filter(|n| free_at[*n] <= at).collect();
                if !free.is_empty() {
                    let n = random.one_of(&free);
                    let (first, last) = match episode {
                        Episode::Kill => (Act::Kill(n), Act::Start(n)),
                        Episode::Lose => (Act::Lose(n), Act::Start(n)),
                        Episode::Stop => (Act::Stop(n), Act::Start(n)),
                        Episode::Extra => (Act::Start(n), Act::Stop(n)),
                        Episode::Outage => (Act::CutBroker, Act::RestoreBroker),
                        _ => (Act::Freeze(n), Act::Thaw(n)),
                    };
                    add(at, first);
                    add(at + lasts, last);
                    // Time to do something before the next misfortune: between nothing and enough for a rebalance.
                    // The broker is there most of the time.
                    let rest = if n == SLOTS { lasts * 2 } else { random.millis(0..6_000) };
                    free_at[n] = at + lasts + rest;
                }
            }
        }
        at += random.millis(300..1_700);
    }
    steps.sort_by_key(|step| step.at);
    steps
}

struct Random {
    seed: u64,
    drawn: u64,
}

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.drawn += 1;
        split_mix(self.seed, self.drawn) % end
    }

    fn millis(&mut self, range: Range<u64>) -> Duration {
        Duration::from_millis(range.start + self.below(range.end - range.start))
    }

    fn one_of<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize]
    }

    fn shuffled<T: Copy>(&mut self, of: &[T]) -> Vec<T> {
        let mut shuffled = of.to_vec();
        for n in (1..shuffled.len()).rev() {
            shuffled.swap(n, self.below(n as u64 + 1) as usize);
        }
        shuffled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(seed: u64) -> Vec<Step> {
        let (cluster, guarantee) = (None, "exactly_once".to_string());
        schedule(&Plan { seconds: 60, seed, cluster, guarantee, rate: 1 })
    }

    #[test]
    fn a_seed_always_gives_the_same_schedule() {
        assert_eq!(of(3), of(3));
        assert_ne!(of(3), of(4));
    }

    #[test]
    fn a_minute_has_everything_in_it() {
        for seed in 0..50 {
            let steps = of(seed);
            let n = |wanted: fn(&Act) -> bool| steps.iter().filter(|it| wanted(&it.act)).count();
            assert!(n(|act| matches!(act, Act::Kill(_))) >= 3, "seed {seed}");
            assert!(n(|act| matches!(act, Act::Freeze(_))) >= 1, "seed {seed}");
            assert!(n(|act| matches!(act, Act::CutBroker)) >= 1, "seed {seed}");
            assert_eq!(
                n(|act| matches!(act, Act::CutBroker)),
                n(|act| matches!(act, Act::RestoreBroker))
            );
        }
    }
}
