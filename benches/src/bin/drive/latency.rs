//! How late each engine's outputs are under a load that does not wait for it.

use crate::{Common, PATIENCE, WORDS};
use faust::Result;
use faust_benches::kafka::{Kafka, word};
use faust_benches::tail::Tail;
use faust_benches::words::Words;
use rdkafka::message::Message;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

pub(crate) fn run(
    common: &Common,
    kafka: &Kafka,
    prefix: &str,
    rate: u64,
    seconds: u64,
) -> Result<()> {
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
