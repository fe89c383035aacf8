//! Checks of declarations at compile time. Each is a `#[track_caller] const fn` that panics with a composed message:
//! rustc shows it as one error at the token that the macro gave the call.

mod entry;
mod message;
mod same;
#[cfg(test)]
mod tests;

use self::entry::{Entry, Mention, nth};
use self::message::Message;
use self::same::{same, same_place, same_topic};
use super::AppDef;
use crate::agent::{
    Agent, AgentDef, AgentInput, AgentName, AgentParam, AgentParamOf, OwnsRows, Use,
};
use crate::define::{Place, Record, SameKey, TableDef};
use std::marker::PhantomData;

/// That a parameter's tables have as many partitions as the agent's topic, where both say.
#[track_caller]
pub const fn require_copartitioned<A: Agent + AgentParamOf<N>, const N: usize>() {
    let topic = <A::Input as AgentInput>::Record::TOPIC;
    let mut uses = <A::Handle as AgentParam>::USES;
    while let [first, rest @ ..] = uses {
        if let Use::Table(used) = first
            && let (Some(owned), Some(read)) = (used.table.partitions, topic.partitions)
            && owned != read
        {
            Message::new()
                .text("agent ")
                .name(A::OPTIONS.name)
                .text(" reads topic ")
                .name(topic.name)
                .text(" in ")
                .number(read)
                .text(" partitions but owns table ")
                .name(used.table.name)
                .text(" in ")
                .number(owned)
                .text(": give both the same count")
                .fail();
        }
        uses = rest;
    }
}

/// That the rows of parameter `N` are where the agent's events are: [`agree`](Self::agree) exists where the parameter
/// owns rows, and demands [`SameKey`]; elsewhere [`OwnsNone::agree`] takes its place.
#[derive(Debug)]
pub struct Keys<A, const N: usize>(PhantomData<A>);

impl<A, H, I, R, const N: usize> Keys<A, N>
where
    A: Agent<Input = I> + AgentParamOf<N, Handle = H>,
    H: OwnsRows,
    I: AgentInput<Record = R>,
    R: Record,
{
    /// Compiles where the keys are the same.
    pub fn agree()
    where
        H::PartitionKey: SameKey<R::Key>,
    {
    }
}

/// The check of a parameter that owns no rows: none.
pub trait OwnsNone {
    /// Compiles always.
    fn agree() {}
}

impl<A, const N: usize> OwnsNone for Keys<A, N> {}

/// That the manifest lists nothing twice, lists whom its functions ask, and that each topic and table in it is declared
/// once. An app by hand says `const _: () = require_app(&MyApp::APP);`.
#[track_caller]
pub const fn require_app(app: &AppDef) {
    let mut index = 0;
    while Entry::nth(app, index).is_some() {
        require_entry(app, index);
        index += 1;
    }
}

/// The same for one entry, counted over agents, timers, tasks, pages and commands in this order: its faults, and those
/// between it and the entries before it.
#[track_caller]
pub const fn require_entry(app: &AppDef, index: usize) {
    let Some(entry) = Entry::nth(app, index) else { return };
    require_once(app, index, &entry);
    require_one_declaration(app, index, &entry);
    require_one_count(app, index, &entry);
    require_asked(app, &entry);
}

/// No two entries of a kind have one name, no two pages answer one request.
#[track_caller]
const fn require_once(app: &AppDef, index: usize, entry: &Entry) {
    let mut i = 0;
    while i < index
        && let Some(other) = Entry::nth(app, i)
    {
        i += 1;
        if !same(other.kind, entry.kind) {
            continue;
        }
        if same(other.name, entry.name) && same_place(other.place, entry.place) {
            Message::new()
                .text(entry.kind)
                .text(" ")
                .name(entry.name)
                .text(" is listed twice")
                .fail();
        }
        if let (Some(a), Some(b)) = (other.page, entry.page) {
            if a.method as u8 == b.method as u8 && same(a.path, b.path) {
                Message::new()
                    .text("two pages answer `")
                    .text(entry::method(b.method))
                    .text(" ")
                    .text(b.path)
                    .text("`: ")
                    .places(a.place, b.place)
                    .fail();
            }
        } else if same(other.name, entry.name) {
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
}

/// A topic that is declared twice says the same twice; a table is declared once.
#[track_caller]
const fn require_one_declaration(app: &AppDef, index: usize, entry: &Entry) {
    let mut m = 0;
    while let Some(mention) = entry.mention(m) {
        if let Some(other) = earlier_conflict(app, index, m, &mention) {
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
    app: &AppDef,
    index: usize,
    mention_index: usize,
    mention: &Mention,
) -> Option<Place> {
    let mut conflict = None;
    let mut i = 0;
    while i <= index
        && let Some(entry) = Entry::nth(app, i)
    {
        let mut m = 0;
        while (i < index || m < mention_index)
            && let Some(other) = entry.mention(m)
        {
            match (&other, mention) {
                (Mention::Topic(a), Mention::Topic(b)) if same(a.name, b.name) => {
                    if same_place(a.place, b.place) {
                        return None;
                    }
                    if !same_topic(a, b) {
                        conflict = Some(a.place);
                    }
                }
                (Mention::Table(a), Mention::Table(b)) if same(a.name, b.name) => {
                    if same_place(a.place, b.place) {
                        return None;
                    }
                    conflict = Some(a.place);
                }
                _ => {}
            }
            m += 1;
        }
        i += 1;
    }
    conflict
}

/// The agents that own one table read topics of one partition count, where the topics say it and the table does not.
#[track_caller]
const fn require_one_count(app: &AppDef, index: usize, entry: &Entry) {
    let Some(agent) = entry.agent else { return };
    let mut u = 0;
    while let Some(used) = entry.used(u) {
        u += 1;
        let Use::Table(used) = used else { continue };
        let mut i = 0;
        while i < index
            && let Some(other) = nth(app.agents, i)
        {
            if used.table.partitions.is_none()
                && owns(other, &used.table)
                && let (Some(a), Some(b)) = (other.input.partitions, agent.input.partitions)
                && a != b
            {
                Message::new()
                    .text("agents ")
                    .name(other.options.name)
                    .text(" and ")
                    .name(agent.options.name)
                    .text(" own table ")
                    .name(used.table.name)
                    .text(", but topic ")
                    .name(other.input.name)
                    .text(" has ")
                    .number(a)
                    .text(" partitions and topic ")
                    .name(agent.input.name)
                    .text(" has ")
                    .number(b)
                    .text(": give both the same count")
                    .fail();
            }
            i += 1;
        }
    }
}

const fn owns(agent: &AgentDef, table: &TableDef) -> bool {
    let entry = Entry::new("agent", agent.options.name, agent.options.place, agent.uses);
    let mut u = 0;
    while let Some(used) = entry.used(u) {
        if let Use::Table(used) = used
            && same(used.table.name, table.name)
        {
            return true;
        }
        u += 1;
    }
    false
}

/// Whom an entry asks, the app or a part of it lists.
#[track_caller]
const fn require_asked(app: &AppDef, entry: &Entry) {
    let mut u = 0;
    while let Some(used) = entry.used(u) {
        if let Use::Ask(asked) = used
            && !lists(app, asked)
        {
            Message::new()
                .text(entry.kind)
                .text(" ")
                .name(entry.name)
                .text(" asks agent ")
                .name(asked.name)
                .text(", which app ")
                .name(app.id)
                .text(" does not list")
                .fail();
        }
        u += 1;
    }
}

const fn lists(app: &AppDef, asked: &AgentName) -> bool {
    let mut agents = app.agents;
    while let [agent, rest @ ..] = agents {
        if same(agent.options.name, asked.name) && same_place(agent.options.place, asked.place) {
            return true;
        }
        agents = rest;
    }
    let mut parts = app.parts;
    while let [part, rest @ ..] = parts {
        if lists(part, asked) {
            return true;
        }
        parts = rest;
    }
    false
}
