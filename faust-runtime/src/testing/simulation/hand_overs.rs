//! Two workers, one of which is killed at each of its steps while tasks move.

use super::*;
use std::time::Duration;

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
