//! What a table is declared with holds for every handle of it, whichever comes first.

use super::Topology;
use crate::app::{App, AppDef, Settings};
use crate::prelude::*;
use crate::{Timestamp, WindowDef};
use std::time::Duration;

#[topic("rates", key = currency, crate = crate)]
struct NewRate {
    currency: String,
    cents: u64,
}

#[topic("orders", key = id, crate = crate)]
struct Order {
    id: u64,
    currency: String,
}

#[table("current", ttl = 1h, config("min.insync.replicas" = "2"), crate = crate)]
struct Current {
    key: String,
    value: u64,
}

#[table("hours", window = hopping(1h, step = 10min), grace = 5min, expires = 1d, config("segment.ms" = "9"), crate = crate)]
struct Hour {
    key: String,
    value: u64,
}

#[agent(crate = crate)]
async fn note(rate: Event<NewRate>, current: Table<Current>, hours: Table<Hour>) -> Result<()> {
    hours.update_each(&rate, &rate.currency, |n| *n += 1).await?;
    current.update(&rate.currency, |cents| *cents = rate.cents).await
}

#[agent(crate = crate)]
async fn price(order: Event<Order>, current: Global<Current>, hours: View<Hour>) -> Result<()> {
    hours.at_time(Timestamp::default()).get(&order.currency).await?;
    current.get(&order.currency).await?;
    Ok(())
}

#[agent(crate = crate)]
async fn correct(order: Event<Order>, current: Remote<Current>) -> Result<()> {
    current.insert(&order.currency, order.id).await
}

#[window_close(Hour, crate = crate)]
async fn over(row: Closed<Hour>) -> Result<()> {
    tracing::trace!("{}", row.key);
    Ok(())
}

#[app("first", agents(note, price, correct), windows(over), crate = crate)]
struct OwnerFirst;

#[app("last", agents(correct, price, note), windows(over), crate = crate)]
struct OwnerLast;

/// The copy is said in a part, the table in the app.
#[app("copies", agents(price, correct), crate = crate)]
struct Copies;

#[app("parts", agents(note), windows(over), parts(Copies), crate = crate)]
struct Parts;

#[test]
fn a_table_is_what_it_was_declared_as_whichever_handle_of_it_comes_first() {
    let apps: [AppDef; 3] = [OwnerFirst::APP, OwnerLast::APP, Parts::APP];
    for app in apps {
        let topology = Topology::new(&app, &Settings::default()).unwrap();
        let table = |name: &str| &topology.tables[topology.table_index(name).unwrap()];
        let (current, hours) = (table("current"), table("hours"));
        assert!(current.copied && !hours.copied, "{}: one has copies everywhere", topology.group);
        assert!(current.group.is_some() && hours.group.is_some(), "{}", topology.group);
        assert_eq!(current.def.ttl, Some(Duration::from_secs(3_600)));
        assert_eq!(current.def.config, [("min.insync.replicas", "2")]);
        let hopping = |size, step| WindowDef::Hopping {
            size: Duration::from_secs(size),
            step: Duration::from_secs(step),
        };
        assert_eq!(hours.def.window, Some(hopping(3_600, 600)));
        assert_eq!(hours.def.grace, Some(Duration::from_secs(300)));
        assert_eq!(hours.def.expires, Some(Duration::from_secs(86_400)));
        assert_eq!(hours.def.config, [("segment.ms", "9")]);
        let closes = topology.agents.iter().filter(|agent| agent.closes == Some("hours"));
        assert_eq!(closes.count(), 1, "{}", topology.group);
    }
}
