//! Two workers that keep copies for each other; one of them is killed at any of its steps and does not come back, so
//! that the other goes on from its copies.

use super::*;
use std::time::Duration;

/// Both are at work until each follows what the other runs; then there is more to do, and one of them dies in it. The
/// other finishes alone.
async fn kill_and_go_on_from_the_copies(guarantee: Guarantee, victim: usize, at: u64) -> u64 {
    let mut world = World::new(guarantee, 2);
    world.standbys = 1;
    world.feed(&LINES[..2]);
    let die = |index: usize| (victim == index).then_some(at);
    let (mut first, mut second) = (world.start(0, die(0)), world.start(1, die(1)));
    let both = Duration::from_secs(2);
    tokio::join!(first.run_for(both), second.run_for(both));
    world.feed(&LINES[2..]);
    let (dies, lives) =
        if victim == 0 { (&mut first, &mut second) } else { (&mut second, &mut first) };
    let rest = Duration::from_secs(3);
    tokio::join!(dies.run_for(rest), lives.run_for(rest));
    let (steps, step) = dies.process.steps();
    let what = format!("worker {victim} dies at {step}, {at}");
    println!("{what}");
    if dies.process.alive() {
        dies.stop().await;
    }
    // Until the group has noticed.
    lives.run_for(Duration::from_secs(15)).await;
    lives.run().await;
    check(&world, &[lives], &what);
    steps
}

async fn kill_at_every_step(guarantee: Guarantee) {
    pause();
    for victim in [0, 1] {
        let steps = kill_and_go_on_from_the_copies(guarantee, victim, u64::MAX).await;
        assert!(steps > 100, "{steps} steps");
        for at in 1..=steps {
            kill_and_go_on_from_the_copies(guarantee, victim, at).await;
        }
    }
}

#[tokio::test]
async fn who_takes_over_from_its_copies_is_exact_under_exactly_once() {
    kill_at_every_step(Guarantee::ExactlyOnce).await;
}

#[tokio::test]
async fn who_takes_over_from_its_copies_is_exact_under_at_least_once() {
    kill_at_every_step(Guarantee::AtLeastOnce).await;
}

/// A store that is followed has what is committed and nothing else, whatever its owner is at.
#[tokio::test]
async fn a_copy_follows_and_replays_only_a_tail() {
    pause();
    let mut world = World::new(Guarantee::ExactlyOnce, 2);
    world.standbys = 1;
    world.feed(LINES);
    let (mut first, mut second) = (world.start(0, None), world.start(1, None));
    let both = Duration::from_secs(5);
    tokio::join!(first.run_for(both), second.run_for(both));
    let standbys = second.running.as_ref().unwrap().worker().monitor.snapshot().standbys;
    assert!(!standbys.is_empty());
    assert!(standbys.iter().all(|standby| standby.lag == 0), "{standbys:?}");
    first.stop().await;
    second.run().await;
    let worker = second.running.as_ref().unwrap().worker().clone();
    check(&world, &[&second], "after a takeover");
    assert_eq!(worker.monitor.snapshot().standbys.len(), 0, "there is nobody to copy");
}
