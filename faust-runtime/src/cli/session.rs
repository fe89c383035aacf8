//! What every command begins with: the app under the names of this deployment, its settings, its log.

use super::args::{Everywhere, WorkerArgs};
use super::failure::Failure;
use crate::app::topology::Topology;
use crate::app::{AppDef, Names, Settings, Sources};
use std::io::IsTerminal;
use std::path::PathBuf;
use tracing_subscriber::EnvFilter;

/// The app, ready for a command.
pub(super) struct Session {
    pub(super) app: AppDef,
    pub(super) settings: Settings,
    pub(super) topology: Topology,
    /// The folder for everything on disk.
    pub(super) data: PathBuf,
}

/// The app under the names that it declares.
pub(super) fn declared(app: &AppDef) -> Result<Topology, Failure> {
    topology(app, &Settings::default())
}

fn topology(app: &AppDef, settings: &Settings) -> Result<Topology, Failure> {
    Topology::new(app, settings)
        .map_err(|errors| Failure::App(errors.iter().map(ToString::to_string).collect()))
}

impl Session {
    pub(super) fn open(
        app: AppDef,
        declared: &Topology,
        everywhere: &Everywhere,
        worker: &WorkerArgs,
        is_worker: bool,
    ) -> Result<Self, Failure> {
        let names = Names {
            topics: declared.topics.iter().map(|topic| topic.def.name.to_string()).collect(),
            tables: declared.tables.iter().map(|table| table.def.name.to_string()).collect(),
        };
        let settings =
            Settings::load(&sources(everywhere, worker)?, &names).map_err(Failure::Settings)?;
        log(&settings, is_worker)?;
        let topology = topology(&app, &settings)?;
        let data = settings.data_folder(&topology.group);
        Ok(Self { app, settings, topology, data })
    }
}

fn sources(everywhere: &Everywhere, worker: &WorkerArgs) -> Result<Sources, Failure> {
    let mut options = Vec::new();
    for said in &everywhere.set {
        let (name, value) = said
            .split_once('=')
            .ok_or_else(|| Failure::usage(format!("--set {said}: write `--set NAME=VALUE`")))?;
        options.push(("--set".to_string(), name.to_string(), value.to_string()));
    }
    for (option, name, value) in [
        ("--broker", "broker", &everywhere.broker),
        ("--data", "data", &everywhere.data),
        ("--web-port", "web_port", &worker.web_port),
        ("--shards", "shards", &worker.shards),
        ("--offsets", "offsets", &worker.offsets),
    ] {
        if let Some(value) = value {
            options.push((option.into(), name.into(), value.clone()));
        }
    }
    let environment = std::env::vars_os().map(|(name, value)| {
        (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned())
    });
    Ok(Sources { file: everywhere.settings.clone(), environment: environment.collect(), options })
}

/// What users log and what the engine tells; of what is inside it only what goes wrong.
const WORKER_LOG: &str = "info,faust_broker=warn,fjall=warn,lsm_tree=warn";

/// Logs to stderr: a worker what it does, other commands only what goes wrong.
fn log(settings: &Settings, is_worker: bool) -> Result<(), Failure> {
    let default = if is_worker { WORKER_LOG } else { "warn" };
    let filter = settings.log.as_deref().unwrap_or(default);
    let filter = EnvFilter::try_new(filter)
        .map_err(|error| Failure::usage(format!("setting `log` = `{filter}`: {error}")))?;
    // An app that has set up its own log keeps it.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .try_init();
    Ok(())
}
