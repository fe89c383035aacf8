//! One fault, and how it is written.

use std::str::FromStr;
use std::time::{Duration, Instant};

use kafka_protocol::messages::ApiKey;

use super::refusal::can_refuse;
use super::{Effect, Moment};

/// What goes wrong, and with which requests. It is made of text:
///
/// ```text
/// API EFFECT [WHICH] [for=SPAN]      such as `Produce error=7 every=5 for=10s`
/// die at=MOMENT [nth=N]              such as `die at=between-markers nth=2`
/// ```
///
/// | part | values |
/// |---|---|
/// | `API` | Kafka's name of it: `Produce`, `Fetch`, `EndTxn`, … |
/// | `EFFECT` | `error=CODE`: refused with that code; `delay=SPAN`: carried out later; `drop`: the connection is closed instead; `lose-answer`: carried out, then the connection is closed; `silence`: neither it nor what follows on the connection is answered |
/// | `WHICH` | `nth=N`: only the N-th; `every=N`; `chance=PERCENT`; without it every request |
/// | `SPAN` | `200ms`, `3s` |
/// | `MOMENT` | `prepared`: the end of a transaction is decided; `between-markers`: some partitions know; `marked`: all do, the groups do not. The process aborts there |
///
/// ```
/// use faust_broker::Fault;
///
/// let fault: Fault = "Heartbeat delay=500ms chance=10".parse()?;
/// assert!("Heartbeat sometimes".parse::<Fault>().is_err());
/// # let _ = fault;
/// # Ok::<(), faust_broker::FaultError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Fault {
    what: What,
    which: Which,
    lasts: Option<Duration>,
    begun: Instant,
    seen: u64,
}

#[derive(Debug, Clone, Copy)]
enum What {
    Request { api: i16, effect: Effect },
    Death(Moment),
}

#[derive(Debug, Clone, Copy)]
enum Which {
    All,
    Nth(u64),
    Every(u64),
    /// In percent.
    Chance(u64),
}

/// A fault that is not written as [`Fault`] says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{fault}` is not a fault: {why}")]
pub struct FaultError {
    fault: String,
    why: String,
}

impl Fault {
    pub(super) fn begun(self) -> Self {
        Self { begun: Instant::now(), seen: 0, ..self }
    }

    /// Counts a request, and says what becomes of it.
    pub(super) fn strike(&mut self, request: i16) -> Option<Effect> {
        match self.what {
            What::Request { api, effect } if api == request => self.applies().then_some(effect),
            _ => None,
        }
    }

    pub(super) fn kills(&mut self, reached: Moment) -> bool {
        matches!(self.what, What::Death(moment) if moment == reached) && self.applies()
    }

    /// Whether it may still apply to something.
    pub(super) fn is_live(&self) -> bool {
        let spent = matches!(self.which, Which::Nth(n) if self.seen >= n);
        !spent && self.lasts.is_none_or(|lasts| self.begun.elapsed() < lasts)
    }

    fn applies(&mut self) -> bool {
        if !self.is_live() {
            return false;
        }
        self.seen += 1;
        match self.which {
            Which::All => true,
            Which::Nth(n) => self.seen == n,
            Which::Every(n) => self.seen.is_multiple_of(n),
            // A multiplicative hash: the same requests of every run, spread evenly.
            Which::Chance(percent) => {
                (self.seen.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) % 100 < percent
            }
        }
    }
}

impl FromStr for Fault {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        let wrong = |why: String| FaultError { fault: text.to_owned(), why };
        let mut words = text.split_whitespace();
        let target = words.next().ok_or_else(|| wrong("it is empty".to_owned()))?;
        let (mut effect, mut moment, mut which, mut lasts) = (None, None, Which::All, None);
        for word in words {
            let (name, value) = word.split_once('=').unwrap_or((word, ""));
            let number = || value.parse::<u64>().ok().filter(|n| *n > 0);
            let known = match name {
                "at" => moment_of(value).map(|at| moment = Some(at)),
                "nth" => number().map(|n| which = Which::Nth(n)),
                "every" => number().map(|n| which = Which::Every(n)),
                "chance" => number().map(|percent| which = Which::Chance(percent)),
                "for" => span(value).map(|span| lasts = Some(span)),
                _ => effect_of(name, value).map(|it| effect = Some(it)),
            };
            known.ok_or_else(|| wrong(format!("`{word}` means nothing")))?;
        }
        let what = match (target, effect, moment) {
            ("die", None, Some(moment)) => What::Death(moment),
            ("die", ..) => return Err(wrong("say only where: `at=MOMENT`".to_owned())),
            (name, Some(effect), None) => {
                let api = ApiKey::iter().find(|api| format!("{api:?}") == name);
                let api = api.ok_or_else(|| wrong(format!("there is no API `{name}`")))?;
                if matches!(effect, Effect::Error(_)) && !can_refuse(api) {
                    return Err(wrong(format!("`{name}` cannot be refused with an error")));
                }
                What::Request { api: api as i16, effect }
            }
            _ => return Err(wrong("say one effect".to_owned())),
        };
        Ok(Self { what, which, lasts, begun: Instant::now(), seen: 0 })
    }
}

fn effect_of(name: &str, value: &str) -> Option<Effect> {
    match name {
        "error" => value.parse().ok().map(Effect::Error),
        "delay" => span(value).map(Effect::Delay),
        "drop" => Some(Effect::Drop),
        "lose-answer" => Some(Effect::LoseAnswer),
        "silence" => Some(Effect::Silence),
        _ => None,
    }
}

fn moment_of(text: &str) -> Option<Moment> {
    match text {
        "prepared" => Some(Moment::Prepared),
        "between-markers" => Some(Moment::BetweenMarkers),
        "marked" => Some(Moment::Marked),
        _ => None,
    }
}

fn span(text: &str) -> Option<Duration> {
    match text.strip_suffix("ms") {
        Some(millis) => millis.parse().ok().map(Duration::from_millis),
        None => text.strip_suffix('s')?.parse().ok().map(Duration::from_secs),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn struck(fault: &str, requests: u64) -> Vec<u64> {
        let mut fault: Fault = fault.parse().unwrap();
        (1..=requests).filter(|_| fault.strike(ApiKey::Fetch as i16).is_some()).collect()
    }

    #[test]
    fn it_strikes_the_requests_that_were_meant() {
        assert_eq!(struck("Fetch drop", 3), [1, 2, 3]);
        assert_eq!(struck("Fetch drop nth=2", 5), [2]);
        assert_eq!(struck("Fetch drop every=3", 7), [3, 6]);
        assert!(struck("Fetch drop for=0s", 3).is_empty());
        assert!(struck("Produce drop", 3).is_empty());
        let by_chance = struck("Fetch drop chance=20", 1000).len();
        assert!((150..250).contains(&by_chance), "{by_chance}");
    }

    #[test]
    fn what_is_wrong_with_a_fault_is_said() {
        for (fault, why) in [
            ("", "`` is not a fault: it is empty"),
            ("Fetch", "`Fetch` is not a fault: say one effect"),
            ("Fetsch drop", "`Fetsch drop` is not a fault: there is no API `Fetsch`"),
            ("Fetch drop every=0", "`Fetch drop every=0` is not a fault: `every=0` means nothing"),
            (
                "Metadata error=5",
                "`Metadata error=5` is not a fault: `Metadata` cannot be refused with an error",
            ),
            ("die drop", "`die drop` is not a fault: say only where: `at=MOMENT`"),
        ] {
            assert_eq!(fault.parse::<Fault>().unwrap_err().to_string(), why);
        }
    }
}
