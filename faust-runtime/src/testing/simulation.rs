//! Kills between any two steps: of a cut, of a hand-over, of recovery. After each the tables must be what a
//! sequential run gives, and under exactly-once the outputs as well.

use super::app::pause;
use crate::kafka::memory::{Cluster, Connection, Process};
use crate::kafka::{Committed, TopicPartition};
use crate::prelude::*;
use crate::table::store::memory::{Disk, MemoryStores};
use crate::worker::{Place, Running, Worker, WorkerConfig};
use crate::{App, ChangedOffsets, Guarantee};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::{JoinHandle, LocalSet};
use tokio::time::sleep;

#[topic("lines", partitions = 2, crate = crate)]
struct Line {
    text: String,
}

#[topic("words", key = word, partitions = 2, crate = crate)]
struct Word {
    word: String,
}

#[topic("totals", key = word, partitions = 2, crate = crate)]
struct Total {
    word: String,
    n: u64,
}

#[table("counts", crate = crate)]
struct Count {
    key: String,
    value: u64,
}

#[table("lengths", crate = crate)]
struct Length {
    key: String,
    value: u64,
}

#[table("trend", window = tumbling(1min), expires = 1h, crate = crate)]
struct Trend {
    key: String,
    value: u64,
}

#[agent(crate = crate)]
async fn split(line: Event<Line>, words: Sink<Word>) -> Result<()> {
    for word in line.text.split_whitespace() {
        words.send(Word { word: word.into() }).await?;
    }
    Ok(())
}

#[agent(crate = crate)]
async fn count(
    word: Event<Word>,
    counts: Table<Count>,
    trend: Table<Trend>,
    totals: Sink<Total>,
) -> Result<u64> {
    trend.at(&word).update(&word.word, |n| *n += 1).await?;
    let n = counts
        .update(&word.word, |n| {
            *n += 1;
            *n
        })
        .await?;
    totals.send(Total { word: word.word.clone(), n }).await?;
    Ok(n)
}

/// Slow, and with several lanes.
#[agent(concurrency = 3, crate = crate)]
async fn measure(word: Event<Word>, lengths: Table<Length>) -> Result<()> {
    sleep(Duration::from_millis(word.offset().unsigned_abs() % 7)).await;
    lengths.update(&word.word, |n| *n += word.word.len() as u64).await
}

#[app("sim", agents(split, count, measure), crate = crate)]
struct Sim;

/// One run of the outside world: the cluster, and each worker's disk.
struct World {
    cluster: Cluster,
    disks: Vec<Disk>,
    guarantee: Guarantee,
    offsets: Option<ChangedOffsets>,
}

/// A worker that can be killed.
struct Member {
    local: LocalSet,
    process: Process,
    starting: Option<JoinHandle<Running>>,
    running: Option<Running>,
}

impl Member {
    /// Runs until everything is processed, or it dies; true if it lives.
    async fn run(&mut self) -> bool {
        if !self.process.alive() {
            return false;
        }
        let (process, starting, running) = (&self.process, &mut self.starting, &mut self.running);
        let work = async {
            if let Some(starting) = starting.take() {
                *running = Some(starting.await.unwrap());
            }
            let running = running.as_ref().unwrap();
            tokio::select! {
                end = running.until_end() => end.unwrap(),
                error = running.failed() => panic!("the worker fails: {error}"),
                () = sleep(Duration::from_secs(600)) => {
                    let status = serde_json::to_string(&running.worker().monitor.snapshot().tasks);
                    panic!("the worker hangs after {:?}: {status:?}", process.steps());
                }
            }
        };
        self.local
            .run_until(async {
                tokio::select! {
                    () = work => true,
                    () = process.death() => false,
                }
            })
            .await
    }

    /// Runs for a while, or until it dies.
    async fn run_for(&mut self, span: Duration) {
        let (process, starting, running) = (&self.process, &mut self.starting, &mut self.running);
        let work = async {
            if let Some(starting) = starting.take() {
                *running = Some(starting.await.unwrap());
            }
            sleep(span).await;
        };
        self.local
            .run_until(async {
                tokio::select! {
                    () = work => {}
                    () = process.death() => {}
                }
            })
            .await;
    }

    async fn stop(mut self) {
        if let Some(running) = self.running.take() {
            self.local.run_until(running.stop()).await;
        }
    }

    /// The rows of a table that are here.
    fn rows(&self, table: &str) -> BTreeMap<String, u64> {
        let worker = self.running.as_ref().unwrap().worker();
        let mut rows = BTreeMap::new();
        for store in worker.stores_of(worker.topology.table_index(table).unwrap()) {
            let mut read = |key: &[u8], value: &[u8]| {
                let value: u64 = serde_json::from_slice(value).unwrap();
                assert!(rows.insert(String::from_utf8(key.to_vec()).unwrap(), value).is_none());
                true
            };
            store.scan(&[], &mut read).unwrap();
        }
        rows
    }
}

impl World {
    fn new(guarantee: Guarantee, workers: usize) -> Self {
        Self {
            cluster: Cluster::new(),
            disks: (0..workers).map(|_| Disk::default()).collect(),
            guarantee,
            offsets: None,
        }
    }

    fn feed(&self, lines: &[&str]) {
        self.cluster.create("lines", 2);
        for (index, line) in lines.iter().enumerate() {
            let value = serde_json::json!({ "text": line }).to_string();
            self.cluster.append("lines", index as u32 % 2, None, Some(value.as_bytes()), &[], None);
        }
    }

    /// Starts worker `index`; it dies before its `step`-th step.
    fn start(&self, index: usize, step: Option<u64>) -> Member {
        let process = step.map_or_else(Process::default, Process::dying_at);
        let gate = process.clone();
        let config = WorkerConfig {
            app: Sim::APP,
            settings: Settings {
                guarantee: self.guarantee,
                offsets: self.offsets,
                shards: 1,
                ..Settings::default()
            },
            broker: Arc::new(Connection::new(self.cluster.clone(), process.clone())),
            stores: Arc::new(MemoryStores::gated(
                self.disks[index].clone(),
                Arc::new(move |name| gate.may(name)),
            )),
            place: Place::Local,
            id: format!("w{index}"),
        };
        let local = LocalSet::new();
        let running = local.spawn_local(async move {
            let worker = Worker::open(config).await.unwrap();
            worker.announce(format!("http://w{index}"));
            Running::start(worker).unwrap()
        });
        Member { local, process, starting: Some(running), running: None }
    }

    /// The committed totals, by word; each must follow the one before.
    fn totals(&self) -> BTreeMap<String, Vec<u64>> {
        let mut totals: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        for seen in self.cluster.records("totals") {
            let total: Total = serde_json::from_slice(&seen.value.unwrap()).unwrap();
            totals.entry(total.word).or_default().push(total.n);
        }
        totals
    }
}

const LINES: &[&str] = &[
    "in the beginning god created the heaven and the earth",
    "and the earth was without form and void",
    "and god said let there be light and there was light",
    "and god saw the light that it was good",
    "and the evening and the morning were the first day",
];

fn counted<'a>(words: impl Iterator<Item = &'a str>) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for word in words {
        *counts.entry(word.to_string()).or_default() += 1;
    }
    counts
}

/// What must hold when everything is processed, whatever happened before.
fn check(world: &World, members: &[&Member], what: &str) {
    let words = world.cluster.records("words");
    let recount =
        counted(words.iter().map(|seen| std::str::from_utf8(seen.key.as_ref().unwrap()).unwrap()));
    let exact = counted(LINES.iter().flat_map(|line| line.split(' ')));
    let (mut counts, mut lengths) = (BTreeMap::new(), BTreeMap::new());
    for member in members {
        counts.extend(member.rows("counts"));
        lengths.extend(member.rows("lengths"));
    }
    assert_eq!(counts, recount, "{what}: the table is a recount of its topic");
    let by_length = recount.iter().map(|(word, n)| (word.clone(), n * word.len() as u64)).collect();
    assert_eq!(lengths, by_length, "{what}: so is the other agent's table");
    let totals = world.totals();
    match world.guarantee {
        Guarantee::ExactlyOnce => {
            assert_eq!(recount, exact, "{what}: each word once");
            for (word, n) in &exact {
                let all: Vec<u64> = (1..=*n).collect();
                assert_eq!(totals[word], all, "{what}: each total of `{word}` once, in order");
            }
        }
        Guarantee::AtLeastOnce => {
            for (word, n) in &exact {
                assert!(recount[word] >= *n, "{what}: no `{word}` is lost");
                assert_eq!(
                    totals[word].iter().max(),
                    Some(&recount[word]),
                    "{what}: the last total of `{word}`"
                );
            }
        }
    }
}

/// Steps of a numbered seed: reproducible, spread over everything.
fn pick(seed: u64, below: u64) -> u64 {
    (seed.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33) % below.max(1) + 1
}

async fn kill_one_worker_at_every_step(guarantee: Guarantee) {
    pause();
    let world = World::new(guarantee, 1);
    world.feed(LINES);
    let mut member = world.start(0, None);
    assert!(member.run().await);
    check(&world, &[&member], "undisturbed");
    let (steps, _) = member.process.steps();
    assert!(steps > 100, "{steps} steps");
    for step in 1..=steps {
        let world = World::new(guarantee, 1);
        world.feed(LINES);
        let mut died = Vec::new();
        // It dies at this step, and once more at some step of its recovery.
        for at in [step, pick(step, steps)] {
            let mut member = world.start(0, Some(at));
            if !member.run().await {
                died.push(member.process.steps());
            }
        }
        let mut member = world.start(0, None);
        assert!(member.run().await);
        check(&world, &[&member], &format!("after {died:?}"));
    }
}

#[tokio::test]
async fn a_worker_killed_between_any_two_steps_is_exact_under_exactly_once() {
    kill_one_worker_at_every_step(Guarantee::ExactlyOnce).await;
}

#[tokio::test]
async fn a_worker_killed_between_any_two_steps_is_exact_under_at_least_once() {
    kill_one_worker_at_every_step(Guarantee::AtLeastOnce).await;
}

/// Two workers; the second joins while the first is at work, so that tasks are handed over. One of them is killed and
/// comes back.
async fn kill_during_a_hand_over(guarantee: Guarantee, seed: u64, victim: usize, at: u64) -> u64 {
    let world = World::new(guarantee, 2);
    world.feed(LINES);
    let mut first = world.start(0, (victim == 0).then_some(at));
    let head_start = Duration::from_millis(pick(seed, 400));
    first.run_for(head_start).await;
    let mut second = world.start(1, (victim == 1).then_some(at));
    let what = format!("seed {seed}, worker {victim} dies at {at}");
    println!("{what}");
    loop {
        tokio::join!(first.run(), second.run());
        // Long enough for every hand-over that is under way, and for a dead member to be noticed.
        let settled = Duration::from_secs(90);
        tokio::join!(first.run_for(settled), second.run_for(settled));
        if first.process.alive() && second.process.alive() {
            break;
        }
        if !first.process.alive() {
            first = world.start(0, None);
        }
        if !second.process.alive() {
            second = world.start(1, None);
        }
    }
    check(&world, &[&first, &second], &what);
    let (a, b) = (first.process.steps().0, second.process.steps().0);
    if victim == 0 { a } else { b }
}

async fn kill_at_every_step_of_hand_overs(guarantee: Guarantee) {
    pause();
    for victim in [0, 1] {
        let steps = kill_during_a_hand_over(guarantee, 0, victim, u64::MAX).await;
        assert!(steps > 20, "{steps} steps");
        for at in 1..=steps {
            kill_during_a_hand_over(guarantee, at, victim, at).await;
        }
    }
}

#[tokio::test]
async fn a_hand_over_with_a_kill_at_any_step_is_exact_under_exactly_once() {
    kill_at_every_step_of_hand_overs(Guarantee::ExactlyOnce).await;
}

#[tokio::test]
async fn a_hand_over_with_a_kill_at_any_step_is_exact_under_at_least_once() {
    kill_at_every_step_of_hand_overs(Guarantee::AtLeastOnce).await;
}

/// Runs until the worker fails, and gives its error.
async fn failure(member: &mut Member) -> String {
    let starting = member.starting.take().unwrap();
    member
        .local
        .run_until(async {
            let running = starting.await.unwrap();
            tokio::select! {
                error = running.failed() => error,
                _ = running.until_end() => panic!("it starts although offsets were changed"),
            }
        })
        .await
}

/// A world whose words are counted, and whose first words partition then got another offset from outside.
async fn world_with_changed_offsets(change: Option<Committed>) -> World {
    pause();
    let world = World::new(Guarantee::ExactlyOnce, 1);
    world.feed(LINES);
    let mut member = world.start(0, None);
    assert!(member.run().await);
    member.stop().await;
    world.cluster.commit_from_outside(TopicPartition::new("words", 0), change.clone());
    if change.is_none() {
        // Expired offsets are gone for the whole topic.
        world.cluster.commit_from_outside(TopicPartition::new("words", 1), None);
    }
    world
}

#[tokio::test]
async fn offsets_that_were_changed_from_outside_are_refused_with_both_positions() {
    let change = Committed { offset: 3, metadata: String::new() };
    let world = world_with_changed_offsets(Some(change)).await;
    let error = failure(&mut world.start(0, None)).await;
    for part in [
        "group `sim`",
        "words/0",
        "offset 3",
        "--offsets accept",
        "--offsets restore",
        "--offsets reset",
    ] {
        assert!(error.contains(part), "{part}: {error}");
    }
}

#[tokio::test]
async fn state_without_committed_offsets_is_refused() {
    let world = world_with_changed_offsets(None).await;
    let error = failure(&mut world.start(0, None)).await;
    assert!(error.contains("no offset is committed"), "{error}");
}

#[tokio::test]
async fn the_ways_out_do_what_they_say() {
    let recount = counted(LINES.iter().flat_map(|line| line.split(' ')));
    for (policy, from_zero) in [
        (ChangedOffsets::Accept, true),
        (ChangedOffsets::Restore, false),
        (ChangedOffsets::Reset, false),
    ] {
        let change = Committed { offset: 0, metadata: String::new() };
        let mut world = world_with_changed_offsets(Some(change)).await;
        world.offsets = Some(policy);
        let mut member = world.start(0, None);
        assert!(member.run().await);
        let rows = member.rows("counts");
        if from_zero {
            // What was counted stays, and partition 0 is counted again.
            assert!(
                rows.iter().all(|(word, n)| *n == recount[word] || *n == 2 * recount[word]),
                "{rows:?}"
            );
            assert!(rows.values().sum::<u64>() > recount.values().sum::<u64>());
        } else {
            assert_eq!(rows, recount, "{policy:?}");
        }
    }
}
