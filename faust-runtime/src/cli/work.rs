//! Running a worker, or one of the app's own commands beside the workers.

use super::CommandDef;
use super::connect::connect;
use super::failure::Failure;
use super::progress;
use super::screen::screen;
use super::session::Session;
use super::signals::Signals;
use super::stores;
use crate::agent::Use;
use crate::web::{self, Listener};
use crate::worker::Running;
use crate::worker::slot::Slot;
use clap::ArgMatches;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// How long requests that are being answered may take when the worker stops.
const LAST_ANSWERS: Duration = Duration::from_millis(500);

/// How long a worker may take to finish what it is at. Events are atomic: what is given up happens again.
const LAST_COMMITS: Duration = Duration::from_secs(2);
const NOT_COMMITTED: &str =
    "the last events were not committed in time: the next worker processes them again";

/// Runs a worker until it is stopped, fails, or (`until_end`) has nothing left to do.
pub(super) async fn run(session: Session, until_end: bool) -> Result<(), Failure> {
    let signals = Signals::listen()?;
    let pages = web::router(&session.topology.pages)?;
    let slot = Slot::take(&session.data)?;
    let listener = match session.settings.web {
        true => Some(Listener::bind(&session.settings).await?),
        false => None,
    };
    let endpoint = listener.as_ref().map(|listener| listener.endpoint().to_string());
    let up = async {
        // The client connects while the stores are opened.
        let connected = connect(&session).await?;
        let stores = stores::of_worker(session.settings.store, slot.folder()).await?;
        let worker = connected.worker(&session, stores.clone(), slot.id()).await?;
        crate::Result::<_>::Ok((connected, stores, worker))
    };
    let (connected, stores, worker) = tokio::select! {
        up = up => up?,
        () = signals.stop() => return Ok(()),
    };
    if let Some(endpoint) = &endpoint {
        worker.announce(endpoint.clone());
        slot.announce(endpoint)?;
    }
    print!("{}", screen(&session, &connected, slot.folder(), endpoint.as_deref()));

    let (stop_web, stopped) = oneshot::channel::<()>();
    let stopped = async move {
        // Its sender is dropped, which says the same.
        let _ = stopped.await;
    };
    let web =
        listener.map(|listener| tokio::spawn(web::serve(listener, pages, worker.clone(), stopped)));
    let progress = tokio::spawn(progress::show(worker.monitor.clone()));
    let running = Running::start(worker)?;
    let outcome = until_done(&running, &signals, until_end).await;
    let outcome = match running.stop(LAST_COMMITS).await {
        true => outcome,
        false => outcome.and(Err(NOT_COMMITTED.into())),
    };
    progress.abort();
    spawn_blocking(move || stores.close()).await?;
    drop(stop_web);
    if let Some(web) = web {
        match timeout(LAST_ANSWERS, web).await {
            Ok(served) => served??,
            Err(_) => tracing::warn!("requests were still being answered when the worker stopped"),
        }
    }
    connected.end().await;
    Ok(outcome?)
}

async fn until_done(running: &Running, signals: &Signals, until_end: bool) -> crate::Result<()> {
    tokio::select! {
        error = running.failed() => Err(error.into()),
        done = running.until_end(), if until_end => Ok(done?),
        () = signals.stop() => {
            tracing::info!("stopping: what is in flight is finished and committed");
            Ok(())
        }
    }
}

/// Runs one of the app's own commands. It is no member of the app's group: it processes nothing.
pub(super) async fn command(
    session: Session,
    command: CommandDef,
    matches: &ArgMatches,
) -> Result<(), Failure> {
    let signals = Signals::listen()?;
    let call = async {
        let connected = connect(&session).await?;
        let worker = connected.visitor(&session).await?;
        let mut uses = command.uses.iter().copied().flatten();
        if uses.any(|used| matches!(used, Use::Global(_))) {
            worker.start_copies();
            tokio::select! {
                () = worker.copies_ready() => {}
                error = worker.failed() => return Err(error.into()),
            }
        }
        let result = (command.run)(&worker, matches).await;
        worker.end_copies();
        // What was sent and not waited for is delivered before the process ends.
        let settled = worker.outside().settle();
        settled.await?;
        drop(worker);
        connected.end().await;
        result
    };
    tokio::select! {
        result = call => Ok(result?),
        () = signals.stop() => Ok(()),
    }
}
