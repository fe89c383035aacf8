//! Events per second, over the last ten seconds.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

const SPAN: Duration = Duration::from_secs(10);

/// Where the counters of all agents were, and when.
#[derive(Default)]
pub(super) struct Rates {
    samples: VecDeque<(Instant, Vec<u64>)>,
}

impl Rates {
    /// Notes where they are; the newest sample that is older than the span stays as the one to compare with.
    pub(super) fn sample(&mut self, now: Instant, counts: Vec<u64>) {
        self.samples.push_back((now, counts));
        while self.samples.get(1).is_some_and(|(at, _)| now.duration_since(*at) >= SPAN) {
            self.samples.pop_front();
        }
    }

    /// What an agent does per second, given its count now; `started` stands in for samples that were never taken.
    pub(super) fn rate(&self, index: usize, now: Instant, count: u64, started: Instant) -> f64 {
        let (at, before) = match self.samples.front() {
            Some((at, counts)) => (*at, counts.get(index).copied().unwrap_or_default()),
            None => (started, 0),
        };
        let seconds = now.duration_since(at).as_secs_f64();
        if seconds < 0.1 { 0.0 } else { count.saturating_sub(before) as f64 / seconds }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_samples_do_not_weigh() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut rates = Rates::default();
        assert_eq!(rates.rate(0, at(2), 100, start), 50.0);
        for second in 0..=30 {
            rates.sample(at(second), vec![if second < 20 { 0 } else { (second - 20) * 5 }]);
        }
        assert_eq!(rates.rate(0, at(30), 50, start), 5.0);
        assert_eq!(rates.rate(1, at(30), 0, start), 0.0);
    }
}
