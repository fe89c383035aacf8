//! How fast each engine is, and what it costs: the same input, filled beforehand, to the last count.

use crate::{Common, PATIENCE};
use faust::Result;
use faust_benches::engine::{Engine, Usage};
use faust_benches::kafka::Kafka;
use faust_benches::tail::Tail;
use faust_benches::words::Words;
use std::collections::HashMap;
use std::time::{Duration, Instant};

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

pub(crate) fn run(
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
