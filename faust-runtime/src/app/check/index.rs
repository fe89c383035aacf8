//! What an app's entries are and mention, found by name: comparing each with each would take rustc seconds.

use super::count::{Count, count_of};
use super::entry::{Entry, Mention, nth};
use super::message::Message;
use super::same::same;
use crate::app::AppDef;
use crate::web::Method;

/// A manifest with its index. Made once an app, for all checks of its entries.
#[derive(Clone, Copy)]
pub struct Index<'a> {
    pub(super) app: &'a AppDef,
    /// By the last bits of a name's hash: the first and the last that have them, counted from 1.
    first: [u16; MOST],
    last: [u16; MOST],
    found: [Found; MOST],
    len: usize,
    /// What each entry says of its partitions.
    pub(super) counts: [Option<Count>; MOST],
    /// All that say something say the same.
    pub(super) one_count: bool,
}

/// As many entries and mentions as an app may have.
pub(super) const MOST: usize = 4096;

/// An entry by its name, or one of its mentions.
#[derive(Clone, Copy)]
pub(super) struct Found {
    pub(super) entry: usize,
    /// Which of the entry's mentions; `None`: the entry itself.
    pub(super) mention: Option<usize>,
    hash: u64,
    next: u16,
}

/// What there is a name for.
#[derive(Clone, Copy)]
pub(super) enum Name {
    Entry(&'static str, &'static str),
    Page(Method, &'static str),
    Topic(&'static str),
    Table(&'static str),
}

impl Name {
    pub(super) const fn of(mention: &Mention) -> Self {
        match mention {
            Mention::Topic(topic) => Self::Topic(topic.name),
            Mention::Table(table) => Self::Table(table.name),
        }
    }

    const fn hash(self) -> u64 {
        let (kind, name) = match self {
            Self::Entry(kind, name) => (fnv(FNV, kind), name),
            Self::Page(method, path) => (FNV ^ method as u64, path),
            Self::Topic(name) => (FNV + 8, name),
            Self::Table(name) => (FNV + 9, name),
        };
        fnv(kind, name)
    }
}

/// FNV-1a.
const FNV: u64 = 0xcbf2_9ce4_8422_2325;

const fn fnv(mut hash: u64, text: &str) -> u64 {
    let mut bytes = text.as_bytes();
    while let [byte, rest @ ..] = bytes {
        hash = (hash ^ *byte as u64).wrapping_mul(0x0100_0000_01b3);
        bytes = rest;
    }
    hash
}

impl<'a> Index<'a> {
    /// Reads the manifest.
    #[track_caller]
    pub const fn of(app: &'a AppDef) -> Self {
        const NOTHING: Found = Found { entry: 0, mention: None, hash: 0, next: 0 };
        let mut index = Self {
            app,
            first: [0; MOST],
            last: [0; MOST],
            found: [NOTHING; MOST],
            len: 0,
            counts: [None; MOST],
            one_count: true,
        };
        let mut seen: Option<Count> = None;
        let mut number = 0;
        while let Some(entry) = Entry::nth(app, number) {
            index.add(Name::Entry(entry.kind, entry.name), number, None);
            if let Some(page) = entry.page {
                index.add(Name::Page(page.method, page.path), number, None);
            }
            let mut m = 0;
            while let Some(mention) = entry.mention(m) {
                index.add(Name::of(&mention), number, Some(m));
                m += 1;
            }
            if let Some(agent) = entry.agent
                && let Some(count) = count_of(agent)
            {
                if let Some(other) = seen
                    && other.partitions != count.partitions
                {
                    index.one_count = false;
                }
                seen = Some(count);
                set(&mut index.counts, number, Some(count));
            }
            number += 1;
        }
        index
    }

    #[track_caller]
    const fn add(&mut self, name: Name, entry: usize, mention: Option<usize>) {
        if self.len + 1 >= MOST {
            let message = Message::new().text("app ").name(self.app.id).text(" has more than ");
            let message = message.number(MOST as u32).text(" entries and handles: divide it, ");
            message.text("and run its parts as apps of their own").fail();
        }
        let hash = name.hash();
        let bucket = hash as usize % MOST;
        let number = self.len as u16 + 1;
        match nth(&self.last, bucket) {
            Some(0) | None => set(&mut self.first, bucket, number),
            Some(last) => {
                if let Some((_, [found, ..])) = self.found.split_at_mut_checked(*last as usize - 1)
                {
                    found.next = number;
                }
            }
        }
        set(&mut self.last, bucket, number);
        set(&mut self.found, self.len, Found { entry, mention, hash, next: 0 });
        self.len += 1;
    }

    /// What has this name, in the order of the manifest. Two names may have one hash: whoever asks compares.
    pub(super) const fn named(&self, name: Name) -> Named<'_> {
        let hash = name.hash();
        match nth(&self.first, hash as usize % MOST) {
            Some(first) => Named { found: &self.found, hash, next: *first },
            None => Named { found: &self.found, hash, next: 0 },
        }
    }

    pub(super) const fn count(&self, entry: usize) -> Option<Count> {
        match nth(&self.counts, entry) {
            Some(count) => *count,
            None => None,
        }
    }
}

/// What has a name.
pub(super) struct Named<'a> {
    found: &'a [Found],
    hash: u64,
    next: u16,
}

impl Named<'_> {
    pub(super) const fn next(&mut self) -> Option<Found> {
        while self.next > 0
            && let Some(found) = nth(self.found, self.next as usize - 1)
        {
            self.next = found.next;
            if found.hash == self.hash {
                return Some(*found);
            }
        }
        None
    }
}

pub(super) const fn set<T: Copy>(slice: &mut [T], index: usize, value: T) {
    if let Some((_, [place, ..])) = slice.split_at_mut_checked(index) {
        *place = value;
    }
}

/// Whether two entries read one topic or own one table: then they are co-partitioned.
pub(super) const fn share(a: &Entry, b: &Entry) -> bool {
    let mut n = 0;
    while let Some(mine) = a.mention(n) {
        if a.holds(n) {
            let mut o = 0;
            while let Some(other) = b.mention(o) {
                if b.holds(o) && same_name(&mine, &other) {
                    return true;
                }
                o += 1;
            }
        }
        n += 1;
    }
    false
}

const fn same_name(a: &Mention, b: &Mention) -> bool {
    match (a, b) {
        (Mention::Topic(a), Mention::Topic(b)) => same(a.name, b.name),
        (Mention::Table(a), Mention::Table(b)) => same(a.name, b.name),
        _ => false,
    }
}
