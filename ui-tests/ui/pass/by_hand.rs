//! An app without macros: the traits that they implement.
use faust::agent::{AgentOptions, AgentParamOf, AgentSlot};
use faust::prelude::{Event, Table};
use faust::{
    Agent, App, AppDef, CodecError, Key, Place, Record, Result, Row, TableDef, TopicDef,
    Unwindowed, Value,
};
use std::marker::PhantomData;

macro_rules! here {
    () => {
        Place { file: file!(), line: line!() }
    };
}

struct Word(String);

impl Record for Word {
    type Of<'m> = Self;
    type Key = String;
    const TOPIC: TopicDef =
        TopicDef { keyed: true, partitions: Some(4), ..TopicDef::new("words", here!()) };

    fn decode(key: Option<&[u8]>, _: Option<&[u8]>) -> std::result::Result<Self, CodecError> {
        Key::decode(key.ok_or(CodecError::NoKey)?).map(Word)
    }

    fn encode_key(&self, out: &mut Vec<u8>) -> std::result::Result<bool, CodecError> {
        Key::encode(&self.0, out).map(|()| true)
    }

    fn encode_value(&self, out: &mut Vec<u8>) -> std::result::Result<bool, CodecError> {
        Value::encode(&self.0, out)
    }
}

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

/// A generic agent, which no function under `#[agent]` can be.
struct Tally<T>(PhantomData<T>);

impl AgentParamOf<0> for Tally<Word> {
    type Handle = Table<Count>;
}

impl Agent for Tally<Word> {
    type Input = Event<Word>;
    type Given<'m> = Event<Word>;
    type Params = (AgentSlot<Self, 0>,);
    type Output = Result<u64>;
    const OPTIONS: AgentOptions = AgentOptions::new("tally", here!());

    fn call<'m>(
        word: Event<Word>,
        params: &mut Self::Params,
    ) -> impl Future<Output = Result<u64>> + use<'m> {
        let counts = params.0.get();
        async move {
            counts
                .update(&word.0, |n| {
                    *n += 1;
                    *n
                })
                .await
        }
    }
}

struct Counter;

impl App for Counter {
    const APP: AppDef =
        AppDef { agents: &[Tally::<Word>::AGENT], ..AppDef::new("counter", here!()) };
}

fn main() {
    assert_eq!(Counter::APP.agents.first().map(|agent| agent.name()), Some("tally"));
}
