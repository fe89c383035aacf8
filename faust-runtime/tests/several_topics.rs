//! One agent, several topics: an enum of records as input, and handles in groups.

use faust::prelude::*;
use faust::testing::TestApp;

#[topic("deposits", key = account, partitions = 3)]
struct Deposit {
    account: u64,
    amount: i64,
}

#[topic("withdrawals", key = account, partitions = 3)]
struct Withdrawal {
    account: u64,
    amount: i64,
}

#[derive(Records)]
enum Movement {
    In(Deposit),
    Out(Withdrawal),
}

#[topic("alerts", key = account)]
struct Alert {
    account: u64,
    balance: i64,
}

#[table("balances")]
struct Balance {
    key: u64,
    value: i64,
}

#[derive(AgentParam)]
struct Ledger {
    balances: Table<Balance>,
    alerts: Alerts,
}

#[derive(AgentParam)]
struct Alerts(Sink<Alert>);

#[agent]
async fn book(movement: Event<Movement>, ledger: Ledger) -> Result<i64> {
    let (account, amount) = match &*movement {
        Movement::In(deposit) => (deposit.account, deposit.amount),
        Movement::Out(withdrawal) => (withdrawal.account, -withdrawal.amount),
    };
    if amount == 0 {
        return Err("nothing to book".into());
    }
    let balance = ledger
        .balances
        .update(&account, |balance| {
            *balance += amount;
            *balance
        })
        .await?;
    if balance < 0 {
        ledger.alerts.0.send(Alert { account, balance }).await?;
    }
    Ok(balance)
}

#[derive(AgentParam)]
struct Desk {
    balances: View<Balance>,
    book: Ask<book>,
}

#[page("/withdraw/{account}/{amount}")]
async fn withdraw(Path((account, amount)): Path<(u64, i64)>, desk: Desk) -> Result<String> {
    let before = desk.balances.get(&account).await?;
    let after = desk.book.ask(Movement::Out(Withdrawal { account, amount })).await?;
    Ok(format!("{before:?} {after}"))
}

#[app("bank", agents(book), pages(withdraw))]
struct Bank;

async fn pay(app: &TestApp, accounts: std::ops::Range<u64>) -> Result<()> {
    for account in accounts {
        app.send(Deposit { account, amount: 10 }).await?;
        app.send(Withdrawal { account, amount: 4 }).await?;
    }
    app.run_until_idle().await
}

#[tokio::test]
async fn an_agent_gets_the_records_of_each_topic() -> Result<()> {
    let app = TestApp::start::<Bank>().await?;
    pay(&app, 0..20).await?;
    for account in 0..20 {
        assert_eq!(app.table::<Balance>().get(&account).await?, Some(6));
    }
    Ok(())
}

#[tokio::test]
async fn progress_is_kept_for_each_topic() -> Result<()> {
    let mut app = TestApp::start::<Bank>().await?;
    pay(&app, 0..10).await?;
    app.send(Withdrawal { account: 3, amount: 1 }).await?;
    app.restart().await?;
    pay(&app, 0..10).await?;
    assert_eq!(app.table::<Balance>().get(&3).await?, Some(11));
    assert_eq!(app.table::<Balance>().get(&4).await?, Some(12));
    Ok(())
}

#[tokio::test]
async fn what_fails_is_a_dead_letter_of_its_own_topic() -> Result<()> {
    let app = TestApp::start::<Bank>().await?;
    app.send(Withdrawal { account: 1, amount: 0 }).await?;
    app.send_bytes("deposits", Some(b"1"), Some(b"no record"), app.now())?;
    app.run_until_idle().await?;
    let letters = app.dead_letters();
    let topic = |letter: &Vec<(String, String)>| {
        letter.iter().find(|(name, _)| name == "faust-topic").map(|(_, topic)| topic.clone())
    };
    let mut topics: Vec<_> = letters.iter().filter_map(topic).collect();
    topics.sort();
    assert_eq!(topics, ["deposits", "withdrawals"]);
    Ok(())
}

#[tokio::test]
async fn an_ask_goes_to_the_topic_of_its_record() -> Result<()> {
    let app = TestApp::start::<Bank>().await?;
    assert_eq!(app.ask::<book>(Movement::In(Deposit { account: 7, amount: 5 })).await?, 5);
    assert_eq!(app.get("/withdraw/7/8").await?, (200, "Some(5) -3".into()));
    app.run_until_idle().await?;
    let alerts: Vec<_> = app.outputs::<Alert>()?.into_iter().map(|alert| alert.record).collect();
    assert_eq!((alerts.len(), alerts[0].account, alerts[0].balance), (1, 7, -3));
    assert_eq!(app.outputs::<Withdrawal>()?.len(), 1);
    Ok(())
}

/// Another app's agent that is asked by this one.
#[agent]
async fn elsewhere(_: Event<Deposit>) -> Result<()> {
    Ok(())
}

#[agent]
async fn forward(withdrawal: Event<Withdrawal>, elsewhere: Ask<elsewhere>) -> Result<()> {
    let Withdrawal { account, amount } = withdrawal.into_inner();
    elsewhere.cast(Deposit { account, amount }).await
}

#[app("forwards", agents(forward), external(elsewhere))]
struct Forwards;

#[tokio::test]
async fn an_external_agent_is_asked_and_does_not_run() -> Result<()> {
    let app = TestApp::start::<Forwards>().await?;
    app.send(Withdrawal { account: 1, amount: 2 }).await?;
    app.run_until_idle().await?;
    assert_eq!(app.outputs::<Deposit>()?.len(), 1);
    Ok(())
}
