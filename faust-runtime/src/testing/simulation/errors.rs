//! Every class of error that a transaction can meet, at every call: what passes is mended and stays exact, what does
//! not pass stops the worker with what is to be done.

use super::world::Member;
use super::*;
use crate::commit::Metadata;
use crate::kafka::memory::{Connection, Fault, Process};
use crate::kafka::{Broker, KafkaError, TopicPartition, TxnError};
use std::time::Duration;

const GUARANTEES: [Guarantee; 2] = [Guarantee::ExactlyOnce, Guarantee::AtLeastOnce];

fn abortable() -> Fault {
    Fault::Transaction(TxnError::Abortable("UNKNOWN_MEMBER_ID".into()))
}

fn fenced() -> Fault {
    Fault::Transaction(TxnError::Unknown("PRODUCER_FENCED".into()))
}

/// A worker that meets some errors and has everything right in the end.
async fn check_mended(faults: &[(&'static str, usize, Fault)]) {
    pause();
    for guarantee in GUARANTEES {
        let world = World::new(guarantee, 1);
        world.feed(LINES);
        let mut member = world.start(0, None);
        for (call, times, fault) in faults {
            world.cluster.fail(call, *times, fault);
        }
        assert!(member.run().await);
        assert!(world.cluster.has_failed_all(), "{guarantee:?}: {faults:?} were not met");
        check(&world, &[&member], &format!("{guarantee:?}, {faults:?}"));
    }
}

/// A worker that stops at some errors, with their text.
async fn check_stops(call: &'static str, fault: Fault, says: &str) {
    pause();
    for guarantee in GUARANTEES {
        let world = World::new(guarantee, 1);
        world.feed(LINES);
        world.cluster.fail(call, 1, &fault);
        let error = failure(&mut world.start(0, None)).await;
        assert!(error.contains(says), "{guarantee:?}, {call}: {error}");
        // Once it is corrected the next one goes on, and nothing is lost.
        let mut next = world.start(0, None);
        assert!(next.run().await);
        check(&world, &[&next], &format!("{guarantee:?}, after {call}"));
    }
}

/// Runs until the worker fails, and gives its error.
pub(super) async fn failure(member: &mut Member) -> String {
    let starting = member.starting.take().unwrap();
    let process = &member.process;
    member
        .local
        .run_until(async {
            let running = starting.await.unwrap();
            tokio::select! {
                error = running.failed() => {
                    process.kill();
                    error
                }
                _ = running.until_end() => panic!("the worker has not failed"),
            }
        })
        .await
}

#[tokio::test]
async fn what_is_aborted_is_sent_again_as_it_is() {
    for call in ["send", "send offsets", "commit"] {
        check_mended(&[(call, 3, abortable())]).await;
    }
}

#[tokio::test]
async fn a_producer_that_is_fenced_is_replaced() {
    for call in ["send", "send offsets", "commit"] {
        check_mended(&[(call, 3, fenced())]).await;
    }
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_looked_up_and_not_sent_twice() {
    check_mended(&[("commit", 3, Fault::Lost)]).await;
}

#[tokio::test]
async fn an_abort_that_fails_costs_the_producer() {
    check_mended(&[("commit", 2, abortable()), ("abort", 2, fenced())]).await;
}

#[tokio::test]
async fn while_the_outcome_is_looked_up_brokers_may_fail_too() {
    let failed = Fault::Call(KafkaError::failed("asking", "NOT_COORDINATOR"));
    let unstable = Fault::Call(KafkaError::Unstable { group: "sim".into() });
    check_mended(&[
        ("commit", 2, Fault::Lost),
        ("init transactions", 4, failed.clone()),
        ("committed offsets", 3, failed),
        ("committed offsets", 3, unstable),
    ])
    .await;
}

#[tokio::test]
async fn what_is_not_allowed_stops_the_worker_with_what_is_to_be_done() {
    let forbidden = "TRANSACTIONAL_ID_AUTHORIZATION_FAILED; allow it";
    let txn = || Fault::Transaction(TxnError::Lasting(forbidden.into()));
    let call = || {
        let what = "init_transactions".into();
        Fault::Call(KafkaError::Refused { what, cause: forbidden.into() })
    };
    for name in ["send", "send offsets", "commit"] {
        check_stops(name, txn(), forbidden).await;
    }
    for name in ["init transactions", "committed offsets"] {
        check_stops(name, call(), forbidden).await;
    }
}

#[tokio::test]
async fn a_row_that_the_brokers_find_too_large_is_named() {
    let refused = Fault::Transaction(TxnError::TooLarge("MESSAGE_TOO_LARGE".into()));
    check_stops("commit", refused.clone(), "MESSAGE_TOO_LARGE").await;
    let world = World::new(Guarantee::ExactlyOnce, 1);
    world.feed(LINES);
    // The claims of four tasks go first, without rows.
    world.cluster.fail("commit", 4, &abortable());
    let mut member = world.start(0, None);
    assert!(member.run().await);
    member.stop().await;
    world.cluster.append("lines", 0, None, Some(br#"{"text":"light"}"#), None);
    let mut member = world.start(0, None);
    world.cluster.fail("commit with rows", 1, &refused);
    let error = failure(&mut member).await;
    for part in ["MESSAGE_TOO_LARGE", "table `", "light", "max.message.bytes"] {
        assert!(error.contains(part), "{part}: {error}");
    }
}

#[tokio::test]
async fn a_second_owner_that_is_fenced_at_its_offsets_loses_nothing() {
    pause();
    for guarantee in GUARANTEES {
        let world = World::new(guarantee, 2);
        world.feed(LINES);
        let mut first = world.start(0, None);
        let mut second = world.start(1, None);
        world.cluster.fail("send offsets", 6, &abortable());
        tokio::join!(first.run(), second.run());
        assert!(world.cluster.has_failed_all());
        check(&world, &[&first, &second], &format!("{guarantee:?}"));
    }
}

/// Whatever the group says or does not say: who is fenced does not go back behind what others have committed since, and
/// goes on from there where the task is its own again.
#[tokio::test]
async fn what_another_worker_has_had_since_is_not_committed_by_who_was_fenced() {
    pause();
    for guarantee in GUARANTEES {
        let world = World::new(guarantee, 1);
        world.feed(&LINES[..4]);
        let mut member = world.start(0, None);
        assert!(member.run().await);
        let broker = Connection::new(world.cluster.clone(), Process::default());
        let topics = broker.topics().await.unwrap();
        let all: Vec<_> =
            topics.into_iter().map(|(topic, _)| TopicPartition::new(topic, 0)).collect();
        let epochs = || async {
            let committed = broker.committed(all.clone(), true).await.unwrap();
            let read = |(of, commit): (&_, &Option<_>)| {
                Some(Metadata::decode(of, commit.as_ref()?).unwrap()?.epoch)
            };
            all.iter().zip(&committed).filter_map(read).collect::<Vec<_>>()
        };
        for (of, commit) in all.iter().zip(broker.committed(all.clone(), true).await.unwrap()) {
            let Some(mut commit) = commit else { continue };
            let mut metadata = Metadata::decode(of, &commit).unwrap().unwrap();
            drop(broker.transactional(&metadata.by).await.unwrap());
            (metadata.by, metadata.epoch) = ("another".into(), metadata.epoch + 1);
            commit.metadata = metadata.encode();
            world.cluster.commit_from_outside(of.clone(), Some(commit));
        }
        let others = epochs().await;
        world.feed(&LINES[4..]);
        assert!(member.run().await);
        check(&world, &[&member], &format!("{guarantee:?}"));
        let next: Vec<_> = others.iter().map(|epoch| epoch + 1).collect();
        assert_eq!(epochs().await, next, "{guarantee:?}: each task was started again");
        assert!(!others.is_empty());
    }
}

#[tokio::test]
async fn a_member_that_is_fenced_joins_again_and_loses_nothing() {
    pause();
    for guarantee in GUARANTEES {
        for moment in [1, 20, 90, 150] {
            let world = World::new(guarantee, 1);
            world.feed(LINES);
            let mut member = world.start(0, None);
            for _ in 0..3 {
                member.run_for(Duration::from_millis(moment)).await;
                world.cluster.fence("sim-w0");
            }
            assert!(member.run().await);
            check(&world, &[&member], &format!("{guarantee:?}, fenced every {moment} ms"));
        }
    }
}

#[tokio::test]
async fn a_worker_that_is_fenced_again_and_again_ends_and_says_what_that_means() {
    pause();
    let world = World::new(Guarantee::ExactlyOnce, 1);
    world.feed(LINES);
    let mut member = world.start(0, None);
    for _ in 0..4 {
        member.run_for(Duration::from_millis(50)).await;
        world.cluster.fence("sim-w0");
    }
    member.run_for(Duration::from_millis(50)).await;
    let running = member.running.as_ref().unwrap();
    let error = member.local.run_until(running.failed()).await;
    assert!(error.contains("FENCED_INSTANCE_ID") && error.contains("same data folder"), "{error}");
}
