//! The app as it runs: the manifest with its parts, under the names of this deployment, in groups of what is
//! co-partitioned.

use super::check::same_topic;
use super::{AppDef, Settings};
use crate::agent::{AgentDef, Use};
use crate::cli::CommandDef;
use crate::define::{TableDef, TopicDef};
use crate::schedule::{TaskDef, TimerDef};
use crate::table::TableOps;
use crate::web::PageDef;
use std::sync::Arc;

/// The app as it runs.
pub(crate) struct Topology {
    pub(crate) group: String,
    pub(crate) topics: Vec<Topic>,
    pub(crate) tables: Vec<Table>,
    pub(crate) agents: Vec<AgentDef>,
    /// Agents of other apps, by their names.
    external: Vec<&'static str>,
    pub(crate) groups: Vec<Group>,
    pub(crate) timers: Vec<TimerDef>,
    pub(crate) tasks: Vec<TaskDef>,
    pub(crate) pages: Vec<PageDef>,
    pub(crate) commands: Vec<CommandDef>,
    pub(crate) on_recovered: Vec<TaskDef>,
}

/// A topic under its name here.
pub(crate) struct Topic {
    pub(crate) def: TopicDef,
    pub(crate) name: Arc<str>,
}

/// A table under its names here.
pub(crate) struct Table {
    pub(crate) def: TableDef,
    pub(crate) ops: TableOps,
    pub(crate) name: Arc<str>,
    pub(crate) changelog: Arc<str>,
    /// The group of the agents that own it; `None` where it is only read.
    pub(crate) group: Option<usize>,
    /// Whether every worker has a copy of it.
    pub(crate) copied: bool,
}

/// Agents that read the same topics or own the same tables: partition n of all of it is one task.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Group {
    /// Indices of topics.
    pub(crate) topics: Vec<usize>,
    /// Indices of agents.
    pub(crate) agents: Vec<usize>,
    /// Indices of tables.
    pub(crate) tables: Vec<usize>,
}

/// What a manifest gets wrong that the compiler could not see.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum TopologyError {
    /// Two different declarations under one name: rename one of them.
    #[error("{kind} `{name}` is declared twice: {first} and {second}")]
    Twice { kind: &'static str, name: String, first: String, second: String },
    /// An agent is asked that does not run here: list it in `agents(..)`.
    #[error("{who} asks agent `{asked}`, which the app does not list")]
    NotListed { who: String, asked: &'static str },
    /// A table is copied to every worker that has no changelog to copy it from.
    #[error(
        "table `{table}` ({place}) has no changelog, so no worker can have a copy of it: read it as `View`, or leave out `changelog = false`"
    )]
    NoChangelog { table: &'static str, place: String },
    /// A table without `#[table]` is written from elsewhere.
    #[error(
        "table `{table}` ({place}) is written from elsewhere, but its `Row` does not say `WRITES`"
    )]
    NoWrites { table: &'static str, place: String },
    /// A table is read that no agent of the app owns.
    #[error("table `{table}` ({place}) is read, but no agent of this app owns it")]
    NoOwner { table: &'static str, place: String },
}

impl Topology {
    pub(crate) fn new(app: &AppDef, settings: &Settings) -> Result<Self, Vec<TopologyError>> {
        let group = settings.id.clone().unwrap_or_else(|| app.group());
        let mut this = Self {
            group,
            topics: Vec::new(),
            tables: Vec::new(),
            agents: Vec::new(),
            external: Vec::new(),
            groups: Vec::new(),
            timers: Vec::new(),
            tasks: Vec::new(),
            pages: Vec::new(),
            commands: Vec::new(),
            on_recovered: Vec::new(),
        };
        let mut errors = Vec::new();
        this.add(app);
        this.add_writers(settings, &mut errors);
        for agent in this.agents.clone() {
            for input in agent.inputs {
                this.topic(input.topic, settings, &mut errors);
            }
            this.uses(agent.uses, agent.name(), settings, &mut errors);
        }
        for (uses, name) in this.other_uses() {
            this.uses(uses, name, settings, &mut errors);
        }
        this.make_groups();
        for table in &this.tables {
            if table.copied && !table.def.changelog {
                errors.push(TopologyError::NoChangelog {
                    table: table.def.name,
                    place: table.def.place.to_string(),
                });
            }
            if table.group.is_none() {
                errors.push(TopologyError::NoOwner {
                    table: table.def.name,
                    place: table.def.place.to_string(),
                });
            }
        }
        if errors.is_empty() { Ok(this) } else { Err(errors) }
    }

    fn add(&mut self, app: &AppDef) {
        self.agents.extend_from_slice(app.agents);
        self.external.extend(app.external.iter().map(|agent| agent.name));
        self.timers.extend_from_slice(app.timers);
        self.tasks.extend_from_slice(app.tasks);
        self.pages.extend_from_slice(app.pages);
        self.commands.extend_from_slice(app.commands);
        self.on_recovered.extend_from_slice(app.on_recovered);
        for part in app.parts {
            self.add(part);
        }
    }

    /// The agents that apply what is written from elsewhere, each with the topic that it goes through.
    fn add_writers(&mut self, settings: &Settings, errors: &mut Vec<TopologyError>) {
        let agents = self.agents.iter().map(|agent| agent.uses);
        let uses: Vec<_> =
            agents.chain(self.other_uses().into_iter().map(|(uses, _)| uses)).collect();
        for used in uses.into_iter().flatten().copied().flatten() {
            let Use::Remote(remote) = used else { continue };
            let name = remote.topic.topic.name;
            if name.is_empty() {
                let table = remote.table.table;
                let place = table.place.to_string();
                errors.push(TopologyError::NoWrites { table: table.name, place });
                continue;
            }
            if self.agents.iter().any(|agent| agent.options.place == remote.writer.options.place) {
                continue;
            }
            self.agents.push(remote.writer);
            self.topic(remote.topic.topic, settings, errors);
            if let Some(topic) = self.topics.last_mut().filter(|topic| topic.def.name == name) {
                topic.name = format!("{}-{name}", self.group).into();
            }
        }
    }

    pub(crate) fn other_uses(&self) -> Vec<(&'static [&'static [Use]], &'static str)> {
        let timers = self.timers.iter().map(|d| (d.uses, d.options.name));
        let tasks = self.tasks.iter().map(|d| (d.uses, d.options.name));
        let pages = self.pages.iter().map(|d| (d.uses, d.options.name));
        let commands = self.commands.iter().map(|d| (d.uses, d.options.name));
        let hooks = self.on_recovered.iter().map(|d| (d.uses, d.options.name));
        timers.chain(tasks).chain(pages).chain(commands).chain(hooks).collect()
    }

    fn uses(
        &mut self,
        uses: &[&'static [Use]],
        who: &str,
        settings: &Settings,
        errors: &mut Vec<TopologyError>,
    ) {
        for used in uses.iter().copied().flatten() {
            match used {
                Use::Table(table) | Use::View(table) => {
                    self.table(table.table, table.ops, settings, errors);
                }
                Use::Global(table) => {
                    self.table(table.table, table.ops, settings, errors);
                    let copied = self.table_index(table.table.name);
                    if let Some(table) = copied.and_then(|index| self.tables.get_mut(index)) {
                        table.copied = true;
                    }
                }
                Use::Remote(remote) => {
                    self.table(remote.table.table, remote.table.ops, settings, errors);
                }
                Use::Sink(sink) => {
                    self.topic(sink.topic, settings, errors);
                }
                Use::Ask(asked) => {
                    for input in asked.inputs {
                        self.topic(input.topic, settings, errors);
                    }
                    let runs = self.agents.iter().any(|agent| agent.name() == asked.name);
                    if !runs && !self.external.contains(&asked.name) {
                        errors.push(TopologyError::NotListed {
                            who: format!("`{who}`"),
                            asked: asked.name,
                        });
                    }
                }
            }
        }
    }

    fn topic(&mut self, def: TopicDef, settings: &Settings, errors: &mut Vec<TopologyError>) {
        match self.topics.iter().find(|topic| topic.def.name == def.name) {
            Some(known) if !same_topic(&known.def, &def) => errors.push(TopologyError::Twice {
                kind: "topic",
                name: def.name.into(),
                first: known.def.place.to_string(),
                second: def.place.to_string(),
            }),
            Some(_) => {}
            None => self.topics.push(Topic { def, name: settings.topic_name(def.name).into() }),
        }
    }

    fn table(
        &mut self,
        def: TableDef,
        ops: TableOps,
        settings: &Settings,
        errors: &mut Vec<TopologyError>,
    ) {
        match self.tables.iter().find(|table| table.def.name == def.name) {
            Some(known) if known.def.place != def.place => errors.push(TopologyError::Twice {
                kind: "table",
                name: def.name.into(),
                first: known.def.place.to_string(),
                second: def.place.to_string(),
            }),
            Some(_) => {}
            None => {
                let name = settings.table_name(def.name);
                let changelog = format!("{}-{name}-changelog", self.group).into();
                let name = name.into();
                self.tables.push(Table { def, ops, name, changelog, group: None, copied: false });
            }
        }
    }

    /// Joins agents that share a topic or a table.
    fn make_groups(&mut self) {
        let mut groups: Vec<Group> = Vec::new();
        for (index, agent) in self.agents.iter().enumerate() {
            let mut group = Group { agents: vec![index], ..Group::default() };
            let topics = agent.inputs.iter().map(|input| input.topic.name);
            group.topics.extend(topics.filter_map(|topic| self.topic_index(topic)));
            for used in agent.uses.iter().copied().flatten() {
                if let Use::Table(table) = used {
                    group.tables.extend(self.table_index(table.table.name));
                }
            }
            let (same, mut other): (Vec<Group>, Vec<Group>) =
                groups.into_iter().partition(|known| known.meets(&group));
            for known in same {
                group.absorb(known);
            }
            other.push(group);
            groups = other;
        }
        groups.sort_by_key(|group| group.topics.first().copied());
        for (index, group) in groups.iter().enumerate() {
            for table in &group.tables {
                if let Some(table) = self.tables.get_mut(*table) {
                    table.group = Some(index);
                }
            }
        }
        self.groups = groups;
    }

    /// Whether an agent of the app sends records to this topic.
    pub(crate) fn sends_to(&self, topic: usize) -> bool {
        let uses = self.agents.iter().flat_map(|agent| agent.uses.iter().copied().flatten());
        let is = |used: &Use| match used {
            Use::Sink(sink) => self.topic_index(sink.topic.name) == Some(topic),
            _ => false,
        };
        uses.into_iter().any(is)
    }

    /// The index of a topic by its declared name.
    pub(crate) fn topic_index(&self, declared: &str) -> Option<usize> {
        self.topics.iter().position(|topic| topic.def.name == declared)
    }

    /// The index of a table by its declared name.
    pub(crate) fn table_index(&self, declared: &str) -> Option<usize> {
        self.tables.iter().position(|table| table.def.name == declared)
    }

    /// The tables of a group that another worker can have a copy of: those with changelogs.
    pub(crate) fn logged_tables(&self, group: usize) -> Vec<usize> {
        let all = self.groups.get(group).map(|group| group.tables.as_slice()).unwrap_or_default();
        let logged = |index: &&usize| self.tables.get(**index).is_some_and(|of| of.def.changelog);
        all.iter().filter(logged).copied().collect()
    }

    /// What the stores of a table say that they belong to: another app's, or another changelog's, are set aside.
    pub(crate) fn store_owner(&self, table: &Table) -> String {
        format!("{} {}", self.group, table.changelog)
    }

    /// The name of the topic for records that could not be processed.
    pub(crate) fn dead_letters(&self) -> String {
        format!("{}-dead-letters", self.group)
    }
}

impl Group {
    fn meets(&self, other: &Self) -> bool {
        self.topics.iter().any(|topic| other.topics.contains(topic))
            || self.tables.iter().any(|table| other.tables.contains(table))
    }

    fn absorb(&mut self, other: Self) {
        for (to, from) in [
            (&mut self.topics, other.topics),
            (&mut self.agents, other.agents),
            (&mut self.tables, other.tables),
        ] {
            to.extend(from);
            to.sort_unstable();
            to.dedup();
        }
    }
}

#[cfg(test)]
mod tests;
