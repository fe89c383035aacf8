//! The web server's address: found before the worker starts, because it tells others where it answers.

use crate::app::Settings;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use tokio::net::TcpListener;

const DEFAULT_PORT: u16 = 6066;

/// A port that is taken and not served yet.
pub(crate) struct Listener {
    pub(super) socket: TcpListener,
    endpoint: String,
}

/// Why nothing can be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum ListenError {
    /// Stop the process that listens there, or give another port; without one a free one is taken.
    #[error("port {} of {} is in use: stop the process that listens there, or give another `--web-port`", .0.port(), .0.ip())]
    InUse(SocketAddr),
    /// Correct `web_bind` or `web_port`; the cause says what is wrong.
    #[error("cannot listen at {address}: {cause}; see the settings `web_bind` and `web_port`")]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the operating system said.
        cause: io::Error,
    },
}

impl Listener {
    /// Takes the port that the settings give; where they give none, 6066 or the next free one.
    pub(crate) async fn bind(settings: &Settings) -> Result<Self, ListenError> {
        let (first, last) = match settings.web_port {
            Some(port) => (port, port),
            None => (DEFAULT_PORT, DEFAULT_PORT + 100),
        };
        for port in first..=last {
            let address = SocketAddr::new(settings.web_bind, port);
            match TcpListener::bind(address).await {
                Ok(socket) => {
                    if port != first {
                        tracing::warn!(
                            taken = first,
                            port,
                            "the default web port is taken: the next free one is used"
                        );
                    }
                    return Self::new(socket, settings)
                        .map_err(|cause| ListenError::Listen { address, cause });
                }
                Err(error) if error.kind() == ErrorKind::AddrInUse && port < last => {}
                Err(error) if error.kind() == ErrorKind::AddrInUse => {
                    return Err(ListenError::InUse(address));
                }
                Err(cause) => return Err(ListenError::Listen { address, cause }),
            }
        }
        Err(ListenError::InUse(SocketAddr::new(settings.web_bind, first)))
    }

    fn new(socket: TcpListener, settings: &Settings) -> io::Result<Self> {
        let address = socket.local_addr()?;
        let endpoint = match &settings.endpoint {
            Some(endpoint) => endpoint.trim_end_matches('/').to_string(),
            None => format!("http://{}", SocketAddr::new(reachable(address.ip()), address.port())),
        };
        Ok(Self { socket, endpoint })
    }

    /// The URL under which other workers reach it.
    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }
}

/// "All addresses" is none that can be called.
fn reachable(bind: IpAddr) -> IpAddr {
    if bind.is_unspecified() {
        tracing::warn!(
            "`web_bind` is all addresses and `endpoint` is not set: workers of other machines cannot reach this one"
        );
        return IpAddr::V4(Ipv4Addr::LOCALHOST);
    }
    bind
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_given_port_must_be_free_and_a_default_one_moves_on() {
        let first = Listener::bind(&Settings::default()).await.unwrap();
        let second = Listener::bind(&Settings::default()).await.unwrap();
        assert_ne!(first.endpoint(), second.endpoint());
        let address = first.socket.local_addr().unwrap();
        assert_eq!(first.endpoint(), format!("http://{address}"));
        let given = Settings { web_port: Some(address.port()), ..Settings::default() };
        let error = Listener::bind(&given).await.err().unwrap();
        assert!(matches!(error, ListenError::InUse(_)));
    }
}
