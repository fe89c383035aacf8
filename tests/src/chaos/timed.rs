//! What windows, sessions and rows that expire must have been: computed anew from the sales, in the order of their
//! partitions, by the rules that users are told.

use super::feed::PARTITIONS;
use super::oracle::{Order, Sale};
use faust_kafka::partition_for;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// As the tables of the app declare it, in milliseconds.
const WINDOW: i64 = 2_000;
const GAP: i64 = 300;
const GRACE: i64 = 3_000;
const TTL: i64 = 300;

/// What a window was when it closed.
#[derive(Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Closing {
    table: String,
    item: String,
    first: i64,
    end: i64,
    total: u64,
}

#[derive(Default)]
pub(super) struct Timed {
    /// Of each sale, how long the streak was at it; of one that is there several times, each time.
    pub(super) lengths: BTreeMap<u64, Vec<u64>>,
    /// What has closed by the end.
    pub(super) closings: BTreeSet<Closing>,
    /// How many sales came when their window or their session had closed.
    pub(super) late: usize,
}

/// One partition: its stream time, and what is open.
#[derive(Default)]
struct Partition<'a> {
    time: i64,
    /// By item and start.
    windows: BTreeMap<(&'a str, i64), u64>,
    sessions: BTreeMap<&'a str, Vec<Session>>,
    /// When it was last written, and its length.
    streaks: BTreeMap<&'a str, (i64, u64)>,
}

#[derive(Clone, Copy)]
struct Session {
    first: i64,
    last: i64,
    total: u64,
}

impl Session {
    /// A session can be extended as long as the stretch of time that its last event is in, and the next one, are open.
    fn is_closed(&self, time: i64) -> bool {
        self.last / GAP * GAP + 2 * GAP + GRACE <= time
    }
}

impl Timed {
    pub(super) fn of(orders: &[Order], sales: &[Sale]) -> Self {
        let at: BTreeMap<u64, i64> = orders.iter().map(|order| (order.id, order.at)).collect();
        let mut this = Self::default();
        let mut partitions = BTreeMap::<i32, Partition<'_>>::new();
        for sale in sales {
            let partition = partition_for(sale.item.as_bytes(), PARTITIONS);
            let at = at.get(&sale.id).copied().unwrap_or_default();
            this.count(partitions.entry(partition).or_default(), sale, at);
        }
        for partition in partitions.into_values() {
            this.close(partition);
        }
        this
    }

    fn count<'a>(&mut self, partition: &mut Partition<'a>, sale: &'a Sale, at: i64) {
        let (time, item) = (partition.time, sale.item.as_str());
        partition.time = time.max(at);

        let start = at / WINDOW * WINDOW;
        if start + WINDOW + GRACE > time {
            *partition.windows.entry((item, start)).or_default() += sale.amount;
        } else {
            self.late += 1;
        }

        let mut session = Session { first: at, last: at, total: sale.amount };
        if session.is_closed(time) {
            self.late += 1;
        } else {
            let sessions = partition.sessions.entry(item).or_default();
            sessions.retain(|other| {
                let apart = other.first > at + GAP || other.last < at - GAP;
                let stays = apart || other.is_closed(time);
                if !stays {
                    session.first = session.first.min(other.first);
                    session.last = session.last.max(other.last);
                    session.total += other.total;
                }
                stays
            });
            sessions.push(session);
        }

        let lives = |(written, _): &&mut (i64, u64)| *written + TTL > time.max(at);
        let length = match partition.streaks.get_mut(item).filter(lives) {
            Some((written, length)) => {
                *written = at.max(*written);
                *length += 1;
                *length
            }
            None => {
                partition.streaks.insert(item, (at, 1));
                1
            }
        };
        self.lengths.entry(sale.id).or_default().push(length);
    }

    fn close(&mut self, Partition { time, windows, sessions, .. }: Partition<'_>) {
        for ((item, first), total) in windows {
            let end = first + WINDOW;
            if end + GRACE <= time {
                self.closing("trend", item, first, end, total);
            }
        }
        for (item, sessions) in sessions {
            for Session { first, last, total } in
                sessions.into_iter().filter(|it| it.is_closed(time))
            {
                self.closing("rush", item, first, last + 1, total);
            }
        }
    }

    fn closing(&mut self, table: &str, item: &str, first: i64, end: i64, total: u64) {
        let (table, item) = (table.to_string(), item.to_string());
        self.closings.insert(Closing { table, item, first, end, total });
    }
}
