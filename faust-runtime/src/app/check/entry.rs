//! The manifest as one list: agents, timers, tasks, pages, commands and hooks, in this order, then those of its parts;
//! with what each mentions.

use crate::agent::{AgentDef, Use};
use crate::app::AppDef;
use crate::define::{Place, TableDef, TopicDef};
use crate::web::{Method, PageOptions};

/// An entry of the manifest, whichever list it is in.
#[derive(Clone, Copy)]
pub(super) struct Entry {
    pub(super) kind: &'static str,
    pub(super) name: &'static str,
    pub(super) place: Place,
    pub(super) agent: Option<&'static AgentDef>,
    pub(super) page: Option<PageOptions>,
    pub(super) uses: &'static [&'static [Use]],
}

/// What an entry mentions: what it reads comes first, then what its parameters name.
pub(super) enum Mention {
    Topic(&'static TopicDef),
    Table(&'static TableDef),
}

impl Entry {
    pub(super) const fn nth(app: &AppDef, index: usize) -> Option<Self> {
        let mut left = index;
        if let Some(agent) = nth(app.agents, left) {
            let AgentDef { options, uses, .. } = agent;
            let entry = Self::new("agent", options.name, options.place, uses);
            return Some(Self { agent: Some(agent), ..entry });
        }
        left -= app.agents.len();
        if let Some(timer) = nth(app.timers, left) {
            return Some(Self::new("timer", timer.options.name, timer.options.place, timer.uses));
        }
        left -= app.timers.len();
        if let Some(task) = nth(app.tasks, left) {
            return Some(Self::new("task", task.options.name, task.options.place, task.uses));
        }
        left -= app.tasks.len();
        if let Some(page) = nth(app.pages, left) {
            let entry = Self::new("page", page.options.name, page.options.place, page.uses);
            return Some(Self { page: Some(page.options), ..entry });
        }
        left -= app.pages.len();
        if let Some(command) = nth(app.commands, left) {
            let options = &command.options;
            return Some(Self::new("command", options.name, options.place, command.uses));
        }
        left -= app.commands.len();
        if let Some(hook) = nth(app.on_recovered, left) {
            return Some(Self::new("hook", hook.options.name, hook.options.place, hook.uses));
        }
        left -= app.on_recovered.len();
        let mut parts = app.parts;
        while let [part, rest @ ..] = parts {
            let count = Self::count(part);
            if left < count {
                return Self::nth(part, left);
            }
            left -= count;
            parts = rest;
        }
        None
    }

    /// How many there are, without those of the parts.
    pub(super) const fn own(app: &AppDef) -> usize {
        app.agents.len()
            + app.timers.len()
            + app.tasks.len()
            + app.pages.len()
            + app.commands.len()
            + app.on_recovered.len()
    }

    /// How many there are.
    pub(super) const fn count(app: &AppDef) -> usize {
        let mut count = Self::own(app);
        let mut parts = app.parts;
        while let [part, rest @ ..] = parts {
            count += Self::count(part);
            parts = rest;
        }
        count
    }

    pub(super) const fn new(
        kind: &'static str,
        name: &'static str,
        place: Place,
        uses: &'static [&'static [Use]],
    ) -> Self {
        Self { kind, name, place, agent: None, page: None, uses }
    }

    /// What parameter names are flat: the `index`th of all.
    pub(super) const fn used(&self, index: usize) -> Option<&'static Use> {
        let mut left = index;
        let mut uses = self.uses;
        while let [first, rest @ ..] = uses {
            if let Some(used) = nth(first, left) {
                return Some(used);
            }
            left -= first.len();
            uses = rest;
        }
        None
    }

    /// Whether a mention is of a topic that the entry reads, or of a table that it owns.
    pub(super) const fn holds(&self, mention: usize) -> bool {
        let Some(agent) = &self.agent else { return false };
        if mention < agent.inputs.len() {
            return true;
        }
        let mut left = mention - agent.inputs.len();
        let mut u = 0;
        while let Some(used) = self.used(u) {
            let mentions = used.mentions();
            if left < mentions {
                return matches!(used, Use::Table(_));
            }
            left -= mentions;
            u += 1;
        }
        false
    }

    pub(super) const fn mention(&self, index: usize) -> Option<Mention> {
        let mut left = index;
        if let Some(agent) = &self.agent {
            if let Some(input) = nth(agent.inputs, left) {
                return Some(Mention::Topic(&input.topic));
            }
            left -= agent.inputs.len();
        }
        let mut u = 0;
        while let Some(used) = self.used(u) {
            let mentions = used.mentions();
            if left < mentions {
                return match used {
                    Use::Table(used) | Use::View(used) | Use::Global(used) => {
                        Some(Mention::Table(&used.table))
                    }
                    Use::Remote(used) => Some(Mention::Table(&used.table.table)),
                    Use::Sink(sink) => Some(Mention::Topic(&sink.topic)),
                    Use::Ask(agent) => match nth(agent.inputs, left) {
                        Some(input) => Some(Mention::Topic(&input.topic)),
                        None => None,
                    },
                };
            }
            left -= mentions;
            u += 1;
        }
        None
    }
}

impl Use {
    /// How many topics or tables it names.
    const fn mentions(&self) -> usize {
        match self {
            Self::Ask(agent) => agent.inputs.len(),
            Self::Table(_) | Self::View(_) | Self::Global(_) | Self::Remote(_) | Self::Sink(_) => 1,
        }
    }
}

/// `slice.get(index)`, which is not const.
pub(super) const fn nth<T>(slice: &[T], index: usize) -> Option<&T> {
    match slice.split_at_checked(index) {
        Some((_, [first, ..])) => Some(first),
        _ => None,
    }
}

/// A method as requests have it.
pub(super) const fn method(method: Method) -> &'static str {
    match method {
        Method::Get => "GET",
        Method::Post => "POST",
        Method::Put => "PUT",
        Method::Patch => "PATCH",
        Method::Delete => "DELETE",
    }
}
