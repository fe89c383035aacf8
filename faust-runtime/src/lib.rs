//! Stream processing on Kafka in the manner of Faust: topics, tables and agents in one Rust binary.
//!
//! A program declares **topics** and **tables** by the shape of their records and rows, and **agents** as async
//! functions whose parameters say what they use. The runtime consumes Kafka, calls the agents, keeps their tables in
//! local stores that changelog topics back, moves partitions between workers, and answers questions over HTTP.
//!
//! ```no_run
#![doc = include_str!("../../examples/hello_world.rs")]
//! ```
//!
//! # The path of a record
//!
//! ```text
//! member client ─ group, rebalances (control thread; never fetches)
//! data client ─► consumer ─► partition task ─► agent ─► stage ─► table cache ─┐
//!  (1 queue a partition,     (shard thread,     (your     (effects of   sinks ──┤ cut: changelog + offsets (+ outputs),
//!   read in batches)          no locks)          code)     one event)           ▼ one transaction, then one store batch
//! ```
//!
//! The modules follow it: [`define`] what is said, `kafka` the port, `consumer` records in, `partition` one task per
//! partition, [`mod@agent`] the call, `table` state, `producer` records out, `commit` cuts, `rpc` asks, `handle` what
//! functions hold.

#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate self as faust;

mod codec;
pub mod define;
mod error;
mod time;

pub mod agent;
mod commit;
mod consumer;
mod handle;
mod kafka;
mod partition;
mod rpc;
mod table;

mod app;
#[cfg(feature = "bench")]
#[doc(hidden)]
pub mod bench;
mod cli;
mod monitor;
mod schedule;
pub mod testing;
mod web;
mod worker;

pub use agent::{Agent, AgentParam, Param};
pub use app::{
    App, AppDef, ChangedOffsets, Guarantee, Origin, Settings, SettingsError, StartAt, StoreKind,
};
pub use cli::{Command, main};
pub use codec::{CodecError, Key, KeyRef, Lazy, Value, ValueIn};
pub use define::{
    NoKey, OwnedRecord, Place, Record, Row, SameKey, Scope, TableDef, TopicDef, Unwindowed, Window,
    WindowDef, Windowed,
};
pub use error::{Error, HandleError, NotFound, Result, Unavailable};
pub use handle::{
    Access, Ask, Context, Delivered, Event, InWindow, LocalView, Sink, State, Stream, Table, View,
    ViewInWindow,
};
pub use schedule::{Task, Timer};
pub use serde::{Deserialize, Serialize};
pub use time::Timestamp;
pub use web::Page;

pub use axum;
pub use clap;
pub use serde;

pub use faust_macros::{agent, app, command, page, table, task, timer};

/// Declares a topic by the shape of its records: `#[topic("name", ..)] struct Record { .. }`.
///
/// A struct with the fields `key` and `value` and no others is a record's key and value as they stand. Any other struct
/// is itself the value, and `key = field` names the field that is the key, `key = (a, b)` the fields. The name is the
/// one in Kafka. Options: `key`, `partitions = 4`, `replicas = 3`, `retention = 7d`, `compacted`, `external` (somebody
/// else creates it), `config("name" = "value")`.
///
/// # Records that borrow
///
/// A struct with a lifetime is read where its message stands, so that nothing is allocated for it. An agent takes it as
/// `Event<Line<'_>>`, sends it by `Sink<Line<'_>>`, and finds rows by its texts, though a table's keys are `String`s:
///
/// ```
/// use faust::prelude::*;
/// use std::borrow::Cow;
///
/// #[topic("lines", key = word)]
/// struct Line<'a> { word: &'a str, note: Cow<'a, str> }
///
/// #[topic("notes")]
/// struct Note<'a> { key: &'a str, value: Cow<'a, str> }
///
/// #[table("counts")]
/// struct Count { key: String, value: u64 }
///
/// #[agent]
/// async fn count(line: Event<Line<'_>>, counts: Table<Count>, notes: Sink<Note<'_>>) -> Result<u64> {
///     let Line { word, note } = line.into_inner();
///     notes.send(Note { key: word, value: note }).await?;
///     counts.update(word, |n| { *n += 1; *n }).await
/// }
/// ```
///
/// - A `&str` is a part of the message, but a text with escapes (`\n`, `\"`, `\u00e9`) does not stand in it as it reads:
///   a record that has one where it says `&str` cannot be decoded, and goes to the dead letters. `Cow<str>` borrows
///   where it can, and is for every text that you do not write yourself. Keys that are texts have no escapes.
/// - The field `value` can be a [`Lazy`]: it is decoded when somebody looks at it, or never.
/// - `#[serde(borrow)]` is there without being written, on every field with the lifetime.
/// - A key that is borrowed is a `&str` or a `Cow<str>`; for tables it is a `String`.
/// - What is kept owns what it holds: the rows of tables, the records of a [`Stream`], replies.
pub use faust_macros::topic;

/// For the whole process: with `override`, librdkafka's C allocates from it too.
#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The program in the README compiles.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

/// Everything a program needs: `use faust::prelude::*;`.
pub mod prelude {
    pub use crate::handle::{Ask, Context, Event, Sink, State, Stream, Table, View};
    pub use crate::{Lazy, Result, Settings, Timestamp};
    pub use axum::Json;
    pub use axum::extract::{Path, Query};
    pub use faust_macros::{agent, app, command, page, table, task, timer, topic};
}

/// What expansions of the macros call; not for people.
#[doc(hidden)]
pub mod __private {
    pub use crate::agent::{
        Agent, AgentDef, AgentName, AgentOptions, AgentParam, AgentParamOf, AgentSlot, OwnsRows,
        Param, ParamOf, Slot, Use,
    };
    pub use crate::app::{
        App, AppDef, Keys, OwnsNone, require_app, require_copartitioned, require_entry,
    };
    pub use crate::cli::{Command, CommandDef, CommandOptions};
    pub use crate::codec::{CodecError, Key, Value};
    pub use crate::define::{
        AnyKey, BorrowedCodec, FieldIn, FieldOf, KeyCodec, KeyOf, NoBorrowedCodec, NoKey,
        NoKeyCodec, NoValueCodec, Nothing, Place, Record, Row, SameKey, Scope, TableDef, Text,
        TopicDef, Unwindowed, ValueCodec, WindowDef, Windowed, options,
    };
    pub use crate::handle::Event;
    pub use crate::schedule::{Task, TaskDef, TaskOptions, Timer, TimerDef, TimerOptions};
    pub use crate::web::{
        Method, NoUses, Page, PageDef, PageOptions, UsesOf, from_parts, from_request, respond,
    };
    pub use crate::worker::Worker;
    pub use axum::extract::Request;
    pub use axum::response::Response;
    pub use clap;
    pub use serde;
    pub use std::string::String;
    pub use std::vec::Vec;
}
