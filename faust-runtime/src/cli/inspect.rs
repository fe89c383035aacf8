//! What the app consists of: agents, tables, topics, with the names that they have here.

use super::args::ListArgs;
use super::failure::Failure;
use super::output::Output;
use super::session::Session;
use crate::agent::{AgentDef, Use};
use crate::app::topology::Table;
use crate::define::{Scope, WindowDef};
use std::time::Duration;

/// What agents read, own and send to.
pub(super) fn agents(session: &Session, how: ListArgs) -> Result<(), Failure> {
    let mut output = Output::new(&["agent", "reads", "owns", "sends to", "asks", "concurrency"]);
    for agent in &session.topology.agents {
        let uses = Uses::of(agent);
        output.row([
            agent.name().into(),
            agent.read_names(),
            uses.tables.join(", "),
            uses.sinks.join(", "),
            uses.asks.join(", "),
            agent.options.concurrency.to_string(),
        ]);
    }
    output.print(how.format);
    Ok(())
}

/// What tables are.
pub(super) fn tables(session: &Session, how: ListArgs) -> Result<(), Failure> {
    let mut output =
        Output::new(&["table", "name here", "changelog", "window", "expires", "owned by"]);
    for table in &session.topology.tables {
        let owners = session
            .topology
            .agents
            .iter()
            .filter(|agent| Uses::of(agent).tables.contains(&table.def.name));
        let owners: Vec<_> = owners.map(AgentDef::name).collect();
        output.row([
            table.def.name.into(),
            table.name.to_string(),
            if table.def.changelog { table.changelog.to_string() } else { "none".into() },
            window(table),
            table.def.expires.or(table.def.ttl).map(span).unwrap_or_default(),
            owners.join(", "),
        ]);
    }
    output.print(how.format);
    Ok(())
}

/// Declared topics, and those that the app makes for itself.
pub(super) fn topics(session: &Session, how: ListArgs) -> Result<(), Failure> {
    let mut output =
        Output::new(&["topic", "name here", "partitions", "key", "read by", "sent to by"]);
    let topology = &session.topology;
    for topic in &topology.topics {
        let names = |uses: &dyn Fn(&AgentDef) -> bool| {
            let agents = topology.agents.iter().filter(|agent| uses(agent)).map(AgentDef::name);
            agents.collect::<Vec<_>>().join(", ")
        };
        output.row([
            topic.def.name.into(),
            topic.name.to_string(),
            topic.def.partitions.map_or_else(
                || format!("{}, if new", session.settings.topic_partitions),
                |n| n.to_string(),
            ),
            if topic.def.keyed { "yes" } else { "no" }.into(),
            names(&|agent| agent.reads(topic.def.name)),
            names(&|agent| Uses::of(agent).sinks.contains(&topic.def.name)),
        ]);
    }
    for table in topology.tables.iter().filter(|table| table.def.changelog) {
        let of = format!("changelog of {}", table.def.name);
        let partitions =
            table.def.partitions.map_or_else(|| "as its sources".into(), |n| n.to_string());
        output.row([
            of,
            table.changelog.to_string(),
            partitions,
            "yes".into(),
            String::new(),
            String::new(),
        ]);
    }
    let letters = topology.dead_letters();
    output.row([
        "dead letters".into(),
        letters,
        String::new(),
        String::new(),
        String::new(),
        String::new(),
    ]);
    output.print(how.format);
    Ok(())
}

/// What an agent names in its parameters.
#[derive(Default)]
pub(super) struct Uses {
    pub(super) tables: Vec<&'static str>,
    pub(super) sinks: Vec<&'static str>,
    pub(super) asks: Vec<&'static str>,
}

impl Uses {
    pub(super) fn of(agent: &AgentDef) -> Self {
        let mut uses = Self::default();
        // The first handle of a function that is called when windows close stands for the table that it reads.
        let own = usize::from(agent.closes.is_some());
        for used in agent.uses.iter().copied().flatten().skip(own) {
            match used {
                Use::Table(table) => uses.tables.push(table.table.name),
                Use::Sink(sink) => uses.sinks.push(sink.topic.name),
                Use::Ask(asked) => uses.asks.push(asked.name),
                Use::View(_) | Use::Global(_) | Use::Remote(_) => {}
            }
        }
        uses
    }
}

fn window(table: &Table) -> String {
    let scope = match table.def.scope {
        Scope::Key => "",
        Scope::Partition => "a partition's own",
    };
    match table.def.window {
        Some(WindowDef::Tumbling { size }) => format!("tumbling {}", span(size)),
        Some(WindowDef::Hopping { size, step }) => {
            format!("hopping {} by {}", span(size), span(step))
        }
        Some(WindowDef::Sliding { size }) => format!("sliding {}", span(size)),
        Some(WindowDef::Session { gap }) => format!("session {}", span(gap)),
        None => scope.into(),
    }
}

/// `90s`, as settings read it.
pub(super) fn span(span: Duration) -> String {
    match jiff::SignedDuration::try_from(span) {
        Ok(span) => format!("{span:#}"),
        Err(_) => format!("{span:?}"),
    }
}
