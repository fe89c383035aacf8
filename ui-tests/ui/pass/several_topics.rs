//! Several topics in one agent, handles in groups, conditions, and agents of other apps.
#![deny(warnings)]
#![allow(clippy::indexing_slicing, clippy::unwrap_used)]
use faust::prelude::*;

#[topic("deposits", key = account, partitions = 4)]
struct Deposit {
    account: u64,
    amount: u64,
    #[cfg(any())]
    note: Missing,
}

#[topic("withdrawals", key = account, partitions = 4)]
struct Withdrawal {
    account: u64,
    amount: u64,
}

#[derive(Records)]
enum Movement {
    In(Deposit),
    Out(Withdrawal),
}

#[topic("alerts")]
struct Alert {
    text: String,
}

#[table("balances", key = account)]
struct Balance {
    account: u64,
    amount: i64,
    #[cfg(any())]
    note: Missing,
}

#[derive(AgentParam)]
struct Ledger {
    balances: Table<Balance>,
    out: Out,
}

/// A group in a group, of fields without names.
#[derive(AgentParam)]
struct Out(Sink<Alert>, Ask<audit>);

#[derive(AgentParam)]
struct Empty;

#[agent]
async fn book(movement: Event<Movement>, ledger: Ledger, _empty: Empty) -> Result<i64> {
    let (account, amount) = match &*movement {
        Movement::In(deposit) => (deposit.account, deposit.amount as i64),
        Movement::Out(withdrawal) => (withdrawal.account, -(withdrawal.amount as i64)),
    };
    let amount = ledger
        .balances
        .update(&account, |balance| {
            balance.amount += amount;
            balance.amount
        })
        .await?;
    if amount < 0 {
        ledger.out.0.send(Alert { text: format!("{account} owes {}", -amount) }).await?;
        ledger.out.1.cast(movement.into_inner()).await?;
    }
    Ok(amount)
}

/// Runs in another app.
#[agent]
async fn audit(_: Event<Movement>) -> Result<()> {
    Ok(())
}

#[agent]
#[cfg(any())]
async fn never(_: Event<Missing>) -> Result<()> {
    Ok(())
}

/// Members that timers and pages can ask for.
#[derive(AgentParam)]
struct Desk {
    balances: View<Balance>,
    book: Ask<book>,
}

#[timer(every = 1s)]
async fn report(desk: Desk) -> Result<()> {
    println!("{}", desk.balances.local().len());
    Ok(())
}

#[page("/deposit/{account}/{amount}", method = post)]
async fn deposit(Path((account, amount)): Path<(u64, u64)>, desk: Desk) -> Result<String> {
    let deposit = Movement::In(Deposit { account, amount });
    Ok(desk.book.ask(deposit).await?.to_string())
}

#[app(
    "bank",
    agents(#[cfg(any())] never, book),
    timers(#[cfg(all())] report),
    pages(deposit),
    external(audit)
)]
struct Bank;

fn main() {
    let app = <Bank as faust::App>::APP;
    let book = &app.agents[0];
    let topics: Vec<_> = book.inputs.iter().map(|input| input.topic.name).collect();
    assert_eq!(topics, ["deposits", "withdrawals"]);
    assert_eq!(book.uses[0].len(), 3);
    assert_eq!(app.external[0].name, "audit");
}
