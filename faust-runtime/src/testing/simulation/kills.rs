//! One worker, killed at each of its steps, and once more while it recovers.

use super::*;

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
