//! Why a broker does not start. Once it runs, errors travel to clients as Kafka error codes.

use std::io;
use std::path::PathBuf;

/// A broker that could not be started, and what to do about it.
///
/// ```
/// use faust_broker::{Broker, Config, Error};
///
/// let first = Broker::start(Config::default())?;
/// let port = first.address().port();
/// let second = Broker::start(Config { port, ..Config::default() });
/// assert!(matches!(second, Err(Error::PortInUse { .. })));
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Stop the process that listens there, or start with another port (0 takes a free one).
    #[error("port {port} on 127.0.0.1 is in use; stop its owner or choose another port")]
    PortInUse {
        /// The port that was asked for.
        port: u16,
    },
    /// Look at the cause: a port below 1024 needs rights, a container may have no loopback.
    #[error("cannot listen on 127.0.0.1:{port}")]
    Listen {
        /// The port that was asked for.
        port: u16,
        /// What the operating system said.
        source: io::Error,
    },
    /// Use the broker that already serves the folder, stop it, or choose another folder.
    #[error("data folder {} is in use by another broker; stop it or choose another folder", folder.display())]
    DataLocked {
        /// The folder that was asked for.
        folder: PathBuf,
    },
    /// Make the folder readable and writable for this user, free disk space, or choose another.
    #[error("cannot use data folder file {}", path.display())]
    Data {
        /// The file or folder at fault.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The file was changed from outside or the disk is bad: restore the folder or start anew.
    #[error("{} is damaged at line {line}; restore the data folder or remove it", path.display())]
    Damaged {
        /// The damaged file.
        path: PathBuf,
        /// The first line that cannot be read.
        line: usize,
    },
    /// The process may start no more threads: raise its limit.
    #[error("cannot start a thread")]
    Thread(#[source] io::Error),
}
