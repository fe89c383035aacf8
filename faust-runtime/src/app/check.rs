//! Checks of declarations at compile time. Each is a `#[track_caller] const fn` that panics with a composed message:
//! rustc shows it as one error at the token that the macro gave the call.

mod count;
mod entry;
mod index;
mod message;
mod same;
#[cfg(test)]
mod tests;

use self::count::require_one_count;
pub use self::count::{require_copartitioned, require_variant};
use self::entry::{Entry, Mention, nth};
pub use self::index::Index;
use self::index::Name;
use self::message::Message;
pub(super) use self::same::same_topic;
use self::same::{same, same_place};
use super::AppDef;
use crate::agent::{Agent, AgentInput, AgentName, AgentParam, AgentParamOf, Known, Use};
use crate::define::{Agrees, HasWindows, Place, Records, Row, TableDef};
use std::marker::PhantomData;

/// That the rows of parameter `N` are where the agent's events are: [`agree`](Self::agree) exists where the parameter
/// is made of handles, and demands that they agree; elsewhere, which is an error already, [`OwnsNone::agree`] takes its place.
#[derive(Debug)]
pub struct Keys<A, const N: usize>(PhantomData<A>);

impl<A, H, I, R, const N: usize> Keys<A, N>
where
    A: Agent<Input = I> + AgentParamOf<N, Handle = H>,
    H: AgentParam<PartitionKey: Known>,
    I: AgentInput<Records = R>,
    R: Records,
{
    /// Compiles where the keys are the same.
    pub fn agree()
    where
        H::PartitionKey: Agrees<R::Key>,
    {
    }
}

/// That a table has windows, and that they close.
#[track_caller]
pub const fn require_closes<T: Row<Window: HasWindows>>() {
    let TableDef { name, grace, expires, .. } = T::TABLE;
    if grace.is_none() && expires.is_none() {
        let message = Message::new().text("windows of table ").name(name).text(" never close");
        message.text(": say how long they take late events, `grace = 10s`").fail();
    }
}

/// The check of a parameter that is no handle: none.
pub trait OwnsNone {
    /// Compiles always.
    fn agree() {}
}

impl<A, const N: usize> OwnsNone for Keys<A, N> {}

/// That the manifest lists nothing twice, lists whom its functions ask, and that each topic and table in it is declared
/// once; all of it over the parts too. An app by hand says `const _: () = require_app(&MyApp::APP);`.
#[track_caller]
pub const fn require_app(app: &AppDef) {
    let app = &Index::of(app);
    let mut number = 0;
    while Entry::nth(app.app, number).is_some() {
        require_entry(app, number);
        number += 1;
    }
    let mut number = 0;
    while number < app.app.external.len() {
        require_external(app, number);
        number += 1;
    }
}

/// The same for one entry, counted over agents, timers, tasks, pages, commands and hooks in this order, then over those of
/// the parts: its faults, and those between it and the entries before it.
#[track_caller]
pub const fn require_entry(app: &Index<'_>, number: usize) {
    require_fits(app, number, Others::All);
    if let Some(entry) = Entry::nth(app.app, number) {
        require_asked(app, &entry);
    }
}

/// The same for the entries of one part: what is between them and the app, or the parts before it. What is between
/// themselves is the part's own.
#[track_caller]
pub const fn require_part(app: &Index<'_>, number: usize) {
    let Some(part) = nth(app.app.parts, number) else { return };
    let mut first = Entry::own(app.app);
    let mut before = app.app.parts;
    while let [other, rest @ ..] = before
        && rest.len() + number >= app.app.parts.len()
    {
        first += Entry::count(other);
        before = rest;
    }
    let mut entry = first;
    while entry < first + Entry::count(part) {
        require_fits(app, entry, Others::Before(first));
        entry += 1;
    }
}

/// That an agent that runs elsewhere does not run here.
#[track_caller]
pub const fn require_external(app: &Index<'_>, number: usize) {
    let Some(agent) = nth(app.app.external, number) else { return };
    if runs(app, agent) {
        Message::new()
            .text("agent ")
            .name(agent.name)
            .text(" is external, but app ")
            .name(app.app.id)
            .text(" runs it: take one of them out")
            .fail();
    }
    let mut i = 0;
    while i < number
        && let Some(other) = nth(app.app.external, i)
    {
        if same_place(other.place, agent.place) && same(other.name, agent.name) {
            Message::new().text("agent ").name(agent.name).text(" is listed twice").fail();
        }
        i += 1;
    }
}

/// With which of the entries before it an entry is compared.
#[derive(Clone, Copy)]
enum Others {
    All,
    /// Those of the app and of the parts before its own.
    Before(usize),
}

impl Others {
    const fn has(self, index: usize) -> bool {
        match self {
            Self::All => true,
            Self::Before(first) => index < first,
        }
    }
}

/// The faults between an entry and others before it.
#[track_caller]
const fn require_fits(app: &Index<'_>, number: usize, others: Others) {
    let Some(entry) = Entry::nth(app.app, number) else { return };
    require_once(app, number, others, &entry);
    require_one_declaration(app, number, others, &entry);
    require_one_count(app, number, others, &entry);
}

/// No two entries of a kind have one name, no two pages answer one request. Timers and tasks of parts may have the same
/// names: nothing goes by them.
#[track_caller]
const fn require_once(app: &Index<'_>, number: usize, others: Others, entry: &Entry) {
    let mut named = app.named(Name::Entry(entry.kind, entry.name));
    while let Some(found) = named.next()
        && found.entry < number
        && let Some(other) = Entry::nth(app.app, found.entry)
    {
        if !others.has(found.entry)
            || !same(other.kind, entry.kind)
            || !same(other.name, entry.name)
        {
            continue;
        }
        if same_place(other.place, entry.place) {
            Message::new()
                .text(entry.kind)
                .text(" ")
                .name(entry.name)
                .text(" is listed twice")
                .fail();
        }
        let goes_by = matches!(others, Others::All)
            || !matches!(entry.kind.as_bytes(), b"timer" | b"task" | b"hook");
        if goes_by && entry.page.is_none() {
            Message::new()
                .text("two ")
                .text(entry.kind)
                .text("s are named ")
                .name(entry.name)
                .text(": ")
                .places(other.place, entry.place)
                .fail();
        }
    }
    let Some(page) = entry.page else { return };
    let mut named = app.named(Name::Page(page.method, page.path));
    while let Some(found) = named.next()
        && found.entry < number
        && let Some(other) = Entry::nth(app.app, found.entry)
    {
        if others.has(found.entry)
            && let Some(other) = other.page
            && other.method as u8 == page.method as u8
            && same(other.path, page.path)
        {
            Message::new()
                .text("two pages answer `")
                .text(entry::method(page.method))
                .text(" ")
                .text(page.path)
                .text("`: ")
                .places(other.place, page.place)
                .fail();
        }
    }
}

/// A topic that is declared twice says the same twice; a table is declared once.
#[track_caller]
const fn require_one_declaration(app: &Index<'_>, number: usize, others: Others, entry: &Entry) {
    let mut m = 0;
    while let Some(mention) = entry.mention(m) {
        if let Some(other) = earlier_conflict(app, (number, m), others, &mention) {
            let (what, name, place) = match mention {
                Mention::Topic(topic) => ("topic ", topic.name, topic.place),
                Mention::Table(table) => ("table ", table.name, table.place),
            };
            let message = Message::new().text(what).name(name).text(" is declared twice");
            let message = match mention {
                Mention::Topic(_) => message.text(", and differently: "),
                Mention::Table(_) => message.text(": "),
            };
            message.places(other, place).fail();
        }
        m += 1;
    }
}

/// Another declaration of what is mentioned, if this mention is the first of its own declaration: so that a conflict
/// is reported once.
const fn earlier_conflict(
    app: &Index<'_>,
    (number, mention_number): (usize, usize),
    others: Others,
    mention: &Mention,
) -> Option<Place> {
    let mut conflict = None;
    let mut named = app.named(Name::of(mention));
    while let Some(found) = named.next()
        && let Some(m) = found.mention
        && (found.entry < number || found.entry == number && m < mention_number)
        && let Some(entry) = Entry::nth(app.app, found.entry)
        && let Some(other) = entry.mention(m)
    {
        let beside = others.has(found.entry);
        match (&other, mention) {
            (Mention::Topic(a), Mention::Topic(b)) if same(a.name, b.name) => {
                if same_place(a.place, b.place) {
                    return None;
                }
                if beside && !same_topic(a, b) {
                    conflict = Some(a.place);
                }
            }
            (Mention::Table(a), Mention::Table(b)) if same(a.name, b.name) => {
                if same_place(a.place, b.place) {
                    return None;
                }
                if beside {
                    conflict = Some(a.place);
                }
            }
            _ => {}
        }
    }
    conflict
}

/// Whom an entry asks runs in the app or a part of it, or is said to run elsewhere.
#[track_caller]
const fn require_asked(app: &Index<'_>, entry: &Entry) {
    let mut u = 0;
    while let Some(used) = entry.used(u) {
        if let Use::Ask(asked) = used
            && !runs(app, asked)
            && !is_external(app.app, asked)
        {
            Message::new()
                .text(entry.kind)
                .text(" ")
                .name(entry.name)
                .text(" asks agent ")
                .name(asked.name)
                .text(", which app ")
                .name(app.app.id)
                .text(" does not list: add it to `agents(..)`, or to `external(..)` if another app runs it")
                .fail();
        }
        u += 1;
    }
}

const fn runs(app: &Index<'_>, asked: &AgentName) -> bool {
    let mut named = app.named(Name::Entry("agent", asked.name));
    while let Some(found) = named.next()
        && let Some(entry) = Entry::nth(app.app, found.entry)
    {
        if entry.agent.is_some()
            && same(entry.name, asked.name)
            && same_place(entry.place, asked.place)
        {
            return true;
        }
    }
    false
}

const fn is_external(app: &AppDef, asked: &AgentName) -> bool {
    let mut external = app.external;
    while let [agent, rest @ ..] = external {
        if same(agent.name, asked.name) && same_place(agent.place, asked.place) {
            return true;
        }
        external = rest;
    }
    let mut parts = app.parts;
    while let [part, rest @ ..] = parts {
        if is_external(part, asked) {
            return true;
        }
        parts = rest;
    }
    false
}
