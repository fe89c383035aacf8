//! Offsets that somebody else has changed.

use super::errors::failure;
use super::*;
use crate::ChangedOffsets;
use crate::kafka::{Committed, TopicPartition};

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
