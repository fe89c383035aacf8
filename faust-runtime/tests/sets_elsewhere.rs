//! Sets outside of the agents that own them: copied to every worker, and written from anywhere.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use faust::prelude::*;
use faust::testing::TestApp;

#[topic("joins", key = group, partitions = 4)]
struct Join {
    group: String,
    member: u64,
    leaves: bool,
}

#[topic("orders", key = id, partitions = 2)]
struct Order {
    id: u64,
    fails: bool,
}

#[table("members")]
struct Member {
    key: String,
    value: Set<u64>,
}

/// Nobody but remote writers writes these two.
#[table("blocked")]
struct Blocked {
    key: String,
    value: Set<u64>,
}

#[table("trusted")]
struct Trusted {
    key: String,
    value: Set<u64>,
}

#[table("seen")]
struct Seen {
    key: u64,
    value: (bool, Vec<u64>),
}

#[agent]
async fn join(join: Event<Join>, members: Table<Member>) -> Result<()> {
    let members = members.of(&join.group);
    match join.leaves {
        true => members.remove(&join.member).await?,
        false => members.add(&join.member).await?,
    };
    Ok(())
}

/// An order is in another partition than the groups.
#[agent]
async fn order(
    order: Event<Order>,
    members: Global<Member>,
    seen: Table<Seen>,
    blocked: Remote<Blocked>,
    trusted: Remote<Trusted>,
) -> Result<()> {
    let is_member = members.of("a").contains(&order.id).await?;
    seen.insert(&order.id, (is_member, members.of("a").members().await?)).await?;
    blocked.of("a").add(&order.id).await?;
    trusted.of("b").add(&(order.id + 100)).await?;
    if order.fails { Err("refused".into()) } else { Ok(()) }
}

#[page("/groups")]
async fn groups(members: Global<Member>) -> Result<String> {
    let mut all = Vec::new();
    for group in ["a", "ab", "b", "c", "d", "e", "f", "nobody"] {
        all.push(format!("{group}{:?}", members.of(group).members().await?));
    }
    Ok(all.join(" "))
}

#[page("/unblock/{group}/{member}")]
async fn unblock(Path(of): Path<(String, u64)>, blocked: Remote<Blocked>) -> Result<()> {
    blocked.of(&of.0).remove(&of.1).await
}

#[app("groups", agents(join, order), pages(groups, unblock))]
struct Groups;

async fn with_members() -> Result<TestApp> {
    let app = TestApp::start::<Groups>().await?;
    for (group, member) in [("a", 1), ("ab", 2), ("b", 3), ("c", 4), ("d", 5), ("e", 6), ("a", 7)] {
        app.send(Join { group: group.into(), member, leaves: false }).await?;
    }
    app.run_until_idle().await?;
    Ok(app)
}

fn rows<T: faust::Row<Key = (String, u64)>>(app: &TestApp) -> Vec<(String, u64)> {
    let mut keys: Vec<_> =
        app.table::<T>().rows().unwrap().into_iter().map(|(_, key, _)| key).collect();
    keys.sort();
    keys
}

#[tokio::test(flavor = "current_thread")]
async fn every_worker_has_the_sets_of_all_partitions() -> Result<()> {
    let mut app = with_members().await?;
    let all = "a[1, 7] ab[2] b[3] c[4] d[5] e[6] f[] nobody[]";
    assert_eq!(app.get("/groups").await?, (200, all.into()));
    app.send(Join { group: "a".into(), member: 1, leaves: true }).await?;
    app.run_until_idle().await?;
    app.restart().await?;
    assert_eq!(app.get("/groups").await?.1, all.replace("1, 7", "7"), "also what was removed");
    for id in 0..10 {
        app.send(Order { id, fails: false }).await?;
    }
    app.run_until_idle().await?;
    for (_, id, seen) in app.table::<Seen>().rows()? {
        assert_eq!(seen, (id == 7, vec![7]), "order {id}, whatever its partition");
    }
    Ok(())
}

#[tokio::test(flavor = "current_thread")]
async fn two_sets_of_one_app_are_written_from_anywhere() -> Result<()> {
    let mut app = with_members().await?;
    for id in 1..4 {
        app.send(Order { id, fails: id == 2 }).await?;
    }
    app.run_until_idle().await?;
    let of = |group: &str, members: [u64; 2]| members.map(|member| (group.to_string(), member));
    assert_eq!(rows::<Blocked>(&app), of("a", [1, 3]), "an event that fails adds nothing");
    assert_eq!(rows::<Trusted>(&app), of("b", [101, 103]), "each in its own table");
    assert_eq!(app.get("/unblock/a/1").await?.0, 200);
    app.run_until_idle().await?;
    app.restart().await?;
    assert_eq!(rows::<Blocked>(&app), [("a".to_string(), 3)]);
    assert_eq!(rows::<Trusted>(&app), of("b", [101, 103]));
    Ok(())
}
