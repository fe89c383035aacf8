//! The driver of `compare.sh` and `latency.sh`: fills or paces the input, runs one engine at a time, and measures what
//! it does from outside, by its output topic and its process.

use clap::{Args, Parser, Subcommand, ValueEnum};
use faust::Result;
use faust_benches::engine::{Engine, Job, Usage};
use faust_benches::kafka::{Kafka, word};
use faust_benches::tail::Tail;
use faust_benches::words::Words;
use rdkafka::message::Message;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

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
            compare(common, &kafka, &prefix, *records, words)
        }
        What::Latency { common, rate, seconds } => {
            latency(common, &kafka, &prefix, *rate, *seconds)
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

/// What one run has measured.
struct Run {
    engine: Engine,
    rate: f64,
    cpu: f64,
    /// CPU of the whole run, from its start.
    whole: f64,
    first: f64,
    memory: f64,
    exact: bool,
}

fn compare(
    common: &Common,
    kafka: &Kafka,
    prefix: &str,
    records: u64,
    mut words: Words,
) -> Result<()> {
    let input = format!("{prefix}-in");
    kafka.create(&input, common.partitions)?;
    let mut sender = kafka.sender(&input, "50")?;
    let mut wanted: HashMap<Box<[u8]>, u64> = HashMap::new();
    for sent in 0..records {
        let word = words.draw();
        sender.send(word, common.keyed())?;
        match wanted.get_mut(word.as_bytes()) {
            Some(count) => *count += 1,
            None => {
                wanted.insert(word.as_bytes().into(), 1);
            }
        }
        if sent.is_multiple_of(1000) {
            sender.poll();
        }
    }
    sender.finish()?;
    let mut runs = Vec::new();
    for (number, engine) in common.turns() {
        let name = format!("{prefix}-{}-{number}", engine.name());
        let run = measure(common, kafka, engine, &name, &input, &wanted, records)?;
        eprintln!(
            "{:<14} {:>9.0} records/s {:>6.3} CPU s/M ({:.3} whole run) {:>5.0} MiB {:>5.0} ms {}",
            engine.name(),
            run.rate,
            run.cpu,
            run.whole,
            run.memory,
            run.first,
            exact(run.exact)
        );
        kafka.delete(&name)?;
        runs.push(run);
    }
    print_table(common, &runs);
    match runs.iter().all(|run| run.exact) {
        true => Ok(()),
        false => Err("the totals of a run are wrong".into()),
    }
}

fn measure(
    common: &Common,
    kafka: &Kafka,
    engine: Engine,
    name: &str,
    input: &str,
    wanted: &HashMap<Box<[u8]>, u64>,
    records: u64,
) -> Result<Run> {
    let started = Instant::now();
    let mut job = common.start(engine, kafka, name, input)?;
    let mut tail = Tail::new(kafka.reader(&format!("{name}-out"))?);
    let (mut first, mut from): (Option<f64>, Option<(Instant, u64, Usage)>) = (None, None);
    let mut looked = Instant::now();
    while tail.sum() < records {
        tail.step(Duration::from_millis(5))?;
        if first.is_none() && tail.sum() > 0 {
            first = Some(started.elapsed().as_secs_f64() * 1000.0);
        }
        if from.is_none() && tail.sum() * 5 >= records {
            from = Some((Instant::now(), tail.sum(), job.usage()?));
        }
        if looked.elapsed() > Duration::from_millis(500) {
            looked = Instant::now();
            job.check()?;
            if started.elapsed() > PATIENCE {
                return Err(
                    format!("{name}: {} of {records} after {PATIENCE:?}", tail.sum()).into()
                );
            }
        }
    }
    let (to, end) = (Instant::now(), job.usage()?);
    let (from, before, start) = from.ok_or("all came at once: more records are needed")?;
    // What is wrong may come late.
    let settled = Instant::now();
    while settled.elapsed() < Duration::from_millis(500) {
        tail.step(Duration::from_millis(50))?;
    }
    job.stop()?;
    let counted = (records - before).max(1) as f64;
    Ok(Run {
        engine,
        rate: counted / (to - from).as_secs_f64(),
        cpu: (end.cpu - start.cpu) / counted * 1e6,
        whole: end.cpu / records as f64 * 1e6,
        first: first.unwrap_or_default(),
        memory: end.memory,
        exact: tail.counts() == wanted,
    })
}

fn exact(exact: bool) -> &'static str {
    if exact { "exact" } else { "WRONG" }
}

/// Medians, and how each engine stands to the loop by hand.
fn print_table(common: &Common, runs: &[Run]) {
    let of = |engine: Engine, figure: fn(&Run) -> f64| {
        let mut all: Vec<f64> =
            runs.iter().filter(|run| run.engine == engine).map(figure).collect();
        all.sort_by(f64::total_cmp);
        let at = |n: usize| all.get(n).copied().unwrap_or(f64::NAN);
        (at(all.len() / 2), at(0), at(all.len().saturating_sub(1)))
    };
    println!(
        "| engine | records/s (from-to) | of by-hand | CPU s/M | of by-hand | whole run | of by-hand | MiB | first output ms | exact |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    let hand: [fn(&Run) -> f64; 3] = [|run| run.rate, |run| run.cpu, |run| run.whole];
    let [hand_rate, hand_cpu, hand_whole] = hand.map(|figure| of(Engine::ByHand, figure).0);
    for engine in &common.engines {
        let (rate, low, high) = of(*engine, |run| run.rate);
        let (cpu, whole) = (of(*engine, |run| run.cpu).0, of(*engine, |run| run.whole).0);
        println!(
            "| {} | {:.0}k ({:.0}-{:.0}) | {:.2} | {cpu:.2} | {:.2} | {whole:.2} | {:.2} | {:.0} | {:.0} | {} |",
            engine.name(),
            rate / 1e3,
            low / 1e3,
            high / 1e3,
            rate / hand_rate,
            cpu / hand_cpu,
            whole / hand_whole,
            of(*engine, |run| run.memory).0,
            of(*engine, |run| run.first).0,
            if runs.iter().all(|run| run.engine != *engine || run.exact) { "yes" } else { "NO" },
        );
    }
}

fn latency(common: &Common, kafka: &Kafka, prefix: &str, rate: u64, seconds: u64) -> Result<()> {
    println!(
        "| engine | run | p50 | p95 | p99 | max ms | until read: p50 | p99 ms | CPU | not seen |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    for (number, engine) in common.turns() {
        let name = format!("{prefix}-{}-{number}", engine.name());
        let input = format!("{name}-in");
        kafka.create(&input, common.partitions)?;
        let mut job = common.start(engine, kafka, &name, &input)?;
        let mut tail = Tail::keeping(kafka.reader(&format!("{name}-out"))?);
        let mut words = Words::new(WORDS);
        // Code is loaded, compiled and cached before anything counts.
        let warm =
            pace(common, kafka, &input, &mut words, rate.min(50_000), Duration::from_secs(4))?;
        let patience = Instant::now();
        while tail.sum() < warm {
            tail.step(Duration::from_millis(10))?;
            job.check()?;
            if patience.elapsed() > PATIENCE {
                return Err(format!("{name}: {} of {warm}", tail.sum()).into());
            }
        }
        let before = job.usage()?;
        let paced = Duration::from_secs(seconds);
        let stop = AtomicBool::new(false);
        let (cpu, tail) = std::thread::scope(|scope| {
            let tailing = scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    tail.step(Duration::from_millis(10))?;
                }
                // A run that falls behind is given some time more.
                let patience = Instant::now();
                while patience.elapsed() < Duration::from_secs(3) {
                    tail.step(Duration::from_millis(10))?;
                }
                Ok::<_, faust::Error>(tail)
            });
            let sent = pace(common, kafka, &input, &mut words, rate, paced);
            let cpu = job.usage().map(|after| (after.cpu - before.cpu) / paced.as_secs_f64());
            stop.store(true, Ordering::Relaxed);
            let tail = tailing.join().map_err(|_| "the reader of the output panicked")??;
            sent?;
            Ok::<_, faust::Error>((cpu?, tail))
        })?;
        job.stop()?;
        let late = Late::of(kafka, &input, &tail, Duration::from_secs(seconds - 4))?;
        println!(
            "| {} | {number} | {} | {} | {} | {} | {} | {} | {cpu:.2} | {} |",
            engine.name(),
            at(&late.appended, 0.5),
            at(&late.appended, 0.95),
            at(&late.appended, 0.99),
            at(&late.appended, 1.0),
            at(&late.seen, 0.5),
            at(&late.seen, 0.99),
            late.missing,
        );
        kafka.delete(&name)?;
    }
    Ok(())
}

/// Sends at a rate, in a batch each 5 ms; how many were sent.
fn pace(
    common: &Common,
    kafka: &Kafka,
    input: &str,
    words: &mut Words,
    rate: u64,
    span: Duration,
) -> Result<u64> {
    let mut sender = kafka.sender(input, "0.5")?;
    let (started, mut sent) = (Instant::now(), 0);
    let mut due = Duration::ZERO;
    while due < span {
        due += Duration::from_millis(5);
        sleep(due.saturating_sub(started.elapsed()));
        while sent < rate * due.as_millis() as u64 / 1000 {
            sender.send(words.draw(), common.keyed())?;
            sent += 1;
        }
        sender.poll();
    }
    sender.finish()?;
    Ok(sent)
}

fn at(sorted: &[i64], part: f64) -> i64 {
    let index = (sorted.len().saturating_sub(1) as f64 * part).round() as usize;
    sorted.get(index).copied().unwrap_or(-1)
}

/// For each input: from its append to the append of the first output that counts it, and until that was read.
#[derive(Default)]
struct Late {
    appended: Vec<i64>,
    seen: Vec<i64>,
    missing: usize,
}

impl Late {
    fn of(kafka: &Kafka, input: &str, tail: &Tail, last: Duration) -> Result<Self> {
        let mut inputs: Vec<(i64, i32, i64, Box<[u8]>)> = Vec::new();
        kafka.read_all(input, |record| {
            if let (Some(word), Some(time)) = (word(record), record.timestamp().to_millis()) {
                inputs.push((time, record.partition(), record.offset(), word.into()));
            }
        })?;
        inputs.sort();
        let from = inputs.last().map_or(0, |last| last.0) - last.as_millis() as i64;
        let mut this = Self::default();
        let mut counts: HashMap<&[u8], (u64, usize)> = HashMap::new();
        for (time, _, _, word) in &inputs {
            let (count, next) = counts.entry(word).or_default();
            *count += 1;
            let outputs = tail.outputs(word);
            while outputs.get(*next).is_some_and(|output| output.count < *count) {
                *next += 1;
            }
            if *time < from {
                continue;
            }
            match outputs.get(*next) {
                Some(output) => {
                    this.appended.push(output.appended - time);
                    this.seen.push(output.seen - time);
                }
                None => this.missing += 1,
            }
        }
        this.appended.sort_unstable();
        this.seen.sort_unstable();
        Ok(this)
    }
}
