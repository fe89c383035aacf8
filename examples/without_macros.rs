//! An app without macros: the traits that they implement, written by hand. What a function cannot be, a type can: this
//! agent is generic, and counts the records of any topic by their keys.
//!
//! `cargo run --bin without_macros`, then in another terminal `cargo run --bin without_macros -- send words '"tea"' --key tea`.
use faust::agent::{AgentOptions, AgentParamOf, AgentSlot};
use faust::prelude::{Event, Table};
use faust::{
    Agent, App, AppDef, CodecError, Key, OwnedRecord, Place, Record, Row, TableDef, TopicDef,
    Unwindowed, Value,
};
use std::marker::PhantomData;

/// Where a declaration stands, for messages that name it.
macro_rules! here {
    () => {
        Place { file: file!(), line: line!() }
    };
}

/// A topic: as `#[topic("words", partitions = 4)] struct Word { key: String, value: String }`.
struct Word {
    key: String,
    value: String,
}

impl Record for Word {
    type Of<'m> = Self;
    type Key = String;
    const TOPIC: TopicDef =
        TopicDef { keyed: true, partitions: Some(4), ..TopicDef::new("words", here!()) };

    fn decode(key: Option<&[u8]>, value: Option<&[u8]>) -> Result<Self, CodecError> {
        let key = Key::decode(key.ok_or(CodecError::NoKey)?)?;
        Ok(Self { key, value: Value::decode(value)? })
    }

    fn encode_key(&self, out: &mut Vec<u8>) -> Result<bool, CodecError> {
        Key::encode(&self.key, out).map(|()| true)
    }

    fn encode_value(&self, out: &mut Vec<u8>) -> Result<bool, CodecError> {
        Value::encode(&self.value, out)
    }
}

/// What a generic agent needs to know of a record.
trait Keyed: OwnedRecord<Key = String> {
    fn key(&self) -> &String;
}

impl Keyed for Word {
    fn key(&self) -> &String {
        &self.key
    }
}

/// A table: as `#[table("counts")] struct Count { key: String, value: u64 }`.
struct Count;

impl Row for Count {
    type Key = String;
    type Value = u64;
    type PartitionKey = String;
    type Window = Unwindowed;
    const TABLE: TableDef = TableDef::new("counts", here!());

    fn fresh(_: &String) -> u64 {
        0
    }

    fn encode_value(value: &u64, out: &mut Vec<u8>) -> Result<bool, CodecError> {
        Value::encode(value, out)
    }

    fn decode_value(bytes: &[u8]) -> Result<u64, CodecError> {
        Value::decode(Some(bytes))
    }
}

/// An agent: as `#[agent] async fn count(record: Event<T>, counts: Table<Count>) -> Result<u64>`, for every `T`.
struct Counting<T>(PhantomData<T>);

/// Its first handle.
impl<T: Keyed> AgentParamOf<0> for Counting<T> {
    type Handle = Table<Count>;
}

impl<T: Keyed> Agent for Counting<T> {
    type Input = Event<T>;
    type Given<'m> = Event<T>;
    type Params = (AgentSlot<Self, 0>,);
    type Output = faust::Result<u64>;
    const OPTIONS: AgentOptions = AgentOptions::new("count", here!());

    fn call<'m>(
        record: Event<T>,
        (counts,): &mut Self::Params,
    ) -> impl Future<Output = faust::Result<u64>> + use<'m, T> {
        let counts = counts.get();
        async move {
            counts
                .update(record.key(), |n| {
                    *n += 1;
                    *n
                })
                .await
        }
    }
}

/// The manifest: as `#[app("by-hand", agents(..))] struct ByHand;`.
struct ByHand;

impl App for ByHand {
    const APP: AppDef =
        AppDef { agents: &[Counting::<Word>::AGENT], ..AppDef::new("by-hand", here!()) };
}

/// What `#[app]` checks.
const _: () = faust::require_app(&ByHand::APP);

fn main() -> std::process::ExitCode {
    faust::main::<ByHand>()
}

#[cfg(test)]
mod tests {
    use super::{ByHand, Count, Word};
    use faust::Result;
    use faust::testing::TestApp;

    #[tokio::test]
    async fn counts_records_by_their_keys() -> Result<()> {
        let app = TestApp::start::<ByHand>().await?;
        for key in ["tea", "milk", "tea"] {
            app.send(Word { key: key.into(), value: "hot".into() }).await?;
        }
        app.run_until_idle().await?;
        assert_eq!(app.table::<Count>().get(&"tea".to_string()).await?, Some(2));
        Ok(())
    }
}
