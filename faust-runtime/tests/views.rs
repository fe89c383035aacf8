//! Views: what can be read of a key from outside of events.

#![expect(clippy::unwrap_used, reason = "a test")]

use faust::prelude::*;
use faust::testing::TestApp;
use faust::{Settings, Timestamp, Window};

#[topic("clicks", key = user, partitions = 2)]
struct Click {
    user: String,
    n: u64,
}

#[table("tumbling", window = tumbling(10s))]
struct Tumbling {
    key: String,
    value: u64,
}

#[table("hopping", window = hopping(10s, step = 5s))]
struct Hopping {
    key: String,
    value: u64,
}

#[table("sliding", window = sliding(10s))]
struct Sliding {
    key: String,
    value: u64,
}

#[table("visits", window = session(10s))]
struct Visit {
    key: String,
    value: u64,
}

#[table("numbers")]
struct Numbers {
    key: String,
    value: Set<u64>,
}

#[agent]
async fn count(
    click: Event<Click>,
    tumbling: Table<Tumbling>,
    hopping: Table<Hopping>,
    sliding: Table<Sliding>,
    visits: Table<Visit>,
    numbers: Table<Numbers>,
) -> Result<()> {
    let user = &click.user;
    tumbling.at(&click).update(user, |n| *n += click.n).await?;
    hopping.update_each(&click, user, |n| *n += click.n).await?;
    sliding.update_each(&click, user, |n| *n += click.n).await?;
    visits.update_session(&click, user, |n| *n += click.n, |n, later| *n += later).await?;
    numbers.of(user).add(&click.n).await?;
    Ok(())
}

fn text(windows: Vec<(Window, u64)>) -> String {
    let seconds = |time: Timestamp| time.as_millis() as f64 / 1000.0;
    let show = |(window, n): (Window, u64)| {
        format!("{}..{}: {n}", seconds(window.start), seconds(window.end))
    };
    windows.into_iter().map(show).collect::<Vec<_>>().join(", ")
}

#[page("/tumbling/{user}")]
async fn tumbling_of(Path(user): Path<String>, rows: View<Tumbling>) -> Result<String> {
    Ok(text(rows.windows(&user).await?))
}

#[page("/hopping/{user}")]
async fn hopping_of(Path(user): Path<String>, rows: View<Hopping>) -> Result<String> {
    Ok(text(rows.windows(&user).await?))
}

#[page("/sliding/{user}")]
async fn sliding_of(Path(user): Path<String>, rows: View<Sliding>) -> Result<String> {
    Ok(text(rows.windows(&user).await?))
}

#[page("/visits/{user}")]
async fn visits_of(Path(user): Path<String>, rows: View<Visit>) -> Result<String> {
    Ok(text(rows.windows(&user).await?))
}

#[page("/numbers/{user}")]
async fn numbers_of(Path(user): Path<String>, rows: View<Numbers>) -> Result<Json<Vec<u64>>> {
    Ok(Json(rows.of(&user).members().await?))
}

#[app("views", agents(count), pages(tumbling_of, hopping_of, sliding_of, visits_of, numbers_of))]
struct Views;

async fn clicked() -> TestApp {
    let settings = Settings { topic_partitions: 2, ..Settings::default() };
    let app = TestApp::start_with::<Views>(settings).await.unwrap();
    let clicks = [("ada", 1, 1), ("ad", 2, 2), ("ada", 4, 9), ("ada", 8, 21), ("ada\",", 16, 22)];
    for (user, n, second) in clicks {
        let time = Timestamp::from_millis(second * 1000);
        app.send_at(Click { user: user.into(), n }, time).await.unwrap();
    }
    app.run_until_idle().await.unwrap();
    app
}

async fn page(app: &TestApp, path: &str) -> String {
    let (status, body) = app.get(path).await.unwrap();
    assert_eq!(status, 200, "{body}");
    body
}

#[tokio::test]
async fn a_view_finds_all_windows_of_a_key_the_oldest_first() {
    let app = clicked().await;
    assert_eq!(page(&app, "/tumbling/ada").await, "0..10: 5, 20..30: 8");
    assert_eq!(page(&app, "/hopping/ada").await, "0..10: 5, 5..15: 4, 15..25: 8, 20..30: 8");
    assert_eq!(page(&app, "/visits/ada").await, "1..9.001: 5, 21..21.001: 8");
    // One that ends with each event, and one that begins behind it where there is more to come.
    let sliding = "-8.999..1.001: 1, -0.999..9.001: 5, 1.001..11.001: 4, 11.001..21.001: 8";
    assert_eq!(page(&app, "/sliding/ada").await, sliding);
    assert_eq!(page(&app, "/tumbling/bob").await, "");
}

#[tokio::test]
async fn a_view_finds_the_members_of_a_set_and_of_no_other() {
    let app = clicked().await;
    assert_eq!(page(&app, "/numbers/ada").await, "[1,4,8]");
    assert_eq!(page(&app, "/numbers/ad").await, "[2]");
    assert_eq!(page(&app, "/numbers/bob").await, "[]");
}
