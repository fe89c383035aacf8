//! What a function under `#[window_close]` is called with.

use crate::agent::{Agent, AgentInput, DeadLetter, Lane, LaneFuture, call, poll_guarded};
use crate::codec::{CodecError, Key};
use crate::define::{KeptRow, Only, Records, Row, Shape, TopicUse, Window};
use crate::kafka::Offset;
use crate::partition::{ClosedTo, Closer, Task};
use crate::table::{Cache, Span};
use crate::time::Timestamp;
use std::cmp::Ordering;
use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::hash::BuildHasher;
use std::marker::PhantomData;
use std::pin::pin;
use std::rc::Rc;

/// A row of a window that has closed; the input of a function under `#[window_close(Table)]`, which is called once with
/// each.
///
/// A window closes when the table's stream time has passed its end by `grace`: from then on nothing changes it. What
/// the function does is atomic, as with an event, and is committed together with the fact that the row is done: under
/// `exactly_once` it happens once, whatever crashes. What it sends carries the last millisecond of the window.
///
/// ```
/// use faust::prelude::*;
/// use faust::testing::TestApp;
///
/// #[topic("clicks", key = user)]
/// struct Click { user: String }
///
/// #[table("per-minute", window = tumbling(1min), grace = 10s, expires = 1h)]
/// struct PerMinute { key: String, value: u64 }
///
/// #[topic("totals", key = user)]
/// struct Total { user: String, minute: i64, clicks: u64 }
///
/// #[agent]
/// async fn count(click: Event<Click>, counts: Table<PerMinute>) -> Result<()> {
///     counts.at(&click).update(&click.user, |n| *n += 1).await
/// }
///
/// #[window_close(PerMinute)]
/// async fn total(row: Closed<PerMinute>, totals: Sink<Total>) -> Result<()> {
///     let minute = row.window.start.as_millis() / 60_000;
///     totals.send(Total { user: row.key, minute, clicks: row.value }).await
/// }
///
/// #[app("clicks", agents(count), windows(total))]
/// struct Clicks;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// # let settings = faust::Settings { topic_partitions: 1, ..Default::default() };
/// let app = TestApp::start_with::<Clicks>(settings).await?;
/// for second in [1, 30, 59, 71] {
///     let time = faust::Timestamp::from_millis(second * 1000);
///     app.send_at(Click { user: "ada".into() }, time).await?;
/// }
/// app.run_until_idle().await?;
/// let totals = app.outputs::<Total>()?;
/// assert_eq!(totals.len(), 1); // at second 71 the first minute has been over for more than 10 s
/// assert_eq!((totals[0].record.minute, totals[0].record.clicks), (0, 3));
/// # Ok(())
/// # }
/// ```
pub struct Closed<T: Row> {
    /// From when to when the window was.
    pub window: Window,
    /// The row's key.
    pub key: T::Key,
    /// Its value.
    pub value: T::Value,
}

impl<T: Row> Clone for Closed<T> {
    fn clone(&self) -> Self {
        Self { window: self.window, key: self.key.clone(), value: self.value.clone() }
    }
}

impl<T: Row<Key: fmt::Debug, Value: fmt::Debug>> fmt::Debug for Closed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Closed")
            .field("window", &self.window)
            .field("key", &self.key)
            .field("value", &self.value)
            .finish()
    }
}

/// What a closer reads: no topic.
#[derive(Debug)]
pub struct ClosedRows<T>(PhantomData<fn() -> T>);

#[diagnostic::do_not_recommend]
impl<T: Row> Records for ClosedRows<T> {
    type Of<'m> = Self;
    type Key = Only<T::PartitionKey>;
    const TOPICS: &'static [TopicUse] = &[];

    fn read<'m>(_: usize, _: Option<&'m [u8]>, _: Option<&'m [u8]>) -> Result<Self, CodecError> {
        Ok(Self(PhantomData))
    }

    fn topic(&self) -> usize {
        0
    }

    fn write_key(&self, _: &mut Vec<u8>) -> Result<bool, CodecError> {
        Ok(false)
    }

    fn write_value(&self, _: &mut Vec<u8>) -> Result<bool, CodecError> {
        Ok(false)
    }
}

/// A function that is called when windows close; `#[window_close]` implements it for a type that has the function's name.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not called when windows close",
    label = "not declared with `#[window_close(..)]`",
    note = "`windows(..)` lists functions under `#[window_close(Table)]`"
)]
pub trait WindowClose {
    /// The manifest lists it.
    fn listed() {}
}

/// That an input is what closes of table `T`.
#[diagnostic::on_unimplemented(
    message = "`#[window_close({T})]` is called with `Closed<{T}>`, not with `{Self}`",
    label = "not a row of `{T}` that has closed"
)]
pub trait ClosedOf<T> {}

impl<T: Row> ClosedOf<T> for Closed<T> {}

/// Compiles where `I` is what closes of `T`.
pub fn require_closed_of<T, I: ClosedOf<T>>() {}

/// Called per row of a closed window.
#[diagnostic::do_not_recommend]
impl<T: Row<PartitionKey: 'static>> AgentInput for Closed<T> {
    type Records = ClosedRows<T>;
    type Of<'m> = Self;
    const CLOSES: Option<&'static str> = Some(T::TABLE.name);

    fn run<A: Agent<Input = Self>>(lane: Lane, mut params: A::Params) -> LaneFuture {
        Box::pin(async move {
            let Some(mut rows) = ClosedWindows::<T>::of(&lane) else { return };
            while let Some((row, to)) = rows.next(&lane).await {
                let (offset, time) = (row.id(), row.last_moment());
                let mut attempt = 0;
                loop {
                    lane.state().begin_closed(offset, time);
                    let done = {
                        let mut call = pin!(call::<A>(row.clone(), &mut params));
                        poll_fn(|cx| poll_guarded(call.as_mut(), cx)).await
                    };
                    let Err(error) = done else { break };
                    if !lane.failed(offset, &error, &mut attempt).again().await {
                        lane.state().begin_closed(offset, time);
                        row.dead_letter(&lane, &error.to_string(), attempt);
                        break;
                    }
                }
                if let Err(error) = lane.state().settle_closed(&rows.closer, to) {
                    lane.state().task.worker.fail(error.to_string());
                }
            }
        })
    }
}

impl<T: Row> Closed<T> {
    /// What stands for an offset: the same for the same row, so that a replay asks with the same correlation ids.
    fn id(&self) -> Offset {
        let hasher = foldhash::fast::FixedState::default();
        (hasher.hash_one((self.window.start, &self.key)) >> 1) as Offset
    }

    fn last_moment(&self) -> Timestamp {
        Timestamp::from_millis(self.window.end.as_millis() - 1)
    }

    /// Keeps the row as a dead letter, as an effect of its closing.
    fn dead_letter(&self, lane: &Lane, error: &str, attempts: u32) {
        let (mut key, mut value) = (Vec::new(), Vec::new());
        let encoded =
            self.key.encode(&mut key).and_then(|()| T::encode_value(&self.value, &mut value));
        let Window { start, end } = self.window;
        let headers = vec![
            ("faust-table".to_string(), T::TABLE.name.as_bytes().to_vec()),
            ("faust-window".to_string(), format!("{start}/{end}").into_bytes()),
        ];
        tracing::error!(
            table = T::TABLE.name, window = %start, key = %String::from_utf8_lossy(&key), error,
            "a row of a closed window failed for good; it goes to the dead letters"
        );
        lane.stage_dead_letter(DeadLetter {
            key: Some(&key),
            value: encoded.is_ok().then_some(&value),
            timestamp: self.last_moment(),
            headers,
            error,
            attempts,
        });
    }
}

/// How many rows are read at a time.
const CHUNK: usize = 256;

/// The rows of closed windows that a closer has not done, in the order of windows and encoded keys.
struct ClosedWindows<T: Row> {
    closer: Rc<Closer>,
    /// What was read and is not done.
    rows: VecDeque<Closed<T>>,
    /// Behind the last row that was read, as the store has its key; empty: the begin of the window.
    from: Vec<u8>,
    row: PhantomData<fn() -> T>,
}

impl<T: Row> ClosedWindows<T> {
    fn of(lane: &Lane) -> Option<Self> {
        let state = lane.state();
        let mut closers = state.task.closers.iter();
        let closer = closers.find(|closer| Rc::ptr_eq(&closer.reader, &state.reader))?.clone();
        Some(Self { closer, rows: VecDeque::new(), from: Vec::new(), row: PhantomData })
    }

    /// The next row, once there is one, with where the closer is when it is done; `None` when the task stops.
    async fn next(&mut self, lane: &Lane) -> Option<(Closed<T>, ClosedTo)> {
        let task = &lane.state().task;
        loop {
            lane.room().await;
            // From here on nothing that happens is missed.
            let changed = task.closing.notified();
            if lane.stopping() {
                return None;
            }
            let below = task.closed_below(self.closer.table);
            if self.rows.is_empty() && self.is_held(lane, below) {
                task.row_release().await;
                continue;
            }
            if self.rows.is_empty()
                && let Err(error) = self.read(task, below)
            {
                task.worker.fail(error.to_string());
                return None;
            }
            if let Some(row) = self.rows.pop_front() {
                let ClosedTo { start, rows } = self.closer.at.get();
                return Some((row, ClosedTo { start, rows: rows + 1 }));
            }
            self.closer.done_below.set(below);
            changed.await;
        }
    }

    fn cache<'t>(&self, task: &'t Task) -> Option<&'t Cache<KeptRow<T>>> {
        task.tables.get(usize::from(self.closer.table))?.as_any().downcast_ref()
    }

    /// Whether an event that is not done has written to a window that is closed by now.
    fn is_held(&self, lane: &Lane, below: i64) -> bool {
        let task = &lane.state().task;
        let Some(cache) = self.cache(task) else { return false };
        let lanes = task.lanes.borrow();
        let mut written = lanes.iter().flat_map(|lane| lane.touched(self.closer.table));
        written.any(|row| cache.lock().window_of(row).is_some_and(|start| start < below))
    }

    /// Reads the next rows of windows that start below, from window to window.
    fn read(&mut self, task: &Task, below: i64) -> crate::Result<()> {
        let Some(cache) = self.cache(task) else { return Ok(()) };
        let cache = cache.lock();
        loop {
            let ClosedTo { start, rows } = self.closer.at.get();
            if (0..below).contains(&start) {
                // After a restart only the count is known.
                let done = if self.from.is_empty() { rows as usize } else { 0 };
                let span = Span {
                    start,
                    from: self.from.clone(),
                    place: &|_| Ordering::Equal,
                    prefix: &[],
                    most: done + CHUNK,
                };
                let rows = cache.scan(&span, 0, std::iter::empty())?;
                if let Some((key, _)) = rows.last() {
                    self.from.clear();
                    key.encode(&mut self.from)?;
                    // The least key behind it.
                    self.from.push(0);
                }
                let closed = rows.into_iter().flat_map(|(key, stored)| {
                    let windows = T::Window::open::<T>(start, stored);
                    windows.map(move |(window, value)| Closed { window, key: key.clone(), value })
                });
                self.rows.extend(closed.skip(done));
                if !self.rows.is_empty() {
                    return Ok(());
                }
            }
            let Some(start) = cache.first_window(start.saturating_add(1), below)? else {
                return Ok(());
            };
            self.closer.at.set(ClosedTo { start, rows: 0 });
            self.from.clear();
        }
    }
}
