//! Tables whose rows go a while after their last write.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use faust::prelude::*;
use faust::testing::TestApp;

#[topic("visits", key = user, partitions = 1)]
struct Visit {
    user: String,
    write: bool,
}

#[table("sessions", ttl = 1h)]
struct Session {
    key: String,
    value: u64,
}

/// Replies with the visits of the session as it was, and is.
#[agent]
async fn visit(visit: Event<Visit>, sessions: Table<Session>) -> Result<(Option<u64>, u64)> {
    let was = sessions.get(&visit.user).await?;
    assert_eq!(sessions.contains(&visit.user).await?, was.is_some());
    let all = sessions.rows().await?;
    assert_eq!(all.iter().any(|(user, _)| *user == visit.user), was.is_some());
    if visit.write {
        sessions.update(&visit.user, |n| *n += 1).await?;
    }
    Ok((was, all.len() as u64))
}

/// What was seen, for records with times of their own.
#[table("seen")]
struct Seen {
    key: String,
    value: Vec<Option<u64>>,
}

#[agent]
async fn see(visit: Event<Visit>, sessions: Table<Session>, seen: Table<Seen>) -> Result<()> {
    let was = sessions.get(&visit.user).await?;
    if visit.write {
        sessions.update(&visit.user, |n| *n += 1).await?;
    }
    seen.update(&visit.user, |all| all.push(was)).await
}

#[page("/session/{user}")]
async fn session_of(Path(user): Path<String>, sessions: View<Session>) -> Result<String> {
    Ok(format!("{:?}", sessions.get(&user).await?))
}

#[app("sessions", agents(visit))]
struct Sessions;

#[app("seen", agents(see), pages(session_of))]
struct SeenApp;

fn minute(n: i64) -> Timestamp {
    Timestamp::from_millis(n * 60_000)
}

fn visit_of(user: &str) -> Visit {
    Visit { user: user.into(), write: true }
}

async fn seen(app: &TestApp, user: &str) -> Result<Option<Vec<Option<u64>>>> {
    app.table::<Seen>().get(&user.to_string()).await
}

async fn send(app: &TestApp, visits: &[(i64, &str)]) -> Result<()> {
    for (at, user) in visits {
        app.send_at(visit_of(user), minute(*at)).await?;
    }
    app.run_until_idle().await
}

#[tokio::test(flavor = "current_thread")]
async fn a_row_lives_so_long_after_its_last_write_and_no_event_sees_it_after_that() -> Result<()> {
    let app = TestApp::start::<SeenApp>().await?;
    // Read at once, with and without a cut between them.
    send(&app, &[(0, "a"), (59, "a"), (118, "a"), (178, "a")]).await?;
    let seen = app.table::<Seen>().get(&"a".into()).await?.unwrap();
    assert_eq!(seen, [None, Some(1), Some(2), None]);
    send(&app, &[(238, "a"), (297, "a")]).await?;
    let seen = app.table::<Seen>().get(&"a".into()).await?.unwrap();
    assert_eq!(seen[4..], [None, Some(1)]);
    Ok(())
}

#[tokio::test(flavor = "current_thread")]
async fn an_event_that_comes_late_sees_what_the_table_s_time_leaves_and_shortens_no_life()
-> Result<()> {
    let app = TestApp::start::<SeenApp>().await?;
    // At 100 the row of 30 has gone, and the event of 50 does not see it again.
    send(&app, &[(30, "a"), (100, "b"), (50, "a"), (105, "a"), (70, "b"), (150, "b")]).await?;
    assert_eq!(seen(&app, "a").await?.unwrap(), [None, None, Some(1)]);
    assert_eq!(seen(&app, "b").await?.unwrap(), [None, Some(1), Some(2)]);
    Ok(())
}

#[tokio::test(flavor = "current_thread")]
async fn rows_that_have_expired_are_removed_from_the_store_and_the_changelog() -> Result<()> {
    let mut app = TestApp::start::<SeenApp>().await?;
    let users: Vec<String> = (0..2_000).map(|n| format!("user {n}")).collect();
    for user in &users {
        app.send_at(visit_of(user), minute(0)).await?;
    }
    send(&app, &[(50, "stays")]).await?;
    assert_eq!(app.table::<Session>().count()?, 2_001);
    // More than one cut looks at: time goes on, and cuts with it.
    for at in 61..90 {
        send(&app, &[(at, "stays")]).await?;
    }
    assert_eq!(app.table::<Session>().count()?, 1, "a counter, so the rows are gone themselves");
    assert_eq!(app.get("/session/user%207").await?, (200, "None".into()));
    assert_eq!(app.get("/session/stays").await?, (200, "Some(30)".into()));
    app.restart().await?;
    assert_eq!(app.table::<Session>().rows()?.len(), 1);
    Ok(())
}

#[tokio::test(flavor = "current_thread")]
async fn a_view_does_not_show_what_has_expired_and_waits_to_be_removed() -> Result<()> {
    let app = TestApp::start::<SeenApp>().await?;
    for n in 0..1_000 {
        app.send_at(visit_of(&format!("user {n}")), minute(0)).await?;
    }
    send(&app, &[(61, "now")]).await?;
    assert!(app.table::<Session>().count()? > 1, "one cut does not remove all");
    assert_eq!(app.table::<Session>().rows()?.len(), 1);
    assert_eq!(app.get("/session/user%209").await?, (200, "None".into()));
    Ok(())
}

#[tokio::test(flavor = "current_thread")]
async fn after_a_restart_a_row_has_the_age_that_it_had() -> Result<()> {
    let mut app = TestApp::start::<SeenApp>().await?;
    send(&app, &[(0, "a"), (40, "b")]).await?;
    app.restart().await?;
    send(&app, &[(59, "a"), (100, "b"), (118, "a")]).await?;
    assert_eq!(seen(&app, "a").await?.unwrap(), [None, Some(1), Some(2)]);
    assert_eq!(seen(&app, "b").await?.unwrap(), [None, None]);
    Ok(())
}

#[tokio::test(flavor = "current_thread")]
async fn all_ways_to_read_agree() -> Result<()> {
    let app = TestApp::start::<Sessions>().await?;
    for n in 1..5 {
        assert_eq!(app.ask::<visit>(visit_of("a")).await?.0, (n > 1).then(|| n - 1));
    }
    app.advance(std::time::Duration::from_secs(3_600)).await?;
    let look = Visit { user: "a".into(), write: false };
    assert_eq!(app.ask::<visit>(look).await?, (None, 0));
    Ok(())
}
