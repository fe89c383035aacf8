//! A development broker that can go away.

use crate::eventually;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// A broker's process on a folder of its own. It is killed when it is dropped.
pub struct BrokerProcess {
    program: &'static str,
    folder: TempDir,
    child: Child,
    address: SocketAddr,
}

impl BrokerProcess {
    /// Starts one, of the program `broker`.
    pub fn start(program: &'static str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (child, address) = run(program, 0, folder.path());
        Self { program, folder, child, address }
    }

    /// Where it listens.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// It answers nobody, and keeps its connections, until [`resume`](Self::resume).
    pub fn pause(&self) {
        self.signal("STOP");
    }

    /// It goes on.
    pub fn resume(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// Kills it: nobody listens any more.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again, on the same folder and port.
    pub fn restart(&mut self) {
        (self.child, self.address) = run(self.program, self.address.port(), self.folder.path());
        eventually("the broker listens", || TcpStream::connect(self.address).ok());
    }
}

fn run(program: &str, port: u16, folder: &Path) -> (Child, SocketAddr) {
    let mut child = Command::new(program)
        .arg(port.to_string())
        .arg(folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (child, line.trim().parse().unwrap())
}

impl Drop for BrokerProcess {
    fn drop(&mut self) {
        // It may be paused, or have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
