//! The broker of a run: a process that can be killed, or a cluster that is somebody else's.

use super::ROLE;
use faust_broker::{Broker, Config};
use std::io::{BufRead, BufReader, Write, stdin};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

/// A development broker in a process of its own.
pub(super) struct BrokerProcess {
    child: Child,
    pub(super) address: String,
}

impl BrokerProcess {
    /// Starts it on its files; at port 0 it takes any.
    pub(super) fn start(folder: &Path, port: u16) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .env(ROLE, "broker")
            .args([&port.to_string(), folder.to_str().unwrap()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut address = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut address).unwrap();
        assert!(!address.is_empty(), "the broker does not start");
        Self { child, address: address.trim().into() }
    }

    /// Tells it of a fault.
    pub(super) fn arm(&mut self, fault: &str) {
        // If it is dead, it needs none.
        let _ = writeln!(self.child.stdin.as_mut().unwrap(), "{fault}");
    }

    pub(super) fn is_dead(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }
}

/// `kill -9`.
impl Drop for BrokerProcess {
    fn drop(&mut self) {
        // It may have died by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The process itself. It ends with the one that started it, whose end of the pipe closes.
pub fn serve() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let port = arguments.next().unwrap().parse().unwrap();
    let config = Config {
        port,
        data: arguments.next().map(Into::into),
        min_session_timeout: Duration::from_secs(1),
        // Small enough that segments are closed, and compacted, during a run.
        segment_bytes: 256 * 1024,
        ..Config::default()
    };
    let broker = Broker::start(config).unwrap();
    println!("{}", broker.bootstrap_servers());
    std::io::stdout().flush().unwrap();
    broker.faults().follow(stdin().lock());
    ExitCode::SUCCESS
}
