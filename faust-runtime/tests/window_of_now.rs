//! The window of the clock, in the middle of an event of another time.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use faust::prelude::*;
use faust::testing::TestApp;
use faust::{Settings, Timestamp};
use std::time::Duration;

#[topic("clicks", key = user, partitions = 1)]
struct Click {
    user: String,
    n: u64,
}

#[table("arrived", window = tumbling(10s))]
struct Arrived {
    key: String,
    value: u64,
}

#[table("happened", window = tumbling(10s))]
struct Happened {
    key: String,
    value: u64,
}

/// Ten windows at a time: `now` and `current` are the newest of those that a moment is in.
#[table("overlapping", window = hopping(10s, step = 1s))]
struct Overlapping {
    key: String,
    value: u64,
}

/// Replies with from when to when the windows are: of now, of the event, and the overlapping ones of both.
#[agent]
async fn see(
    click: Event<Click>,
    arrived: Table<Arrived>,
    happened: Table<Happened>,
    overlapping: Table<Overlapping>,
) -> Result<()> {
    arrived.now().update(&click.user, |n| *n += click.n).await?;
    happened.current()?.update(&click.user, |n| *n += click.n).await?;
    let start = |millis: i64, step: i64| millis - millis.rem_euclid(step);
    let event = click.timestamp().as_millis();
    assert_eq!(happened.current()?.window(), happened.at(&click).window());
    assert_eq!(overlapping.current()?.window().start.as_millis(), start(event, 1_000));
    let now = overlapping.now().window();
    assert_eq!(start(now.start.as_millis(), 10_000), arrived.now().window().start.as_millis());
    assert_eq!(now.end.as_millis() - now.start.as_millis(), 10_000);
    Ok(())
}

#[page("/now/{user}")]
async fn now(Path(user): Path<String>, arrived: View<Arrived>) -> Result<String> {
    Ok(format!("{:?}", arrived.now().get(&user).await?))
}

#[app("now", agents(see), pages(now))]
struct Now;

#[tokio::test]
async fn now_is_the_window_of_the_clock_and_current_that_of_the_event() -> Result<()> {
    let settings = Settings { max_retries: 0, ..Settings::default() };
    let app = TestApp::start_with::<Now>(settings).await?;
    // To the begin of a window of the clock.
    let late = app.now().as_millis().rem_euclid(10_000) as u64;
    app.advance(Duration::from_millis(10_000 - late)).await?;
    let now = app.now().as_millis();
    let began = Timestamp::from_millis(now - now.rem_euclid(10_000));
    // An hour ago, an hour ahead, and now.
    for (n, hours) in [(1, -1), (2, 1), (4, 0)] {
        let time = Timestamp::from_millis(app.now().as_millis() + hours * 3_600_000);
        app.send_at(Click { user: "ada".into(), n }, time).await?;
        app.run_until_idle().await?;
    }
    assert!(app.dead_letters().is_empty(), "{:?}", app.dead_letters());
    assert_eq!(app.get("/now/ada").await?, (200, "Some(7)".into()));
    let arrived = app.table::<Arrived>().rows()?;
    assert_eq!(arrived, [(began, "ada".into(), 7)], "all of them in the window of the clock");
    assert_eq!(app.table::<Happened>().rows()?.len(), 3, "each in one of its own");
    app.advance(Duration::from_secs(10)).await?;
    assert_eq!(app.get("/now/ada").await?.1, "None", "time goes on without an event");
    Ok(())
}
