//! The screen at the start of a worker: what runs, and where everything is.

use super::connect::Connected;
use super::inspect::{Uses, span};
use super::session::Session;
use crate::app::Guarantee;
use std::fmt::Write;
use std::path::{Path, absolute};

/// One screen of text.
pub(super) fn screen(
    session: &Session,
    connected: &Connected,
    folder: &Path,
    endpoint: Option<&str>,
) -> String {
    let Session { settings, topology, .. } = session;
    let mut lines = Lines(String::new());
    lines.line(&topology.group, format_args!("on faust {}", env!("CARGO_PKG_VERSION")));
    let address = connected.broker.address();
    match connected.development {
        Some(place) => {
            lines.line("broker", format_args!("{address}, the development broker, {place}"))
        }
        None => lines.line("broker", address),
    }
    let folder = absolute(folder).unwrap_or_else(|_| folder.into());
    lines.line("data", format_args!("{} ({})", folder.display(), settings.store));
    lines.line("web", endpoint.unwrap_or("off"));
    let guarantee = match settings.guarantee {
        Guarantee::ExactlyOnce => "exactly once",
        Guarantee::AtLeastOnce => "at least once",
    };
    let (interval, shards) = (span(settings.commit_interval), settings.shards);
    lines.line("commits", format_args!("{guarantee}, every {interval}, on {shards} shards"));
    for agent in &topology.agents {
        let uses = Uses::of(agent);
        let to = [uses.tables, uses.sinks].concat().join(", ");
        let arrow = if to.is_empty() { "" } else { " → " };
        lines.line("agent", format_args!("{}: {}{arrow}{to}", agent.name(), agent.read_names()));
    }
    for timer in &topology.timers {
        let options = timer.options;
        lines.line("timer", format_args!("{}, every {}", options.name, span(options.every)));
    }
    for task in &topology.tasks {
        lines.line("task", task.options.name);
    }
    for page in &topology.pages {
        let options = page.options;
        let method = format!("{:?}", options.method).to_uppercase();
        lines.line("page", format_args!("{}: {method} {}", options.name, options.path));
    }
    for topic in topology.topics.iter().filter(|topic| *topic.name != *topic.def.name) {
        lines.line("topic", format_args!("{} is {} here", topic.def.name, topic.name));
    }
    for table in topology.tables.iter().filter(|table| *table.name != *table.def.name) {
        lines.line("table", format_args!("{} is {} here", table.def.name, table.name));
    }
    lines.0
}

struct Lines(String);

impl Lines {
    fn line(&mut self, what: &str, text: impl std::fmt::Display) {
        // Writing to a string does not fail.
        let _ = writeln!(self.0, "  {what:<10} {text}");
    }
}
