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

pub use agent::{Agent, AgentInput, AgentName, AgentParam, Param};
pub use app::{
    App, AppDef, ChangedOffsets, Guarantee, Origin, Settings, SettingsError, StartAt, StoreKind,
    require_app,
};
pub use cli::{Command, main};
pub use codec::{CodecError, Key, KeyPrefix, KeyRef, Lazy, Value, ValueIn};
pub use define::{
    Aging, AnyKey, Both, ByKey, ByTime, Forever, HasWindows, History, Members, NoKey, Only,
    Overlapping, OwnedRecord, Owns, Pane, PanesOf, Place, Record, Records, Row, SameKey, Scope,
    Session, Sessions, SessionsOf, Set, Shape, Sliding, TableDef, TopicDef, Unwindowed, Window,
    WindowDef, Windowed,
};
pub use error::{Error, HandleError, NotFound, Result, Unavailable};
pub use handle::{
    Access, Ask, Change, Closed, Context, CopiedSet, Delivered, EachWindow, Event, Global,
    InWindow, LocalView, Lookup, Remote, RemoteSet, SetOf, Sink, State, Stream, Table, Versions,
    View, ViewInWindow, ViewedSet,
};
pub use schedule::{Task, Timer};
pub use serde::{Deserialize, Serialize};
pub use time::Timestamp;
pub use web::Page;

pub use axum;
pub use clap;
pub use serde;

#[doc = include_str!("../docs/agent_param.md")]
pub use faust_macros::AgentParam;

#[doc = include_str!("../docs/records.md")]
pub use faust_macros::Records;

#[doc = include_str!("../docs/later.md")]
pub use faust_macros::{cron, service};

#[doc = include_str!("../docs/window_close.md")]
pub use faust_macros::window_close;

#[doc = include_str!("../docs/topic.md")]
pub use faust_macros::topic;

#[doc = include_str!("../docs/table.md")]
pub use faust_macros::table;

#[doc = include_str!("../docs/agent.md")]
pub use faust_macros::agent;

#[doc = include_str!("../docs/timer.md")]
pub use faust_macros::timer;

#[doc = include_str!("../docs/task.md")]
pub use faust_macros::task;

#[doc = include_str!("../docs/page.md")]
pub use faust_macros::page;

#[doc = include_str!("../docs/command.md")]
pub use faust_macros::command;

#[doc = include_str!("../docs/app.md")]
pub use faust_macros::app;

/// For the whole process: with `override`, librdkafka's C allocates from it too.
#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The programs in these pages compile.
#[cfg(doctest)]
mod pages {
    #[doc = include_str!("../../README.md")]
    struct Readme;

    #[doc = include_str!("../../ARCHITECTURE.md")]
    struct Architecture;
}

/// Everything a program needs: `use faust::prelude::*;`.
pub mod prelude {
    pub use crate::agent::AgentParam;
    pub use crate::define::{Records, Set};
    pub use crate::handle::{
        Ask, Closed, Context, Event, Global, Lookup, Remote, Sink, State, Stream, Table, View,
    };
    pub use crate::{Lazy, Result, Settings, Timestamp};
    pub use axum::Json;
    pub use axum::extract::{Path, Query};
    pub use faust_macros::{
        AgentParam, Records, agent, app, command, cron, page, service, table, task, timer, topic,
        window_close,
    };
}

/// What expansions of the macros call; not for people.
#[doc(hidden)]
pub mod __private {
    pub use crate::agent::{
        Agent, AgentDef, AgentName, AgentOptions, AgentParam, AgentParamOf, AgentSlot, Bind,
        Member, Param, ParamOf, Slot, Use, concat,
    };
    pub use crate::app::{
        App, AppDef, Index, Keys, OwnsNone, require_app, require_closes, require_copartitioned,
        require_entry, require_external, require_part, require_variant,
    };
    pub use crate::cli::{Command, CommandDef, CommandOptions};
    pub use crate::codec::{CodecError, Key, Value};
    pub use crate::define::{
        Aging, AnyKey, BorrowedCodec, Both, Each, FieldIn, FieldOf, History, Initial, KeyCodec,
        KeyOf, Members, NoBorrowedCodec, NoKey, NoKeyCodec, NoValueCodec, Nothing, Overlapping,
        Place, Record, Records, Row, SameKey, Scope, Sessions, Sliding, Stamp, TableDef, Text,
        TopicDef, TopicUse, Unwindowed, ValueCodec, Variant, VariantOf, Version, WindowDef,
        Windowed, options, require_set,
    };
    pub use crate::handle::{Closed, Event, Table, WindowClose, require_closed_of};
    pub use crate::schedule::{Cron, Service};
    pub use crate::schedule::{Task, TaskDef, TaskOptions, Timer, TimerDef, TimerOptions};
    pub use crate::web::{
        Method, NoUses, Page, PageDef, PageOptions, UsesOf, from_parts, from_request, from_worker,
        respond,
    };
    pub use crate::worker::Worker;
    pub use axum::extract::{FromRequestParts, Request};
    pub use axum::http::request::Parts;
    pub use axum::response::Response;
    pub use clap;
    pub use serde;
    pub use std::boxed::Box;
    pub use std::string::String;
    pub use std::vec::Vec;
}
