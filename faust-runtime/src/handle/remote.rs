//! Writing rows from anywhere: what is written goes through a topic to the partition that owns the row, where an agent
//! of the engine applies it as an event.

use super::table::{Spot, Table};
use super::{Event, Sink};
use crate::agent::{
    Agent, AgentOptions, AgentParam, AgentParamOf, AgentSlot, Bind, Param, RemoteUse, Use,
};
use crate::codec::{CodecError, Key, KeyRef};
use crate::define::{AnyKey, ByKey, Record, Row, TopicDef, Unwindowed};
use crate::worker::Worker;
use std::marker::PhantomData;
use std::time::Duration;

/// Writes rows of a table from anywhere: from pages, timers and tasks, and from agents of other keys. A write goes as a
/// record through the topic `{app}-{table}-writes` to the partition that owns the row, and is applied there as an event
/// of its own, exactly once and in order; [`View`](crate::View) sees it once that is committed. In an agent it is part of
/// the event, and leaves when that is done; elsewhere it is awaited until Kafka has it.
///
/// It is for corrections and settings: an agent's own rows are written by [`Table`](crate::Table). Of a table of sets,
/// `of(key)` gives a set.
///
/// ```
/// use faust::prelude::*;
/// use faust::testing::TestApp;
///
/// #[topic("orders", key = customer)]
/// struct Order { customer: String, cents: u64 }
///
/// #[table("limits")]
/// struct Limit { key: String, value: u64 }
///
/// #[agent]
/// async fn check(order: Event<Order>, limits: Table<Limit>) -> Result<bool> {
///     limits.with(&order.customer, |limit| limit.is_some_and(|limit| order.cents <= *limit)).await
/// }
///
/// #[page("/limit/{customer}/{cents}")]
/// async fn set(Path(to): Path<(String, u64)>, limits: Remote<Limit>) -> Result<()> {
///     limits.insert(&to.0, to.1).await
/// }
///
/// #[app("orders", agents(check), pages(set))]
/// struct Orders;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// let app = TestApp::start::<Orders>().await?;
/// let order = || Order { customer: "ada".into(), cents: 700 };
/// assert!(!app.ask::<check>(order()).await?);
/// app.get("/limit/ada/1000").await?;
/// app.run_until_idle().await?;
/// assert!(app.ask::<check>(order()).await?);
/// # Ok(())
/// # }
/// ```
pub struct Remote<T: Row> {
    writes: Sink<Write<T>>,
    /// What is written is part of an event.
    inside: bool,
}

impl<T: Row> Clone for Remote<T> {
    fn clone(&self) -> Self {
        Self { writes: self.writes.clone(), inside: self.inside }
    }
}

impl<T: Row<Window = Unwindowed<L>>, L> Remote<T> {
    /// Sets the row.
    pub async fn insert(
        &self,
        key: &(impl KeyRef<T::Key> + Sync + ?Sized),
        value: T::Value,
    ) -> crate::Result<()> {
        self.write(key.to_key(), Some(value)).await
    }

    /// Removes the row.
    pub async fn remove(&self, key: &(impl KeyRef<T::Key> + Sync + ?Sized)) -> crate::Result<()> {
        self.write(key.to_key(), None).await
    }
}

impl<T: Row> Remote<T> {
    pub(super) async fn write(&self, key: T::Key, value: Option<T::Value>) -> crate::Result<()> {
        let write = Write { key, value };
        match self.inside {
            true => self.writes.send(write).await,
            false => self.writes.deliver(write).await.map(|_| ()),
        }
    }
}

/// A write on its way: the record's key is what decides the partition; its value is the row's key behind its length, and
/// the row's value behind a one, or a zero where it is to be removed.
pub(crate) struct Write<T: Row> {
    key: T::Key,
    value: Option<T::Value>,
}

/// How long writes wait for the owner of their rows.
const RETENTION: Duration = Duration::from_secs(7 * 24 * 60 * 60);

impl<T: Row> Record for Write<T> {
    type Of<'m> = Self;
    type Key = T::PartitionKey;
    const TOPIC: TopicDef = TopicDef {
        keyed: true,
        retention: Some(RETENTION),
        ..TopicDef::new(T::WRITES, T::TABLE.place)
    };

    fn decode(_: Option<&[u8]>, value: Option<&[u8]>) -> Result<Self, CodecError> {
        let broken = || CodecError::Value(serde::de::Error::custom("it is no write of a row"));
        let split = |value: Option<&[u8]>| {
            let (len, rest) = value?.split_first_chunk::<4>()?;
            let (key, rest) = rest.split_at_checked(u32::from_be_bytes(*len) as usize)?;
            let (there, value) = rest.split_first()?;
            Some((key.to_vec(), (*there == 1).then(|| value.to_vec())))
        };
        let (key, value) = split(value).ok_or_else(broken)?;
        let value = value.map(|value| T::decode_value(&value)).transpose()?;
        Ok(Self { key: T::Key::decode(&key)?, value })
    }

    fn encode_key(&self, out: &mut Vec<u8>) -> Result<bool, CodecError> {
        T::encode_partition_key(&self.key, out)?;
        Ok(true)
    }

    fn encode_value(&self, out: &mut Vec<u8>) -> Result<bool, CodecError> {
        let mut key = Vec::new();
        self.key.encode(&mut key)?;
        out.extend_from_slice(&(key.len() as u32).to_be_bytes());
        out.append(&mut key);
        let there = out.len();
        out.push(1);
        let is_row = match &self.value {
            Some(value) => T::encode_value(value, out)?,
            None => false,
        };
        if let Some(there) = out.get_mut(there).filter(|_| !is_row) {
            *there = 0;
        }
        Ok(true)
    }
}

/// Applies what is written from elsewhere.
pub(crate) struct Writer<T>(PhantomData<T>);

impl<T: Row> AgentParamOf<0> for Writer<T> {
    type Handle = Table<T>;
}

impl<T: Row<Window: ByKey>> Agent for Writer<T> {
    type Input = Event<Write<T>>;
    type Given<'m> = Event<Write<T>>;
    type Params = (AgentSlot<Self, 0>,);
    type Output = crate::Result<()>;
    const OPTIONS: AgentOptions = AgentOptions::new(T::WRITES, T::TABLE.place);

    fn call<'m>(
        write: Event<Write<T>>,
        (table,): &mut Self::Params,
    ) -> impl Future<Output = crate::Result<()>> + use<'m, T> {
        let table = table.get();
        async move {
            let Write { key, value } = write.into_inner();
            Spot::of(&table).write::<T, _>(&key, |row, _| *row = value).await
        }
    }
}

impl<T: Row<Window: ByKey>> AgentParam for Remote<T> {
    type PartitionKey = AnyKey;
    const USES: &'static [Use] = &[Use::Remote(RemoteUse::of::<T, Write<T>, Writer<T>>())];

    fn bind(bind: &Bind<'_>) -> crate::Result<Self> {
        Ok(Self { writes: AgentParam::bind(bind)?, inside: true })
    }
}

impl<T: Row<Window: ByKey>> Param for Remote<T> {
    const USES: &'static [Use] = &[Use::Remote(RemoteUse::of::<T, Write<T>, Writer<T>>())];

    fn bind(worker: &Worker) -> crate::Result<Self> {
        Ok(Self { writes: Param::bind(worker)?, inside: false })
    }
}
