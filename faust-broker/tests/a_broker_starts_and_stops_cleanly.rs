//! Starting, stopping, and the ways in which a start can fail, in the process and as a process.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod common;

use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::raw::{Raw, fetch_request};
use common::{Cluster, eventually};
use faust_broker::{Broker, Config, Error};

fn spawn(arguments: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_faust-broker"));
    command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// The line that says that the broker is ready.
fn ready(broker: &mut Child) -> String {
    let mut line = String::new();
    BufReader::new(broker.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    line
}

fn error_of(mut broker: Child) -> (Option<i32>, String) {
    let mut error = String::new();
    broker.stderr.take().unwrap().read_to_string(&mut error).unwrap();
    (broker.wait().unwrap().code(), error)
}

#[test]
fn a_start_takes_milliseconds() {
    let took = (0..10).map(|_| {
        let begin = Instant::now();
        let broker = Broker::start(Config::default()).unwrap();
        TcpStream::connect(broker.address()).unwrap();
        begin.elapsed()
    });
    // The quickest: the machine may be busy.
    let took = took.min().unwrap();
    assert!(took < Duration::from_millis(500), "{took:?}");
}

#[test]
fn a_stop_closes_connections_even_those_that_wait() {
    let broker = Broker::start(Config::default()).unwrap();
    let cluster = Cluster::at(&broker.bootstrap_servers());
    let topic = cluster.topic("waiting", 1, &[]);
    let mut idle = Raw::connect(&cluster.bootstrap);
    let mut waiting = Raw::connect(&cluster.bootstrap);
    waiting.send(12, &fetch_request(&topic, 0, 60_000));
    std::thread::sleep(Duration::from_millis(50));
    let begin = Instant::now();
    broker.stop();
    assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
    assert_eq!(idle.frame(), None);
    assert_eq!(waiting.frame(), None);
    assert!(TcpStream::connect(&cluster.bootstrap).is_err());
}

#[test]
fn many_brokers_start_and_stop_in_one_process() {
    let port = Broker::start(Config::default()).unwrap().address().port();
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..20 {
        let data = Some(folder.path().to_owned());
        let broker = Broker::start(Config { port, data, ..Config::default() }).unwrap();
        TcpStream::connect(broker.address()).unwrap();
    }
}

#[test]
fn a_data_folder_that_cannot_be_written_is_an_error() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let data = Some(file.path().join("data"));
    let result = Broker::start(Config { data, ..Config::default() });
    assert!(matches!(result, Err(Error::Data { .. })), "{result:?}");
}

#[test]
fn a_damaged_journal_is_an_error_that_names_the_line() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config { data: Some(folder.path().to_owned()), ..Config::default() };
    Broker::start(config.clone()).unwrap().stop();
    let journal = folder.path().join("journal");
    let mut bytes = std::fs::read(&journal).unwrap();
    bytes[12] ^= 1;
    std::fs::write(&journal, bytes).unwrap();
    let result = Broker::start(config);
    assert!(matches!(result, Err(Error::Damaged { line: 1, .. })), "{result:?}");
}

#[test]
fn the_process_says_where_it_listens_and_ends_on_sigterm() {
    for signal in ["-TERM", "-INT"] {
        let mut broker = spawn(&["--port", "0"]);
        let line = ready(&mut broker);
        let address = line.trim().rsplit(' ').next().unwrap().to_owned();
        assert!(address.starts_with("127.0.0.1:"), "{line}");
        TcpStream::connect(address).unwrap();
        let killed =
            Command::new("kill").args([signal, &broker.id().to_string()]).status().unwrap();
        assert!(killed.success());
        assert_eq!(broker.wait().unwrap().code(), Some(0));
    }
}

#[test]
fn the_process_says_why_it_does_not_start() {
    let taken = Broker::start(Config::default()).unwrap();
    let port = taken.address().port().to_string();
    let (code, error) = error_of(spawn(&["--port", &port]));
    assert_eq!(code, Some(1));
    assert!(error.contains(&format!("port {port} on 127.0.0.1 is in use")), "{error}");

    let (code, error) = error_of(spawn(&["--port", "many"]));
    assert_eq!(code, Some(2));
    assert!(error.contains("--port"), "{error}");
}

#[test]
fn a_folder_has_one_process_at_a_time_and_a_killed_one_gives_it_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let mut first = spawn(&["--port", "0", "--data", path]);
    ready(&mut first);
    let (code, error) = error_of(spawn(&["--port", "0", "--data", path]));
    assert_eq!(code, Some(1));
    assert!(error.contains("is in use by another broker"), "{error}");
    first.kill().unwrap();
    first.wait().unwrap();
    let mut next = spawn(&["--port", "0", "--data", path]);
    eventually("the next broker is ready", || ready(&mut next).contains("ready"));
    next.kill().unwrap();
    next.wait().unwrap();
}
