//! Asking agents: replies, many at once, chains, and what cannot be asked.

use faust::prelude::*;
use faust::testing::TestApp;

#[topic("doubles", key = n, partitions = 3)]
struct Double {
    n: u64,
}

#[topic("chains", key = n, partitions = 3)]
struct Chain {
    n: u64,
}

#[agent]
async fn double(request: Event<Double>) -> Result<u64> {
    Ok(request.n * 2)
}

/// Asks another agent.
#[agent]
async fn plus_one(request: Event<Chain>, double: Ask<double>) -> Result<u64> {
    Ok(double.ask(Double { n: request.n }).await? + 1)
}

/// Asks itself.
#[agent]
async fn echo(request: Event<Chain>, echo: Ask<echo>) -> Result<u64> {
    echo.ask(Chain { n: request.n }).await
}

#[page("/double/{n}")]
async fn doubled(Path(n): Path<u64>, double: Ask<double>) -> Result<Json<u64>> {
    Ok(Json(double.ask(Double { n }).await?))
}

#[page("/many/{n}")]
async fn many(Path(n): Path<u64>, double: Ask<double>) -> Result<Json<u64>> {
    let replies = double.map((0..n).map(|n| Double { n })).await?;
    assert!(replies.iter().enumerate().all(|(n, reply)| *reply == 2 * n as u64), "in their order");
    Ok(Json(replies.into_iter().sum()))
}

#[page("/missing")]
async fn missing() -> Result<Json<u64>> {
    Err(faust::NotFound::new("no such thing").into())
}

#[app("asks", agents(double, plus_one), pages(doubled, many, missing))]
struct Asks;

#[app("echo", agents(echo))]
struct Echo;

#[tokio::test]
async fn an_agent_replies_to_pages_and_to_other_agents() -> Result<()> {
    let app = TestApp::start::<Asks>().await?;
    assert_eq!(app.get("/double/21").await?, (200, "42".into()));
    assert_eq!(app.ask::<plus_one>(Chain { n: 4 }).await?, 9);
    Ok(())
}

#[tokio::test]
async fn ten_thousand_questions_at_once_are_answered() -> Result<()> {
    let app = TestApp::start::<Asks>().await?;
    assert_eq!(app.get("/many/10000").await?, (200, (9_999u64 * 10_000).to_string()));
    Ok(())
}

#[tokio::test]
async fn a_typed_error_of_a_page_has_its_status() -> Result<()> {
    let app = TestApp::start::<Asks>().await?;
    let (status, body) = app.get("/missing").await?;
    assert_eq!(status, 404);
    assert!(body.contains("no such thing"), "{body}");
    Ok(())
}

#[tokio::test]
async fn an_agent_that_asks_itself_fails_at_once_and_says_why() -> Result<()> {
    let app = TestApp::start::<Echo>().await?;
    let error = app.ask::<echo>(Chain { n: 1 }).await.unwrap_err().to_string();
    assert!(error.contains("waits for this very event"), "{error}");
    Ok(())
}
