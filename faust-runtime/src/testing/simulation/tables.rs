//! The kinds of tables beyond the plain one, killed at each step: what is left is what an undisturbed run leaves, on
//! the disk of the worker that died and, on an empty one, from the changelogs.

use super::*;
use crate::App;
use crate::prelude::*;
use crate::time::Timestamp;

#[topic("visits", key = user, partitions = 1, crate = crate)]
struct Visit {
    user: String,
    place: u64,
}

#[topic("looks", key = user, partitions = 1, crate = crate)]
struct Look {
    user: String,
}

#[table("visited", crate = crate)]
struct Visited {
    key: String,
    value: Set<u64>,
}

#[table("sessions", ttl = 10min, crate = crate)]
struct Session {
    key: String,
    value: Vec<u64>,
}

#[table("last", crate = crate)]
struct Last {
    key: String,
    value: u64,
}

/// Written from another key's events.
#[table("owners", partitions = 1, crate = crate)]
struct Owner {
    key: u64,
    value: (String, i64),
}

#[table("found", crate = crate)]
struct Found {
    key: String,
    value: u64,
}

#[agent(crate = crate)]
async fn visit(
    visit: Event<Visit>,
    visited: Table<Visited>,
    sessions: Table<Session>,
    last: Table<Last>,
    owners: Remote<Owner>,
) -> Result<()> {
    owners.insert(&visit.place, (visit.user.clone(), visit.offset())).await?;
    let places = visited.of(&visit.user);
    match visit.place {
        0 => drop(places.clear().await?),
        place if place % 3 == 0 => drop(places.remove(&(place / 3)).await?),
        place => drop(places.add(&place).await?),
    }
    last.insert(&visit.user, visit.place).await?;
    sessions.update(&visit.user, |session| session.push(visit.place)).await
}

/// Looks are put in when all visits are committed, and before the worker that looks has a copy.
#[agent(crate = crate)]
async fn look(look: Event<Look>, last: Global<Last>, found: Table<Found>) -> Result<()> {
    let Some(place) = last.get(&look.user).await? else {
        return Err("the copy has not what was committed".into());
    };
    found.insert(&look.user, place).await?;
    Ok(())
}

#[app("kinds", agents(visit, look), crate = crate)]
struct Kinds;

const USERS: [&str; 5] = ["a", "ab", "b", "c\"", ""];

fn world(workers: usize) -> World {
    let world = World { app: Kinds::APP, ..World::new(Guarantee::ExactlyOnce, workers) };
    world.cluster.create("visits", 1);
    world.cluster.create("looks", 1);
    for n in 0..60u64 {
        let user = USERS[(pick(n, 5) - 1) as usize];
        let value = serde_json::json!({ "user": user, "place": pick(n + 7, 20) - 1 }).to_string();
        let time = Timestamp::from_millis((n * 45_000 + pick(n + 3, 400_000)) as i64);
        let (key, value) = (Some(user.as_bytes()), Some(value.as_bytes()));
        world.cluster.append("visits", 0, key, value, Some(time));
    }
    world
}

pub(super) type Rows = BTreeMap<(String, Vec<u8>), Vec<u8>>;

/// Every row that is shown, of all tables.
pub(super) fn rows(member: &Member) -> Rows {
    let worker = member.running.as_ref().unwrap().worker();
    let mut rows = Rows::new();
    for (index, table) in worker.topology.tables.iter().enumerate() {
        for store in worker.stores_of(index) {
            let mut read = |key: &[u8], value: &[u8]| {
                rows.insert((table.name.to_string(), key.to_vec()), value.to_vec());
                true
            };
            store.scan(&[], &mut read).unwrap();
        }
    }
    rows
}

async fn undisturbed() -> (Rows, u64) {
    let world = world(1);
    let mut member = world.start(0, None);
    assert!(member.run().await);
    (rows(&member), member.process.steps().0)
}

pub(super) fn of(rows: &Rows, table: &str) -> usize {
    rows.keys().filter(|(name, _)| name == table).count()
}

#[tokio::test]
async fn every_kind_of_table_is_exact_after_a_kill_between_any_two_steps() {
    pause();
    let (expected, steps) = undisturbed().await;
    assert!(steps > 30, "{steps} steps");
    // A test of nothing otherwise: some sessions have expired, and some have not.
    let counts = ["visited", "sessions", "last"].map(|table| of(&expected, table));
    assert!(of(&expected, "owners") > 10);
    assert!(counts[0] > 5 && (1..5).contains(&counts[1]) && counts[2] == 5, "{counts:?}");
    for step in 1..=steps {
        let world = world(2);
        let mut died = Vec::new();
        for at in [step, pick(step, steps)] {
            let mut member = world.start(0, Some(at));
            if !member.run().await {
                died.push(member.process.steps());
            }
        }
        let mut member = world.start(0, None);
        assert!(member.run().await);
        assert_eq!(rows(&member), expected, "after {died:?}");
        member.stop().await;
        let mut other = world.start(1, None);
        assert!(other.run().await);
        assert_eq!(rows(&other), expected, "on an empty disk, after {died:?}");
    }
}

#[tokio::test]
async fn no_event_runs_before_the_copy_has_what_was_committed_when_the_worker_started() {
    pause();
    for step in [None, Some(3), Some(7), Some(12)] {
        let world = world(2);
        let mut member = world.start(0, None);
        assert!(member.run().await);
        member.stop().await;
        for user in USERS {
            let value = serde_json::json!({ "user": user }).to_string();
            let (key, value) = (Some(user.as_bytes()), Some(value.as_bytes()));
            world.cluster.append("looks", 0, key, value, None);
        }
        // It reads the copy onto an empty disk, and may die while it does.
        if step.is_some() {
            world.start(1, step).run().await;
        }
        let mut other = world.start(1, None);
        assert!(other.run().await);
        let rows = rows(&other);
        let found = |table: &str| -> Vec<_> {
            let of_table = rows.iter().filter(|((name, _), _)| name == table);
            of_table.map(|((_, key), value)| (key.clone(), value.clone())).collect()
        };
        assert_eq!(found("found"), found("last"), "after {step:?}");
        assert_eq!(found("found").len(), USERS.len());
    }
}

#[table("met", changelog = false, crate = crate)]
struct Met {
    key: String,
    value: u64,
}

#[agent(crate = crate)]
async fn meet(visit: Event<Visit>, met: Table<Met>) -> Result<()> {
    met.update(&visit.user, |n| *n += 1).await
}

#[app("local", agents(meet), crate = crate)]
struct Local;

#[tokio::test]
async fn what_a_table_without_a_changelog_has_here_is_dropped_once_another_worker_was_at_it() {
    pause();
    let world = World { app: Local::APP, ..world(2) };
    let met = |member: &Member| member.rows("met").values().sum::<u64>();
    let visit = |n: u64| {
        for _ in 0..n {
            let (key, value) = (Some(&b"a"[..]), Some(&b"{\"user\":\"a\",\"place\":1}"[..]));
            world.cluster.append("visits", 0, key, value, None);
        }
    };
    for (worker, more, sum) in [(0, 0, 60), (0, 1, 61), (1, 2, 2), (1, 1, 3), (0, 4, 4)] {
        visit(more);
        let mut member = world.start(worker, None);
        assert!(member.run().await);
        assert_eq!(met(&member), sum, "worker {worker}");
        member.stop().await;
    }
}
