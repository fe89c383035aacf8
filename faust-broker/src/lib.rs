//! A development broker: it speaks the Kafka protocol on 127.0.0.1, in the process or beside it.
//!
//! It serves development, examples and tests. Topics, groups (classic and KIP-848), idempotence
//! and transactions behave as on Apache Kafka; there is one node, no replication, no security and
//! no fsync: what it acknowledged survives a killed process, not a power cut. Compacted topics are
//! compacted; records are deleted by age or size only in topics that set a retention of their own.
//!
//! ```
//! use faust_broker::{Broker, Config};
//!
//! let broker = Broker::start(Config::default())?;
//! // Give this to any Kafka client.
//! println!("bootstrap.servers={}", broker.bootstrap_servers());
//! broker.stop();
//! # Ok::<(), faust_broker::Error>(())
//! ```
//!
//! A request travels through the modules like this:
//!
//! ```text
//! server  one thread per connection: frames in, answers out
//!   └─ api  one handler per request, at every advertised version
//!        └─ state  one lock around everything; entry first, change then
//!             ├─ topics ── log ── storage   records: partitions, segments, batches
//!             ├─ groups                     members, assignments, offsets
//!             └─ transactions               producers, open transactions
//! ```

mod api;
mod broker;
mod config;
mod error;
mod faults;
mod groups;
mod log;
mod server;
mod state;
mod storage;
mod topics;
mod transactions;

pub use broker::Broker;
pub use config::Config;
pub use error::Error;
#[doc(hidden)]
pub use faults::refusal;
pub use faults::{Effect, Fault, FaultError, Faults};
