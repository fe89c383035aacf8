//! Reading committed rows from anywhere.

use crate::agent::{AgentParam, Bind, Param, TableUse, Use};
use crate::codec::{Key, KeyRef};
use crate::define::{AnyKey, ByKey, ByTime, HasWindows, KeptRow, Row, Shape, Unwindowed, Window};
use crate::error::Unavailable;
use crate::table::encode_row_key;
use crate::table::store::{Changed, Store, StoreError};
use crate::time::Timestamp;
use crate::web::{Stored, fetch_stored, rows_of_windows};
use crate::worker::{Home, Worker};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::response::Response;
use std::marker::PhantomData;
use tokio::sync::broadcast::Receiver;

/// Reads committed rows of a table, wherever they are: a key of another worker is asked for over HTTP.
///
/// What an agent has written is committed some time after its event is done: within the setting `commit_interval`.
///
/// ```
/// use faust::prelude::*;
///
/// #[table("counts")]
/// struct Count { key: String, value: u64 }
///
/// #[page("/count/{word}")]
/// async fn count_of(Path(word): Path<String>, counts: View<Count>) -> Result<Json<Option<u64>>> {
///     Ok(Json(counts.get(&word).await?))
/// }
///
/// #[timer(every = 10s)]
/// async fn report(counts: View<Count>) -> Result<()> {
///     println!("{} words here; `tea`: {:?}", counts.local().len(), counts.get("tea").await?);
///     Ok(())
/// }
/// ```
pub struct View<T> {
    worker: Worker,
    table: usize,
    row: PhantomData<fn() -> T>,
}

impl<T> Clone for View<T> {
    fn clone(&self) -> Self {
        Self { worker: self.worker.clone(), table: self.table, row: PhantomData }
    }
}

impl<T: Row> View<T> {
    pub(crate) fn new(worker: &Worker) -> crate::Result<Self> {
        match worker.topology.table_index(T::TABLE.name) {
            Some(table) => Ok(Self { worker: worker.clone(), table, row: PhantomData }),
            None => Err(format!("table `{}` is not part of this app", T::TABLE.name).into()),
        }
    }

    pub(super) async fn find(&self, start: i64, key: &T::Key) -> crate::Result<Option<T::Value>> {
        let (mut row, mut partition_key) = (Vec::new(), Vec::new());
        encode_row_key::<T>(start, key, &mut row)?;
        T::encode_partition_key(key, &mut partition_key)?;
        let mut text = Vec::new();
        key.encode(&mut text)?;
        let window = T::TABLE.window.map(|_| start.to_string());
        let query: &[_] = match &window {
            Some(window) => &[("key", text.as_slice()), ("window", window.as_bytes())],
            None => &[("key", &text)],
        };
        let here = |store: &dyn Store| {
            Ok(store.get(&row)?.map(|value| (Vec::new(), value)).into_iter().collect())
        };
        let rows = self.stored(&partition_key, here, query).await?;
        Ok(rows.first().map(|(_, value)| T::decode_value(value)).transpose()?)
    }

    /// Rows as they are stored: from here, or by the query from the worker that has the partition.
    pub(super) async fn stored(
        &self,
        partition_key: &[u8],
        here: impl FnOnce(&dyn Store) -> Result<Vec<Stored>, StoreError>,
        query: &[(&str, &[u8])],
    ) -> crate::Result<Vec<Stored>> {
        match self.worker.home(self.table, partition_key) {
            Home::Here(store) => Ok(here(&*store)?),
            Home::At(endpoint) => {
                let mut text = Vec::with_capacity(query.len());
                for (name, value) in query {
                    text.push((*name, str::from_utf8(value)?));
                }
                fetch_stored(&endpoint, T::TABLE.name, &text).await
            }
            Home::Moving => {
                let what = format!("the partition of this key of table `{}`", T::TABLE.name);
                Err(Unavailable::new(what + " is moving or recovering").into())
            }
        }
    }

    /// What is written here from now on.
    pub(super) fn listen(&self) -> Receiver<Changed> {
        self.worker.feed(self.table).listen()
    }

    /// The rows that are on this worker, as of now.
    pub fn local(&self) -> LocalView<T> {
        LocalView { worker: self.worker.clone(), table: self.table, row: PhantomData }
    }
}

impl<T: Row<Window = Unwindowed<L>>, L> View<T> {
    /// The row's value. Fails with [`Unavailable`] while its partition moves or recovers.
    pub fn get<'v, Q: KeyRef<T::Key> + ?Sized>(
        &'v self,
        key: &Q,
    ) -> impl Future<Output = crate::Result<Option<T::Value>>> + use<'v, T, L, Q> {
        let key = key.to_key();
        async move { self.find(0, &key).await }
    }
}

impl<T: Row<Window: HasWindows>> View<T> {
    /// All windows of a key that are kept, the oldest first, and what is in them; of sessions and sliding windows too.
    /// Fails with [`Unavailable`] while their partition moves or recovers.
    ///
    /// ```
    /// # use faust::prelude::*;
    /// #[table("visits", window = session(30min), expires = 1d)]
    /// struct Visit { key: String, value: u64 }
    ///
    /// #[page("/visits/{user}")]
    /// async fn visits_of(Path(user): Path<String>, visits: View<Visit>) -> Result<String> {
    ///     let visits = visits.windows(&user).await?;
    ///     let lines = visits.iter().map(|(window, clicks)| format!("{}: {clicks} clicks\n", window.start));
    ///     Ok(lines.collect())
    /// }
    /// ```
    pub fn windows<'v, Q: KeyRef<T::Key> + ?Sized>(
        &'v self,
        key: &Q,
    ) -> impl Future<Output = crate::Result<Vec<(Window, T::Value)>>> + use<'v, T, Q> {
        let key = key.to_key();
        async move {
            let (mut text, mut partition_key) = (Vec::new(), Vec::new());
            key.encode(&mut text)?;
            T::encode_partition_key(&key, &mut partition_key)?;
            let here = |store: &dyn Store| rows_of_windows(store, &text);
            let rows = self.stored(&partition_key, here, &[("key", &text)]).await?;
            let mut windows = Vec::with_capacity(rows.len());
            for (key, value) in &rows {
                windows
                    .extend(read_rows::<T>(key, value)?.map(|(window, _, value)| (window, value)));
            }
            Ok(windows)
        }
    }
}

impl<T: Row<Window: ByTime>> View<T> {
    /// The window of a moment.
    pub fn at_time(&self, time: Timestamp) -> ViewInWindow<T> {
        let start = T::TABLE.window.map_or(0, |window| window.window(time).start.as_millis());
        ViewInWindow { view: self.clone(), start }
    }

    /// The window of the wall clock.
    pub fn now(&self) -> ViewInWindow<T> {
        self.at_time(self.worker.broker.now())
    }
}

/// One window of a table, read from anywhere.
pub struct ViewInWindow<T> {
    view: View<T>,
    start: i64,
}

impl<T: Row<Window: ByTime>> ViewInWindow<T> {
    /// The row's value in this window. Fails with [`Unavailable`] while its partition moves or recovers.
    pub fn get<'v, Q: KeyRef<T::Key> + ?Sized>(
        &'v self,
        key: &Q,
    ) -> impl Future<Output = crate::Result<Option<T::Value>>> + use<'v, T, Q> {
        let key = key.to_key();
        async move { self.view.find(self.start, &key).await }
    }
}

/// The rows of a table that are on this worker.
pub struct LocalView<T> {
    worker: Worker,
    table: usize,
    row: PhantomData<fn() -> T>,
}

impl<T: Row> LocalView<T> {
    /// How many rows are here: a counter, not a scan.
    pub fn len(&self) -> u64 {
        self.worker.stores_of(self.table).iter().map(|store| store.len()).sum()
    }

    /// Whether no row is here.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The rows that are here, with the start of their window (1970 without windows), partition by
    /// partition in the order of their encoded keys.
    pub fn rows(&self) -> crate::Result<Vec<(Timestamp, T::Key, T::Value)>> {
        let mut rows = Vec::new();
        let mut failed = None;
        for store in self.worker.stores_of(self.table) {
            store.scan(&[], &mut |key, value| match read_rows::<T>(key, value) {
                Ok(found) => {
                    rows.extend(found.map(|(window, key, value)| (window.start, key, value)));
                    true
                }
                Err(error) => {
                    failed = Some(error);
                    false
                }
            })?;
        }
        match failed {
            Some(error) => Err(error.into()),
            None => Ok(rows),
        }
    }
}

/// A stored row: of sliding windows it is several.
fn read_rows<T: Row>(
    key: &[u8],
    value: &[u8],
) -> Result<impl Iterator<Item = (Window, T::Key, T::Value)>, crate::CodecError> {
    let (start, key) = match (T::TABLE.window, key.split_first_chunk::<8>()) {
        (Some(_), Some((start, key))) => (i64::from_be_bytes(*start), key),
        _ => (0, key),
    };
    let key = T::Key::decode(key)?;
    let windows = T::Window::open::<T>(start, KeptRow::<T>::decode_value(value)?);
    Ok(windows.map(move |(window, value)| (window, key.clone(), value)))
}

impl<T: Row> AgentParam for View<T> {
    type PartitionKey = AnyKey;
    const USES: &'static [Use] = &[Use::View(TableUse::of::<T>())];

    fn bind(bind: &Bind<'_>) -> crate::Result<Self> {
        Self::new(bind.worker)
    }
}

impl<T: Row> Param for View<T> {
    const USES: &'static [Use] = &[Use::View(TableUse::of::<T>())];

    fn bind(worker: &Worker) -> crate::Result<Self> {
        Self::new(worker)
    }
}

/// Handles as parameters of pages.
macro_rules! in_pages {
    ($([$($generics:tt)*] [$($bound:tt)*] $handle:ty,)*) => {
        $(impl<$($generics)*> FromRequestParts<Worker> for $handle
        where
            $($bound)*
        {
            type Rejection = Response;

            async fn from_request_parts(_: &mut Parts, worker: &Worker) -> Result<Self, Response> {
                crate::web::from_worker(worker).await
            }
        })*
    };
}

in_pages! {
    [T: Row] [] View<T>,
    [T: Row<Window: ByKey>] [] super::Global<T>,
    [T: Row<Window: ByKey>] [] super::Remote<T>,
    [T: crate::define::Record + 'static] [] super::Sink<T>,
    [A: crate::agent::Agent] [] super::Ask<A>,
    [S: Default + Clone + Send + Sync + 'static] [] super::State<S>,
    [] [] super::Context,
    [] [] crate::Settings,
}
