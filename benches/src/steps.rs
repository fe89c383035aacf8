//! The path of a record by steps: apps that do a little more each, so that the difference of two is what a step costs.

use crate::words::Words;
pub use crate::{Count as Number, Keyed as Key, Line as Json};
use faust::prelude::*;
use faust::testing::TestApp;
use faust::{App, Guarantee};
use tokio::runtime::{Builder, Runtime};

/// The same, with a word of its own.
#[topic("in")]
pub struct Owned {
    /// The word.
    pub word: String,
}

/// What is sent.
#[topic("out", key = word)]
pub struct Sent<'a> {
    /// The word.
    pub word: &'a str,
    /// A number.
    pub count: u64,
}

#[agent]
async fn once(_: Event<Key<'_>>) -> Result<()> {
    Ok(())
}

#[agent]
async fn again(_: Event<Key<'_>>) -> Result<()> {
    Ok(())
}

#[agent]
async fn parse(_: Event<Json<'_>>) -> Result<()> {
    Ok(())
}

#[agent]
async fn own(_: Event<Owned>) -> Result<()> {
    Ok(())
}

#[agent]
async fn update(word: Event<Key<'_>>, rows: Table<Number>) -> Result<()> {
    rows.update(word.key, |n| *n += 1).await
}

#[agent]
async fn send(word: Event<Key<'_>>, sent: Sink<Sent<'_>>) -> Result<()> {
    sent.send(Sent { word: word.key, count: 1 }).await
}

#[agent]
async fn latest(word: Event<Key<'_>>, sent: Sink<Sent<'_>>) -> Result<()> {
    sent.send_latest(Sent { word: word.key, count: 1 }).await
}

/// Reads, decodes the key, calls, settles: with the broker in memory the base of all others.
#[app("steps", agents(once))]
pub struct Once;

/// Has two agents on the topic, which share what was read: the second one costs what the engine does for an event.
#[app("steps", agents(once, again))]
pub struct Twice;

/// Decodes the value.
#[app("steps", agents(parse))]
pub struct Parse;

/// Decodes the value into memory of its own.
#[app("steps", agents(own))]
pub struct Own;

/// Changes a row for each event.
#[app("steps", agents(update))]
pub struct Update;

/// Sends a record for each event.
#[app("steps", agents(send))]
pub struct Send;

/// Sends the newest record of each key.
#[app("steps", agents(latest))]
pub struct Latest;

/// Records that an app in memory has not seen, on one thread, and the app.
pub struct Run {
    runtime: Runtime,
    app: TestApp,
    words: Words,
    keyed: bool,
}

impl Run {
    /// An app that is idle. `keyed`: the key of its records is the word, else it is in the value only.
    pub fn new<A: App>(guarantee: Guarantee, keys: usize, keyed: bool) -> Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let settings = Settings { guarantee, topic_partitions: 1, ..Settings::default() };
        let app = runtime.block_on(TestApp::start_with::<A>(settings))?;
        Ok(Self { runtime, app, words: Words::new(keys), keyed })
    }

    /// Puts records into the topic.
    pub fn fill(&mut self, records: usize) -> Result<()> {
        let (now, mut value) = (self.app.now(), String::new());
        for _ in 0..records {
            let word = self.words.draw();
            crate::words::json(word, &mut value);
            let key = self.keyed.then_some(word.as_bytes());
            self.app.send_bytes("in", key, Some(value.as_bytes()), now)?;
        }
        Ok(())
    }

    /// Runs the app until it has processed and committed all of them.
    pub fn drain(&self) -> Result<()> {
        self.runtime.block_on(self.app.run_until_idle())
    }
}
