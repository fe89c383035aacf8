//! When Kafka does not answer: it is said since when, shown, and said again when it is over. Nothing has to be done
//! about it here: clients go on trying, and what waits is sent and read when they succeed.

use super::Worker;
use crate::kafka::{At, TopicPartition};
use crate::time::Timestamp;
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until};

/// How often it is asked whether Kafka answers.
const LOOK: Duration = Duration::from_secs(4);
/// How long an answer may take, and how long there may be errors instead.
const PATIENCE: Duration = Duration::from_secs(3);
/// From one warning to the next.
const AGAIN: Duration = Duration::from_secs(15);

/// Watches until the worker stops.
pub(super) async fn watch(worker: Worker) {
    tokio::select! {
        () = look(&worker) => {}
        () = worker.stopping() => {}
    }
}

async fn look(worker: &Worker) {
    let Some(topic) = worker.topology.topics.first() else { return };
    let of = vec![TopicPartition::new(topic.name.clone(), 0)];
    let mut answered = worker.broker.now();
    let mut silent: Option<(Instant, Timestamp)> = None;
    let mut failing: Option<Instant> = None;
    loop {
        let asked = Instant::now();
        let mut next = asked + PATIENCE;
        let answer = worker.broker.offsets(of.clone(), At::End);
        tokio::pin!(answer);
        let answer = loop {
            tokio::select! {
                answer = &mut answer => break answer,
                () = sleep_until(next) => {
                    let (begun, since) = *silent.get_or_insert((asked, answered));
                    say(worker, begun, since);
                    next = Instant::now() + AGAIN;
                }
            }
        };
        match answer {
            Ok(_) => {
                if let Some((begun, since)) = silent.take() {
                    worker.monitor.broker_answers();
                    let seconds = begun.elapsed().as_secs();
                    tracing::info!(%since, "Kafka answers again, after {seconds} s");
                }
                failing = None;
                answered = worker.broker.now();
                sleep(LOOK).await;
            }
            Err(error) => {
                tracing::debug!(%error, "Kafka was asked for a sign of life");
                // A connection that broke is no outage, nor a topic that was just made and has no leader yet.
                let begun = *failing.get_or_insert(asked);
                if silent.is_none() && begun.elapsed() >= PATIENCE {
                    silent = Some((begun, answered));
                    say(worker, begun, answered);
                }
                sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

fn say(worker: &Worker, begun: Instant, since: Timestamp) {
    worker.monitor.broker_is_silent(since);
    tracing::warn!(
        "Kafka at {} has not answered since {since} ({} s): reading and commits wait, and go on by themselves when it does",
        worker.broker.address(),
        begun.elapsed().as_secs()
    );
}
