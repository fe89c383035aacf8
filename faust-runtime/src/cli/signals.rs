//! Ctrl-C and SIGTERM: the first asks the worker to stop, the second ends the process at once.

use std::io;
use tokio::sync::watch;

/// What `128 + SIGINT` is to a shell.
const INTERRUPTED: i32 = 130;

/// Whether the process was asked to stop.
#[derive(Clone)]
pub(super) struct Signals(watch::Receiver<bool>);

impl Signals {
    /// Listens from now on.
    pub(super) fn listen() -> io::Result<Self> {
        let (asked, receiver) = watch::channel(false);
        let mut signals = Both::new()?;
        tokio::spawn(async move {
            signals.next().await;
            asked.send_replace(true);
            signals.next().await;
            tracing::warn!("stopped a second time: the process ends without finishing");
            std::process::exit(INTERRUPTED);
        });
        Ok(Self(receiver))
    }

    /// Completes when the process was asked to stop.
    pub(super) async fn stop(&self) {
        let mut asked = self.0.clone();
        if asked.wait_for(|asked| *asked).await.is_err() {
            // The listening task ends only with the process.
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(unix)]
struct Both {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Both {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Both;

#[cfg(not(unix))]
impl Both {
    fn new() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
