//! Every form of a record and a row, and serde's attributes on them.
#![deny(warnings)]
#![allow(clippy::indexing_slicing, clippy::unwrap_used)]
use faust::prelude::*;

#[topic("lines")]
struct Line {
    text: String,
}

#[topic("orders", compacted, replicas = 1, retention = 7d, config("min.insync.replicas" = "1"))]
#[derive(Debug)]
struct Order {
    key: u64,
    value: Option<Text>,
}

#[derive(Clone, Debug, Default, faust::Serialize, faust::Deserialize)]
#[serde(crate = "faust::serde")]
struct Text(String);

#[topic("items", key = (customer, item), external)]
#[serde(rename_all = "camelCase")]
struct Item {
    customer: u64,
    item: String,
    #[serde(default)]
    note_of_customer: Option<String>,
    #[serde(skip)]
    seen: std::cell::Cell<bool>,
    #[serde(with = "seconds")]
    age: std::time::Duration,
}

mod seconds {
    use faust::serde::{Deserialize, Deserializer, Serializer};
    use std::time::Duration;

    pub(crate) fn serialize<S: Serializer>(age: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(age.as_secs())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_secs)
    }
}

#[topic("comments", key = id)]
#[derive(Clone, faust::Serialize, faust::Deserialize)]
#[serde(crate = "faust::serde")]
struct Comment {
    id: u64,
    answers: Vec<Comment>,
}

#[topic("names")]
struct Name(String);

#[table("carts", key = (customer, item), partition_by = customer)]
struct Cart {
    customer: u64,
    item: String,
    count: u32,
    notes: Vec<Text>,
}

#[table("notes", window = tumbling(1min), expires = 1h, partitions = 4)]
struct Note {
    key: (u64, String),
    value: Option<Text>,
}

#[table("trees", key = id, scope = partition)]
#[derive(Debug)]
struct Tree {
    id: u64,
    children: Vec<Tree>,
}

#[topic("customers", key = id, partitions = 4)]
struct Customer {
    id: u64,
    r#type: String,
}

/// The partition is that of the customer.
#[agent(concurrency = 8, name = "fill")]
async fn fill(customer: Event<Customer>, carts: Table<Cart>, trees: Table<Tree>) -> Result<u32> {
    let _ = &customer.r#type;
    let key = (customer.id, "tea".to_string());
    trees.update(&1, |tree| tree.children.push(Tree { id: tree.id, children: Vec::new() })).await?;
    carts
        .update(&key, |cart| {
            cart.count += 1;
            cart.notes.push(Text::default());
            cart.count
        })
        .await
}

#[agent(type = Notes)]
async fn notes(item: Event<Item>, notes: Table<Note>, names: Sink<Name>) -> Result<()> {
    let key = (item.customer, item.item.clone());
    notes.at(&item).update(&key, |note| *note = item.note_of_customer.clone().map(Text)).await?;
    let _ = (item.seen.get(), item.age);
    names.send(Name(item.item.clone())).await
}

#[agent]
async fn listen(
    mut lines: Stream<Line>,
    orders: Sink<Order>,
    comments: Sink<Comment>,
) -> Result<()> {
    use futures::StreamExt;
    while let Some(line) = lines.next().await {
        orders.send(Order { key: 1, value: Some(Text(line.text.clone())) }).await?;
        comments.send(Comment { id: 1, answers: Vec::new() }).await?;
    }
    Ok(())
}

#[agent]
async fn print(order: Event<Order>) -> Result<()> {
    println!("{order:?}");
    Ok(())
}

#[app("forms", version = 2, agents(fill, Notes, listen, print))]
struct Forms;

fn main() {
    let json = r#"{"customer":1,"item":"tea","noteOfCustomer":"hot","age":60}"#;
    let item =
        <Item as faust::Record>::decode(Some(b"[1,\"tea\"]"), Some(json.as_bytes())).unwrap();
    assert_eq!((item.age.as_secs(), item.note_of_customer.as_deref()), (60, Some("hot")));
    let (mut key, mut value) = (Vec::new(), Vec::new());
    assert!(faust::Record::encode_key(&item, &mut key).unwrap());
    assert!(faust::Record::encode_value(&item, &mut value).unwrap());
    assert_eq!((key.as_slice(), value.as_slice()), (&b"[1,\"tea\"]"[..], json.as_bytes()));

    let order = <Order as faust::Record>::decode(Some(b"7"), None).unwrap();
    assert!(order.key == 7 && order.value.is_none());
    assert!(<Order as faust::Record>::decode(None, None).is_err());

    let cart = <Cart as faust::Row>::fresh(&(7, "tea".to_string()));
    assert_eq!((cart.customer, cart.item.as_str(), cart.count), (7, "tea", 0));
    let mut partition = Vec::new();
    <Cart as faust::Row>::encode_partition_key(&(7, "tea".to_string()), &mut partition).unwrap();
    assert_eq!(partition, b"7");

    let app = <Forms as faust::App>::APP;
    assert_eq!((app.version, app.agents.len()), (2, 4));
    let fill = &app.agents[0];
    assert_eq!(
        (fill.options.name, fill.options.concurrency, fill.inputs[0].topic.partitions),
        ("fill", 8, Some(4))
    );
    let topic = <Order as faust::Record>::TOPIC;
    assert!(topic.keyed && topic.compacted && !topic.external);
    assert_eq!(topic.config, [("min.insync.replicas", "1")]);
    assert!(topic.place.file.ends_with("forms.rs"));
    assert!(<Note as faust::Row>::TABLE.window.is_some());
}
