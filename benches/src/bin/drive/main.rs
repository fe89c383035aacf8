//! The driver of `compare.sh` and `latency.sh`: fills or paces the input, runs one engine at a time, and measures what
//! it does from outside, by its output topic and its process.

mod compare;
mod latency;

use clap::{Args, Parser, Subcommand, ValueEnum};
use faust::Result;
use faust_benches::engine::{Engine, Job};
use faust_benches::kafka::Kafka;
use faust_benches::words::Words;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

#[derive(Parser)]
struct Drive {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// How fast each engine is, and what it costs.
    #[command(args_override_self = true)]
    Compare {
        #[command(flatten)]
        common: Common,
        /// Input records, filled beforehand.
        #[arg(long, default_value_t = 10_000_000)]
        records: u64,
        /// How many different words they have.
        #[arg(long, default_value_t = WORDS)]
        words: usize,
        /// 1: each word as often as any other. 4: half of the records have the first sixteenth of the words.
        #[arg(long, default_value_t = 1.0)]
        skew: f64,
    },
    /// How late each engine's outputs are under a load that does not wait for it.
    #[command(args_override_self = true)]
    Latency {
        #[command(flatten)]
        common: Common,
        /// Records a second.
        #[arg(long, default_value_t = 50_000)]
        rate: u64,
        /// For so long; the first four are not counted.
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(5..))]
        seconds: u64,
    },
    /// Deletes the topics of runs that were interrupted.
    Clean {
        #[arg(long)]
        broker: String,
    },
}

/// What one run is like, but for its load.
#[derive(Args)]
struct Common {
    /// A Kafka broker: `host:port`.
    #[arg(long)]
    broker: String,
    /// `direct`: records keyed by their word. `shuffle`: the word is in the value only.
    #[arg(long, value_enum, default_value_t = Workload::Direct)]
    workload: Workload,
    #[arg(long, default_value_t = 1)]
    partitions: i32,
    /// `exactly_once` or `at_least_once`; the loop by hand is neither.
    #[arg(long, value_enum, default_value_t = Guarantee::ExactlyOnce)]
    guarantee: Guarantee,
    /// Which engines, in turn.
    #[arg(long, value_enum, value_delimiter = ',', default_values = ["by-hand", "faust"])]
    engines: Vec<Engine>,
    /// How often each.
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Pins the engines to a CPU, with `taskset`.
    #[arg(long)]
    cpu: Option<usize>,
    /// Java's class path for `--engines kafka-streams`.
    #[arg(long, default_value = "")]
    class_path: String,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Workload {
    Direct,
    Shuffle,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Guarantee {
    ExactlyOnce,
    AtLeastOnce,
}

/// How the name of every topic begins that is made here.
const PREFIX: &str = "faust-bench-";
const WORDS: usize = 5_000;
const PATIENCE: Duration = Duration::from_secs(300);

fn main() -> Result<()> {
    let what = Drive::parse().what;
    let broker = match &what {
        What::Compare { common, .. } | What::Latency { common, .. } => &common.broker,
        What::Clean { broker } => broker,
    };
    let kafka = Kafka::new(broker);
    let prefix = format!("{PREFIX}{}", now());
    let done = match &what {
        What::Compare { common, records, words, skew } => {
            let words = Words::new(*words).skewed(*skew);
            compare::run(common, &kafka, &prefix, *records, words)
        }
        What::Latency { common, rate, seconds } => {
            latency::run(common, &kafka, &prefix, *rate, *seconds)
        }
        What::Clean { .. } => return kafka.delete(PREFIX),
    };
    kafka.delete(&prefix)?;
    done
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_millis() as i64
}

impl Common {
    /// Starts an engine that reads `input`; its output topic and everything that it makes begin with `name`.
    fn start(&self, engine: Engine, kafka: &Kafka, name: &str, input: &str) -> Result<Job> {
        let output = format!("{name}-out");
        kafka.create(&output, self.partitions)?;
        if engine == Engine::ByHand && self.workload == Workload::Shuffle {
            kafka.create(&format!("{name}-repartition"), self.partitions)?;
        }
        let workload = if self.keyed() { "direct" } else { "shuffle" };
        let guarantee = match self.guarantee {
            Guarantee::ExactlyOnce => "guarantee=eos commit=100",
            Guarantee::AtLeastOnce => "guarantee=alo commit=100",
        };
        let partitions = self.partitions.to_string();
        let said = [
            ("BENCH_BROKERS", self.broker.as_str()),
            ("BENCH_IN", input),
            ("BENCH_OUT", &output),
            ("BENCH_GROUP", name),
            ("BENCH_PARTITIONS", &partitions),
            ("BENCH_WORKLOAD", workload),
            ("SUT_OPTS", guarantee),
        ];
        Job::start(engine, self.cpu, &self.class_path, &said)
    }

    fn keyed(&self) -> bool {
        self.workload == Workload::Direct
    }

    /// Each engine in turn, run by run, so that a slow hour of the machine is a slow hour for all.
    fn turns(&self) -> impl Iterator<Item = (usize, Engine)> {
        (1..=self.runs).flat_map(|run| self.engines.iter().map(move |engine| (run, *engine)))
    }
}
