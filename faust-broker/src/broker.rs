//! Starting and stopping a broker.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::groups::Groups;
use crate::server::{Connections, Shared, accept, clean, tick};
use crate::state::State;
use crate::{Config, Error, Faults};

/// A running broker. It stops when it is dropped.
///
/// ```
/// use std::net::TcpStream;
/// use faust_broker::{Broker, Config};
///
/// let broker = Broker::start(Config::default())?;
/// assert!(TcpStream::connect(broker.bootstrap_servers()).is_ok());
/// let address = broker.address();
/// drop(broker);
/// assert!(TcpStream::connect(address).is_err());
/// # Ok::<(), faust_broker::Error>(())
/// ```
#[derive(Debug)]
pub struct Broker {
    shared: Arc<Shared>,
    connections: Arc<Connections>,
    threads: Vec<JoinHandle<()>>,
}

impl Broker {
    /// Starts a broker. When this returns, clients can connect.
    ///
    /// # Errors
    ///
    /// When the port or the data folder cannot be had; see [`Error`] for what to do then.
    ///
    /// ```
    /// use faust_broker::{Broker, Config, Error};
    ///
    /// let folder = tempfile::tempdir()?;
    /// let config = Config { data: Some(folder.path().into()), ..Config::default() };
    /// let broker = Broker::start(config.clone())?;
    /// // A folder has one broker at a time.
    /// assert!(matches!(Broker::start(config), Err(Error::DataLocked { .. })));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn start(config: Config) -> Result<Self, Error> {
        // The folder comes first: whoever has it is the broker to use, wherever it listens.
        let state = match &config.data {
            Some(folder) => State::open(&config, folder)?,
            None => State::in_memory(&config),
        };
        let port = config.port;
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(|source| {
                match source.kind() {
                    ErrorKind::AddrInUse => Error::PortInUse { port },
                    _ => Error::Listen { port, source },
                }
            })?;
        let address = listener.local_addr().map_err(|source| Error::Listen { port, source })?;
        let shared = Arc::new(Shared::new(config, address, state));
        let connections = Arc::new(Connections::default());
        let mut broker = Self { shared, connections, threads: Vec::new() };

        let (shared, connections) = (Arc::clone(&broker.shared), Arc::clone(&broker.connections));
        broker.spawn("broker-accept", move || accept(&shared, &connections, &listener))?;
        let shared = Arc::clone(&broker.shared);
        broker.spawn("broker-timer", move || tick(&shared))?;
        let shared = Arc::clone(&broker.shared);
        broker.spawn("broker-cleaner", move || clean(&shared))?;
        tracing::info!(%address, data = ?broker.shared.config.data, "development broker is ready");
        Ok(broker)
    }

    /// The address to give to clients as `bootstrap.servers`.
    ///
    /// ```
    /// # use faust_broker::{Broker, Config};
    /// let broker = Broker::start(Config::default())?;
    /// assert_eq!(broker.bootstrap_servers(), broker.address().to_string());
    /// # Ok::<(), faust_broker::Error>(())
    /// ```
    #[must_use]
    pub fn bootstrap_servers(&self) -> String {
        self.shared.address.to_string()
    }

    /// The address that the broker listens on.
    ///
    /// ```
    /// # use faust_broker::{Broker, Config};
    /// let broker = Broker::start(Config::default())?;
    /// assert!(broker.address().ip().is_loopback());
    /// # Ok::<(), faust_broker::Error>(())
    /// ```
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.shared.address
    }

    /// What goes wrong here on purpose, to test clients with: nothing, until it is told.
    ///
    /// ```
    /// # use faust_broker::{Broker, Config};
    /// let broker = Broker::start(Config::default())?;
    /// // Every fifth produce takes a second longer.
    /// broker.faults().add("Produce delay=1s every=5".parse()?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.shared.faults
    }

    /// Stops the broker: closes the port and all connections, and gives the data folder back.
    ///
    /// ```
    /// # use faust_broker::{Broker, Config};
    /// let broker = Broker::start(Config::default())?;
    /// let port = broker.address().port();
    /// broker.stop();
    /// // The port is free again.
    /// Broker::start(Config { port, ..Config::default() })?.stop();
    /// # Ok::<(), faust_broker::Error>(())
    /// ```
    pub fn stop(self) {
        drop(self);
    }

    fn spawn(&mut self, name: &str, run: impl FnOnce() + Send + 'static) -> Result<(), Error> {
        let thread = thread::Builder::new().name(name.to_owned()).spawn(run);
        self.threads.push(thread.map_err(Error::Thread)?);
        Ok(())
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        {
            let mut state = self.shared.lock_to_stop();
            self.shared.stopping.store(true, Ordering::Release);
            // Those who wait for a group or for records learn of it. Offsets are on disk already.
            state.groups = Groups::default();
            for (_, topic) in state.topics.iter_mut() {
                topic.partitions.iter().for_each(crate::log::Log::wake);
            }
            self.shared.stopped.notify_all();
        }
        // A connection of our own ends the wait for the next one.
        if let Err(error) = TcpStream::connect_timeout(&self.shared.address, Duration::from_secs(1))
        {
            tracing::debug!(%error, "the listener is closed already");
        }
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a broker thread had panicked");
            }
        }
        self.connections.close();
        // The folder's lock goes here, not with the last handle: the folder is free on return.
        *self.shared.lock_to_stop() = State::default();
    }
}
