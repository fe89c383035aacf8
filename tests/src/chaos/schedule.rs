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
}

const ROUND: [Episode; 10] = {
    use Episode::{Extra, Kill, Lose, Outage, Stop, Zombie};
    [Kill, Kill, Kill, Kill, Lose, Stop, Zombie, Zombie, Extra, Outage]
};

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
            ROUND[0]
        });
        let mut add = |after: Duration, act| steps.push(Step { at: at + after, act });
        let gap = random.millis(300..1_700);
        let of = match episode {
            Episode::Extra => WORKERS..SLOTS,
            Episode::Outage => SLOTS..SLOTS + 1,
            _ => 0..WORKERS,
        };
        let free: Vec<_> = of.filter(|n| free_at[*n] <= at).collect();
        if let Some(&n) = free.get(random.below(free.len().max(1) as u64) as usize) {
            let lasts = match episode {
                Episode::Kill | Episode::Lose => random.millis(0..3_000),
                Episode::Stop => random.millis(500..4_000),
                Episode::Zombie => SESSION + random.millis(1_000..4_000),
                Episode::Extra => random.millis(4_000..15_000),
                Episode::Outage => random.millis(500..longest_outage),
            };
            let (first, last) = match episode {
                Episode::Kill => (Act::Kill(n), Act::Start(n)),
                Episode::Lose => (Act::Lose(n), Act::Start(n)),
                Episode::Stop => (Act::Stop(n), Act::Start(n)),
                Episode::Zombie => (Act::Freeze(n), Act::Thaw(n)),
                Episode::Extra => (Act::Start(n), Act::Stop(n)),
                Episode::Outage => (Act::CutBroker, Act::RestoreBroker),
            };
            add(Duration::ZERO, first);
            add(lasts, last);
            // Time to do something before the next misfortune: between nothing and enough for a rebalance. A broker
            // is there most of the time.
            let rest = if n == SLOTS { lasts * 2 } else { random.millis(0..6_000) };
            free_at[n] = at + lasts + rest;
        }
        at += gap;
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
