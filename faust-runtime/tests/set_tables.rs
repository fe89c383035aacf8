//! Tables whose values are sets: each member is a row of its own.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use faust::prelude::*;
use faust::testing::TestApp;
use faust::{Deserialize, Serialize, Settings};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Serialize, Deserialize)]
enum Do {
    Add(u64),
    Remove(u64),
    Clear,
    AddAndFail(u64),
    Look,
}

#[topic("changes", key = group, partitions = 2)]
struct Change {
    group: String,
    what: Do,
}

#[table("members")]
struct Member {
    key: String,
    value: Set<u64>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Answer {
    did: bool,
    members: Vec<u64>,
    len: u64,
}

#[agent]
async fn change(change: Event<Change>, members: Table<Member>) -> Result<Answer> {
    let group = members.of(&change.group);
    let did = match change.what {
        Do::Add(member) => group.add(&member).await?,
        Do::Remove(member) => group.remove(&member).await?,
        Do::Clear => group.clear().await? > 0,
        Do::AddAndFail(member) => {
            group.add(&member).await?;
            assert!(group.contains(&member).await?, "an event sees what it has written");
            return Err("refused".into());
        }
        Do::Look => false,
    };
    let mut members = group.members().await?;
    members.sort_unstable();
    assert_eq!(members.is_empty(), group.is_empty().await?);
    Ok(Answer { did, members, len: group.len().await? })
}

#[page("/member/{group}/{member}")]
async fn is_member(Path(of): Path<(String, u64)>, members: View<Member>) -> Result<String> {
    Ok(members.of(&of.0).contains(&of.1).await?.to_string())
}

#[app("groups", agents(change), pages(is_member))]
struct Groups;

fn change_of(group: &str, what: Do) -> Change {
    Change { group: group.into(), what }
}

#[tokio::test(flavor = "current_thread")]
async fn a_set_is_what_a_set_is_whatever_is_committed_and_cached() -> Result<()> {
    let settings = Settings { cache_bytes: 3_000, ..Settings::default() };
    let mut app = TestApp::start_with::<Groups>(settings).await?;
    let mut model: BTreeMap<&str, BTreeSet<u64>> = BTreeMap::new();
    let mut seed = 7u64;
    for round in 0..400 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        // Keys that begin alike, and members of which one's digits begin another's.
        let group = ["a", "ab", "a\",1", "", "b"][(seed >> 33) as usize % 5];
        let member = (seed >> 40) % 30;
        let set = model.entry(group).or_default();
        let (what, did) = match (seed >> 50) % 8 {
            0..=4 => (Do::Add(member), set.insert(member)),
            5 | 6 => (Do::Remove(member), set.remove(&member)),
            _ => (Do::Clear, !std::mem::take(set).is_empty()),
        };
        let answer = app.ask::<change>(change_of(group, what)).await?;
        let members: Vec<u64> = set.iter().copied().collect();
        assert_eq!(answer, Answer { did, len: members.len() as u64, members }, "round {round}");
        if round % 90 == 89 {
            app.run_until_idle().await?;
            app.restart().await?;
        }
    }
    let rows = app.table::<Member>().rows()?;
    assert_eq!(rows.len(), model.values().map(BTreeSet::len).sum::<usize>());
    Ok(())
}

#[tokio::test(flavor = "current_thread")]
async fn of_an_event_that_fails_no_member_remains() -> Result<()> {
    let app = TestApp::start::<Groups>().await?;
    app.send(change_of("a", Do::Add(1))).await?;
    app.send(change_of("a", Do::AddAndFail(2))).await?;
    app.run_until_idle().await?;
    let answer = app.ask::<change>(change_of("a", Do::Look)).await?;
    assert_eq!((answer.members, app.dead_letters().len()), (vec![1], 1));
    Ok(())
}

#[tokio::test(flavor = "current_thread")]
async fn a_page_asks_for_one_member() -> Result<()> {
    let app = TestApp::start::<Groups>().await?;
    app.send(change_of("a", Do::Add(12))).await?;
    app.run_until_idle().await?;
    assert_eq!(app.get("/member/a/12").await?, (200, "true".into()));
    assert_eq!(app.get("/member/a/1").await?, (200, "false".into()));
    Ok(())
}
