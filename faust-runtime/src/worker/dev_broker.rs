//! The development broker, shared by the processes of one app on one data folder. It runs in one of them; when that
//! one ends, even by `kill -9`, the next takes over its folder and its port, and clients reconnect.

use super::slot::write;
use faust_broker::{Broker, Config, Error};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};
use std::{fs, io};

/// Where the search for a free port begins: outside of what the system hands out by itself.
const FIRST_PORT: u16 = 19_092;
/// How often it is looked whether the broker's process has ended.
const LOOK: Duration = Duration::from_millis(250);
/// How long a process that holds the folder may take until its broker answers.
const PATIENCE: Duration = Duration::from_secs(30);

/// A share in the broker. Dropped where the broker runs, it stops the broker.
pub(crate) struct DevBroker {
    address: SocketAddr,
    here: bool,
    /// Dropping the sender ends the watch.
    watch: Option<(Sender<()>, JoinHandle<()>)>,
}

/// Why there is no development broker.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum DevBrokerError {
    /// The broker does not start; the cause says what to do.
    #[error("the development broker does not start: {0}")]
    Start(#[from] Error),
    /// Make the folder writable, or choose another with `--data`.
    #[error("data folder {}: {cause}; make it writable, or choose another with `--data`", path.display())]
    Folder { path: PathBuf, cause: io::Error },
    /// The process that holds the folder hangs: end it, or choose another folder with `--data`.
    #[error("a process holds {} but its development broker does not answer; end it, or choose another folder with `--data`", path.display())]
    Silent { path: PathBuf },
}

impl DevBroker {
    /// Starts the broker of a data folder, or joins the one that runs in another process.
    pub(crate) fn share(data: &Path) -> Result<Self, DevBrokerError> {
        let place = Place { folder: data.join("broker"), address: data.join("broker.address") };
        fs::create_dir_all(&place.folder)
            .map_err(|cause| DevBrokerError::Folder { path: place.folder.clone(), cause })?;
        let started = Instant::now();
        loop {
            match place.start() {
                Ok(broker) => {
                    let address = broker.address();
                    tracing::info!(%address, data = %place.folder.display(), "the development broker runs in this process");
                    return Ok(Self { address, here: true, watch: Some(hold(broker)) });
                }
                Err(DevBrokerError::Start(Error::DataLocked { .. })) => {}
                Err(error) => return Err(error),
            }
            if let Some(address) = place.known()
                && TcpStream::connect_timeout(&address, LOOK).is_ok()
            {
                tracing::info!(%address, "the development broker runs in another process of this app");
                return Ok(Self { address, here: false, watch: Some(take_over(place, address)) });
            }
            if started.elapsed() > PATIENCE {
                return Err(DevBrokerError::Silent { path: place.folder });
            }
            sleep(LOOK);
        }
    }

    /// Where clients connect.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether it was started by this process.
    pub(crate) fn is_here(&self) -> bool {
        self.here
    }
}

impl Drop for DevBroker {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.watch.take() {
            drop(stop);
            if thread.join().is_err() {
                tracing::error!("the development broker's thread panicked");
            }
        }
    }
}

/// The files of a shared broker.
struct Place {
    /// The broker's own data; it locks it.
    folder: PathBuf,
    /// Where the broker listens, or did last.
    address: PathBuf,
}

impl Place {
    fn known(&self) -> Option<SocketAddr> {
        fs::read_to_string(&self.address).ok()?.trim().parse().ok()
    }

    fn config(&self, port: u16) -> Config {
        Config { port, data: Some(self.folder.clone()), ..Config::default() }
    }

    /// Starts the broker where it was last, else at the first free port.
    fn start(&self) -> Result<Broker, DevBrokerError> {
        let known = self.known().map(|address| address.port());
        for port in known.into_iter().chain(FIRST_PORT..FIRST_PORT + 100).chain([0]) {
            match Broker::start(self.config(port)) {
                Ok(broker) => {
                    write(&self.address, &broker.address().to_string()).map_err(|cause| {
                        DevBrokerError::Folder { path: self.address.clone(), cause }
                    })?;
                    return Ok(broker);
                }
                Err(Error::PortInUse { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(DevBrokerError::Silent { path: self.folder.clone() })
    }
}

/// Keeps the broker until the share is dropped.
fn hold(broker: Broker) -> (Sender<()>, JoinHandle<()>) {
    let (stop, stopped) = channel();
    let thread = spawn(move || {
        // Nothing is ever sent: this returns when the sender is gone.
        let _ = stopped.recv();
        broker.stop();
    });
    (stop, thread)
}

/// Waits for the folder to become free, then runs the broker at the same port: clients keep the address.
fn take_over(place: Place, address: SocketAddr) -> (Sender<()>, JoinHandle<()>) {
    let (stop, stopped) = channel();
    let thread = spawn(move || {
        let mut broker = None;
        let mut told = false;
        // Nothing is ever sent: a timeout is a tick, anything else the end.
        while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(LOOK) {
            if broker.is_some() {
                continue;
            }
            match Broker::start(place.config(address.port())) {
                Ok(taken) => {
                    tracing::info!(%address, "the development broker's process has ended: it goes on in this one");
                    broker = Some(taken);
                }
                Err(Error::DataLocked { .. }) => told = false,
                Err(error) if !told => {
                    tracing::error!(%address, %error, "the development broker cannot go on here; it is tried again");
                    told = true;
                }
                Err(_) => {}
            }
        }
        drop(broker);
    });
    (stop, thread)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_process_takes_over_the_port() {
        let data = tempfile::tempdir().unwrap();
        let first = DevBroker::share(data.path()).unwrap();
        let second = DevBroker::share(data.path()).unwrap();
        assert!(first.is_here() && !second.is_here());
        assert_eq!(first.address(), second.address());
        let address = first.address();
        drop(first);
        let begun = Instant::now();
        while TcpStream::connect(address).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(10), "nobody took over");
            sleep(Duration::from_millis(20));
        }
        drop(second);
        assert_eq!(DevBroker::share(data.path()).unwrap().address(), address, "the port is kept");
    }
}
