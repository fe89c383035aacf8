//! Partition counts: what is co-partitioned has one, as far as declarations say it. Counts that only the broker or the
//! settings know are compared when a worker starts.

use super::Others;
use super::entry::{Entry, nth};
use super::index::{Index, MOST, Name, set, share};
use super::message::Message;
use super::same::same;
use crate::agent::{Agent, AgentDef, AgentParam, AgentParamOf, AgentParams, TopicsOf, Use};
use crate::define::{Records, TopicUse, VariantOf};

/// A declared count, and who declares it.
#[derive(Clone, Copy)]
pub(super) struct Count {
    what: &'static str,
    name: &'static str,
    pub(super) partitions: u32,
}

impl Message {
    /// "topic `words` has 4 partitions and table `counts` has 8: .."
    #[track_caller]
    const fn fail_with(self, a: &Count, b: &Count) -> ! {
        let said = self.text(a.what).text(" ").name(a.name).text(" has ").number(a.partitions);
        let said = said.text(" partitions and ").text(b.what).text(" ").name(b.name).text(" has ");
        said.number(b.partitions).text(": give both the same count").fail()
    }
}

/// That a parameter's tables have as many partitions as what the agent reads, where both say; where no topic says, as
/// many as the tables in front of them.
#[track_caller]
pub const fn require_copartitioned<A: Agent + AgentParamOf<N>, const N: usize>() {
    let agent = A::OPTIONS.name;
    let topic = topic_count(TopicsOf::<A>::TOPICS);
    let mut uses = <A::Handle as AgentParam>::USES;
    while let [first, rest @ ..] = uses {
        if let Some(owned) = table_count(first) {
            let (expected, reads) = match topic {
                Some(read) => (Some(read), true),
                None => (first_table_count(<A::Params as AgentParams>::USES), false),
            };
            if let Some(expected) = expected
                && expected.partitions != owned.partitions
            {
                let message = Message::new().text("agent ").name(agent);
                let message = match reads {
                    true => message.text(" reads topic ").name(expected.name).text(" in "),
                    false => message.text(" owns table ").name(expected.name).text(" in "),
                };
                message
                    .number(expected.partitions)
                    .text(if reads {
                        " partitions but owns table "
                    } else {
                        " partitions and table "
                    })
                    .name(owned.name)
                    .text(" in ")
                    .number(owned.partitions)
                    .text(": give both the same count")
                    .fail();
            }
        }
        uses = rest;
    }
}

/// That variant `N` of an enum of records is of another topic than those in front of it, in as many partitions.
#[track_caller]
pub const fn require_variant<E: Records + VariantOf<N>, const N: usize>() {
    let Some(this) = nth(E::TOPICS, N) else { return };
    let (before, _) = E::TOPICS.split_at(N);
    let mut others = before;
    while let [other, rest @ ..] = others {
        if same(other.topic.name, this.topic.name) {
            Message::new().text("topic ").name(this.topic.name).text(" is here twice").fail();
        }
        others = rest;
    }
    if let (Some(a), Some(b)) = (topic_count(before), topic_count(&[*this]))
        && a.partitions != b.partitions
    {
        Message::new().fail_with(&a, &b);
    }
}

const fn topic_count(topics: &[TopicUse]) -> Option<Count> {
    let mut topics = topics;
    while let [first, rest @ ..] = topics {
        if let Some(partitions) = first.topic.partitions {
            return Some(Count { what: "topic", name: first.topic.name, partitions });
        }
        topics = rest;
    }
    None
}

const fn table_count(used: &Use) -> Option<Count> {
    match used {
        Use::Table(used) => match used.table.partitions {
            Some(partitions) => Some(Count { what: "table", name: used.table.name, partitions }),
            None => None,
        },
        _ => None,
    }
}

const fn first_table_count(uses: &[&'static [Use]]) -> Option<Count> {
    let mut uses = uses;
    while let [list, rest @ ..] = uses {
        let mut list = *list;
        while let [first, rest @ ..] = list {
            if let Some(count) = table_count(first) {
                return Some(count);
            }
            list = rest;
        }
        uses = rest;
    }
    None
}

/// What an agent says of its partitions; nothing where it contradicts itself, which is an error at its own parameter.
pub(super) const fn count_of(agent: &AgentDef) -> Option<Count> {
    let topic = topic_count(agent.inputs);
    let count = match topic {
        Some(_) => topic,
        None => first_table_count(agent.uses),
    };
    let Some(expected) = count else { return None };
    let mut uses = agent.uses;
    while let [list, rest @ ..] = uses {
        let mut list = *list;
        while let [first, rest @ ..] = list {
            if let Some(owned) = table_count(first)
                && owned.partitions != expected.partitions
            {
                return None;
            }
            list = rest;
        }
        uses = rest;
    }
    count
}

/// Agents that share topics or tables, directly or through others, have one count. Of those with another count than
/// the first, the first is reported.
#[track_caller]
pub(super) const fn require_one_count(
    app: &Index<'_>,
    number: usize,
    others: Others,
    entry: &Entry,
) {
    // Most apps have one count, and no need to know who belongs together.
    if app.one_count {
        return;
    }
    let (Some(agent), Some(count)) = (entry.agent, app.count(number)) else { return };
    let group = Group::of(app, number);
    let mut conflict = None;
    let mut i = 0;
    while i < number {
        if group.has(i)
            && let Some(other_count) = app.count(i)
            && let Some(other) = Entry::nth(app.app, i)
        {
            if other_count.partitions == count.partitions {
                // What there is to say was said there.
                return;
            }
            if others.has(i) && conflict.is_none() {
                conflict = Some((other, other_count));
            }
        }
        i += 1;
    }
    let Some((other, other_count)) = conflict else { return };
    let Some(other) = other.agent else { return };
    let message = Message::new().text("agents ").name(other.options.name).text(" and ");
    let message = message.name(agent.options.name);
    let message = match shared_table(other, agent) {
        Some(table) => message.text(" own table ").name(table).text(", but "),
        None => message.text(" belong together through tables of other agents, but "),
    };
    message.fail_with(&other_count, &count);
}

/// The entries that are co-partitioned with one, by their numbers.
struct Group {
    has: [bool; MOST],
    /// In the order in which they were found.
    members: [usize; MOST],
    len: usize,
}

impl Group {
    const fn of(app: &Index<'_>, number: usize) -> Self {
        let mut group = Self { has: [false; MOST], members: [0; MOST], len: 0 };
        group.add(number);
        let mut n = 0;
        while n < group.len
            && let Some(member) = nth(&group.members, n)
            && let Some(member) = Entry::nth(app.app, *member)
        {
            group.add_neighbours(app, &member);
            n += 1;
        }
        group
    }

    const fn add_neighbours(&mut self, app: &Index<'_>, member: &Entry) {
        let mut m = 0;
        while let Some(mention) = member.mention(m) {
            let mut named = app.named(Name::of(&mention));
            while member.holds(m)
                && let Some(found) = named.next()
            {
                if !self.has(found.entry)
                    && let Some(entry) = Entry::nth(app.app, found.entry)
                    && share(member, &entry)
                {
                    self.add(found.entry);
                }
            }
            m += 1;
        }
    }

    const fn has(&self, number: usize) -> bool {
        matches!(nth(&self.has, number), Some(true))
    }

    const fn add(&mut self, number: usize) {
        set(&mut self.has, number, true);
        set(&mut self.members, self.len, number);
        self.len += 1;
    }
}

/// The name of a table that both own.
const fn shared_table(a: &AgentDef, b: &AgentDef) -> Option<&'static str> {
    let entry = Entry::new("agent", a.options.name, a.options.place, a.uses);
    let other = Entry::new("agent", b.options.name, b.options.place, b.uses);
    let mut u = 0;
    while let Some(used) = entry.used(u) {
        let mut o = 0;
        while let Some(owned) = other.used(o) {
            if let (Use::Table(used), Use::Table(owned)) = (used, owned)
                && same(used.table.name, owned.table.name)
            {
                return Some(used.table.name);
            }
            o += 1;
        }
        u += 1;
    }
    None
}
