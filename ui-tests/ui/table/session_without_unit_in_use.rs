#![allow(unused)]
use faust::prelude::*;

#[topic("clicks", key = user)]
struct Click {
    user: String,
}

#[table("visits", window = session(30))] //~
struct Visit {
    key: String,
    value: u64,
}

#[agent]
async fn count(click: Event<Click>, visits: Table<Visit>) -> Result<()> {
    visits.update_session(&click, &click.user, |n| *n += 1, |n, later| *n += later).await
}

fn main() {}
