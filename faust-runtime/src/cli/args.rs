//! What can be written on the command line.

use super::failure::Failure;
use super::{CommandDef, output::Format};
use crate::app::AppDef;
use crate::app::topology::Topology;
use clap::{ArgMatches, Args, FromArgMatches, Subcommand};
use std::ffi::OsString;
use std::path::PathBuf;

/// Options of every command.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Settings")]
pub(super) struct Everywhere {
    /// Read settings from this file instead of `faust.toml`
    #[arg(long, global = true, value_name = "FILE", env = "FAUST_SETTINGS", hide_env = true)]
    pub(super) settings: Option<PathBuf>,
    /// Kafka brokers; without any, a development broker runs in the process
    #[arg(long, global = true, value_name = "HOST:PORT")]
    pub(super) broker: Option<String>,
    /// Folder for everything on disk
    #[arg(long, global = true, value_name = "DIR")]
    pub(super) data: Option<String>,
    /// Any other setting
    #[arg(long, global = true, value_name = "NAME=VALUE")]
    pub(super) set: Vec<String>,
}

/// Options of the worker.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Worker")]
pub(super) struct WorkerArgs {
    /// End when tasks have returned and every record that is there is processed
    #[arg(long)]
    pub(super) until_end: bool,
    /// Port of the web server, which must be free
    #[arg(long, value_name = "N")]
    pub(super) web_port: Option<String>,
    /// Threads that run the app's partitions
    #[arg(long, value_name = "N")]
    pub(super) shards: Option<String>,
    /// What to do where the group's offsets were changed from outside: accept, reset or restore
    #[arg(long, value_name = "WHAT")]
    pub(super) offsets: Option<String>,
}

#[derive(Subcommand, Debug)]
enum Builtin {
    /// Run the app (also without any command)
    Worker(WorkerArgs),
    /// Send records to a topic
    Send(SendArgs),
    /// Show the rows of a table
    Table(TableArgs),
    /// Write the tables that stopped workers have left here to files
    Backup(FolderArgs),
    /// Put the files of a backup here, for the next worker
    Restore(FolderArgs),
    /// List the agents
    Agents(ListArgs),
    /// List the tables
    Tables(ListArgs),
    /// List the topics with their names in Kafka
    Topics(ListArgs),
}

#[derive(Args, Debug)]
pub(super) struct SendArgs {
    /// The topic, by its declared or its real name
    pub(super) topic: String,
    /// The record's value as it stands in Kafka: JSON
    #[arg(required_unless_present = "file")]
    pub(super) value: Option<String>,
    /// The record's key, if the value does not hold it
    #[arg(long)]
    pub(super) key: Option<String>,
    /// Send each line of a file as a record; `-` is the standard input
    #[arg(long, conflicts_with = "value")]
    pub(super) file: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(super) struct TableArgs {
    /// The table
    pub(super) name: String,
    /// Only this key: text, or JSON where keys are no texts
    #[arg(long)]
    pub(super) key: Option<String>,
    /// Only the window of this moment: RFC 3339, or milliseconds since 1970
    #[arg(long, requires = "key")]
    pub(super) window: Option<String>,
    /// At most so many rows
    #[arg(long)]
    pub(super) limit: Option<u64>,
    #[command(flatten)]
    pub(super) how: ListArgs,
}

#[derive(Args, Debug)]
pub(super) struct FolderArgs {
    /// The folder of the files
    pub(super) folder: PathBuf,
}

#[derive(Args, Debug, Clone, Copy)]
pub(super) struct ListArgs {
    /// A table for people, or a JSON object a line
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: Format,
}

/// What was written.
pub(super) struct Given {
    pub(super) everywhere: Everywhere,
    pub(super) worker: WorkerArgs,
    pub(super) chosen: Chosen,
}

/// The command.
pub(super) enum Chosen {
    Worker,
    Send(SendArgs),
    Table(TableArgs),
    Backup(FolderArgs),
    Restore(FolderArgs),
    Agents(ListArgs),
    Tables(ListArgs),
    Topics(ListArgs),
    /// One of the app's own.
    Own(CommandDef, ArgMatches),
}

impl Chosen {
    pub(super) fn is_worker(&self) -> bool {
        matches!(self, Self::Worker)
    }
}

/// Reads the command line.
pub(super) fn parse(
    app: &AppDef,
    topology: &Topology,
    line: impl Iterator<Item = OsString>,
) -> Result<Given, Failure> {
    let matches = command(app, topology)?.try_get_matches_from(line).map_err(Failure::Usage)?;
    let everywhere = Everywhere::from_arg_matches(&matches).map_err(Failure::Usage)?;
    let mut worker = WorkerArgs::from_arg_matches(&matches).map_err(Failure::Usage)?;
    let own = matches.subcommand().and_then(|(name, matches)| {
        let command = topology.commands.iter().find(|command| command.options.name == name)?;
        Some(Chosen::Own(*command, matches.clone()))
    });
    let chosen = match own {
        Some(own) => own,
        None if matches.subcommand().is_none() => Chosen::Worker,
        None => match Builtin::from_arg_matches(&matches).map_err(Failure::Usage)? {
            Builtin::Worker(more) => {
                worker = worker.with(more);
                Chosen::Worker
            }
            Builtin::Send(what) => Chosen::Send(what),
            Builtin::Table(what) => Chosen::Table(what),
            Builtin::Backup(to) => Chosen::Backup(to),
            Builtin::Restore(from) => Chosen::Restore(from),
            Builtin::Agents(how) => Chosen::Agents(how),
            Builtin::Tables(how) => Chosen::Tables(how),
            Builtin::Topics(how) => Chosen::Topics(how),
        },
    };
    if !chosen.is_worker()
        && let Some(option) = worker.first()
    {
        return Err(Failure::usage(format!("{option} is an option of the worker")));
    }
    Ok(Given { everywhere, worker, chosen })
}

fn command(app: &AppDef, topology: &Topology) -> Result<clap::Command, Failure> {
    let root = clap::Command::new(app.id)
        .version(env!("CARGO_PKG_VERSION"))
        .subcommand_required(false)
        .disable_help_subcommand(true);
    let mut root =
        Builtin::augment_subcommands(WorkerArgs::augment_args(Everywhere::augment_args(root)));
    // What the derives said of themselves is not what the app is.
    root = root
        .about("A stream-processing app; without a command it starts a worker")
        .long_about(None)
        .subcommand_required(false)
        .arg_required_else_help(false);
    for own in &topology.commands {
        if root.find_subcommand(own.options.name).is_some() {
            let error = format!(
                "command `{}` ({}): the name is taken",
                own.options.name, own.options.place
            );
            return Err(Failure::App(vec![error]));
        }
        root = root.subcommand((own.clap)());
    }
    Ok(root)
}

impl WorkerArgs {
    /// What stands behind `worker` wins over what stands in front of it.
    fn with(self, more: Self) -> Self {
        Self {
            until_end: self.until_end || more.until_end,
            web_port: more.web_port.or(self.web_port),
            shards: more.shards.or(self.shards),
            offsets: more.offsets.or(self.offsets),
        }
    }

    fn first(&self) -> Option<&'static str> {
        let given = [
            ("--until-end", self.until_end),
            ("--web-port", self.web_port.is_some()),
            ("--shards", self.shards.is_some()),
            ("--offsets", self.offsets.is_some()),
        ];
        given.into_iter().find(|(_, given)| *given).map(|(option, _)| option)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::Settings;
    use crate::define::Place;

    fn given(line: &str) -> Result<Given, Failure> {
        let app = AppDef::new("app", Place { file: "app.rs", line: 1 });
        let topology = Topology::new(&app, &Settings::default()).unwrap();
        let line = ["app"].into_iter().chain(line.split_whitespace());
        parse(&app, &topology, line.map(OsString::from))
    }

    #[test]
    fn without_a_command_it_is_the_worker() {
        let given = given("--broker b:1 --until-end --shards 2").unwrap();
        assert!(given.chosen.is_worker());
        assert_eq!(given.everywhere.broker.as_deref(), Some("b:1"));
        assert!(given.worker.until_end);
    }

    #[test]
    fn options_stand_in_front_of_a_command_or_behind_it() {
        let given = given("--data d --shards 2 worker --broker b:1 --shards 3 --set id=x").unwrap();
        assert!(given.chosen.is_worker());
        assert_eq!(given.everywhere.broker.as_deref(), Some("b:1"));
        assert_eq!(given.everywhere.data.as_deref(), Some("d"));
        assert_eq!(given.everywhere.set, ["id=x"]);
        assert_eq!(given.worker.shards.as_deref(), Some("3"));
    }

    #[test]
    fn what_cannot_be_is_a_usage_error() {
        for line in
            ["nonsense", "send", "send t", "send t v --file f", "--until-end agents", "--bogus"]
        {
            match given(line) {
                Err(Failure::Usage(error)) => assert_eq!(error.exit_code(), 2, "{line}"),
                _ => panic!("{line} is accepted"),
            }
        }
    }
}
