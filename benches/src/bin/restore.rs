//! `restore`: how fast a worker whose disk is gone has its table back, and how long one takes that was killed.
//!
//! ```text
//! restore [--rows 2000000] [--partitions 4] [--broker HOST:PORT]
//! ```
//!
//! The changelog is written by hand: rows of about a hundred bytes, each once. The clock runs from `exec` until the
//! worker's task is called, which is when it is ready. `FAUST_…` variables reach the worker.

use faust::prelude::*;
use faust_broker::Broker;
use faust_kafka::{Admin, Config, Deliveries, NewTopic, Producer, SendError, partition_for};
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// A row to be written.
#[topic("puts", key = key)]
struct Put {
    key: String,
    text: String,
}

/// What is restored.
#[table("rows")]
struct Stored {
    key: String,
    value: String,
}

#[agent]
async fn put(put: Event<Put>, rows: Table<Stored>) -> Result<()> {
    rows.update(&put.key, |text| text.clone_from(&put.text)).await
}

/// Says that the worker is ready.
#[task]
async fn up() -> Result<()> {
    println!("up");
    std::future::pending().await
}

#[app("restore", agents(put), tasks(up))]
struct Restore;

const TIMEOUT: Duration = Duration::from_secs(60);
/// Set for the process that is the worker.
const WORKER: &str = "RESTORE_WORKER";

fn main() -> ExitCode {
    if std::env::var_os(WORKER).is_some() {
        return faust::main::<Restore>();
    }
    match measure() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure() -> Result<()> {
    let trial = Trial::new()?;
    let before = Instant::now();
    trial.fill("restore-rows-changelog", trial.rows, |key| format!("\"{}\"", text(key)))?;
    println!(
        "{} changelog records, written in {:.1} s",
        trial.rows,
        before.elapsed().as_secs_f64()
    );

    let (took, worker) = trial.start()?;
    let usage = Usage::of(worker.0.id())?;
    println!(
        "restored after {:.2} s: {:.0} records/s, {:.0} records/s of CPU time, {:.0} MiB at the most",
        took.as_secs_f64(),
        trial.rows as f64 / took.as_secs_f64(),
        trial.rows as f64 / usage.cpu,
        usage.memory,
    );
    trial.fill("restore-puts", trial.rows / 10, |key| {
        format!(r#"{{"key":"{key}","text":"{}"}}"#, text(key))
    })?;
    sleep(Duration::from_secs(2));
    drop(worker);
    let (took, worker) = trial.start()?;
    println!("killed: ready after {} ms, {} records replayed", took.as_millis(), trial.replayed()?);
    drop(worker);
    Ok(())
}

fn text(key: &str) -> String {
    format!("{key} and what else belongs to a row of about a hundred bytes, as many have it")
}

struct Trial {
    rows: usize,
    partitions: i32,
    address: String,
    folder: PathBuf,
    _broker: Option<Broker>,
}

impl Trial {
    fn new() -> Result<Self> {
        let (mut rows, mut partitions, mut address) = (2_000_000, 4, None);
        let mut line = std::env::args().skip(1);
        while let Some(name) = line.next() {
            let value = line.next().ok_or_else(|| format!("{name}: no value"))?;
            match name.as_str() {
                "--rows" => rows = value.parse()?,
                "--partitions" => partitions = value.parse()?,
                "--broker" => address = Some(value),
                _ => return Err(format!("{name}: no such option").into()),
            }
        }
        let broker = match address {
            Some(_) => None,
            None => Some(Broker::start(faust_broker::Config::default())?),
        };
        let own = || broker.as_ref().map(Broker::bootstrap_servers).unwrap_or_default();
        let address = address.unwrap_or_else(own);
        let folder = std::env::temp_dir().join(format!("restore-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let admin = Admin::new(&Config::new(&address))?;
        let topics = ["restore-puts", "restore-rows-changelog"];
        for created in
            admin.create_topics(&topics.map(|name| NewTopic::new(name, partitions)), TIMEOUT)?
        {
            created?;
        }
        Ok(Self { rows, partitions, address, folder, _broker: broker })
    }

    fn fill(&self, topic: &str, rows: usize, value: impl Fn(&str) -> String) -> Result<()> {
        let producer = Producer::new(&Config::new(&self.address))?;
        let topic = producer.topic(topic)?;
        let deliveries = Deliveries::new(1);
        for number in 0..rows {
            // Keys come in no order.
            let number = (number as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            let key = format!("{number:016x}");
            let value = value(&key);
            let record = faust_kafka::Record {
                partition: partition_for(key.as_bytes(), self.partitions),
                key: Some(key.as_bytes()),
                value: Some(value.as_bytes()),
                ..faust_kafka::Record::default()
            };
            while let Err(error) = producer.send(&topic, &record, Some((&deliveries, 0))) {
                match error {
                    SendError::QueueFull => sleep(Duration::from_millis(1)),
                    error => return Err(error.into()),
                }
            }
        }
        Ok(deliveries.wait(TIMEOUT)?)
    }

    /// Starts a worker and waits until it is ready.
    fn start(&self) -> Result<(Duration, Worker)> {
        let started = Instant::now();
        let mut child = Command::new(std::env::current_exe()?)
            .arg("worker")
            .env(WORKER, "1")
            .env("FAUST_BROKER", &self.address)
            .env("FAUST_DATA", self.folder.join("data"))
            // Nobody has committed anything yet: the changelog was written by hand.
            .env("FAUST_OFFSETS", "accept")
            .env("FAUST_TOPIC_PREFIX", "restore-")
            .env("FAUST_WEB_PORT", "0")
            .stdout(Stdio::piped())
            .stderr(File::create(self.log())?)
            .spawn()?;
        let printed = child.stdout.take().map(BufReader::new);
        let worker = Worker(child);
        for line in printed.into_iter().flat_map(BufRead::lines) {
            if line? == "up" {
                return Ok((started.elapsed(), worker));
            }
        }
        Err(format!("the worker has ended:\n{}", fs::read_to_string(self.log())?).into())
    }

    fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// How many records the last worker has read back, as it has logged.
    fn replayed(&self) -> Result<u64> {
        let log = fs::read_to_string(self.log())?;
        let recovered = log.lines().filter(|line| line.contains("recovered"));
        let records = recovered.filter_map(|line| line.split("records=").nth(1)?.split(' ').next());
        Ok(records.filter_map(|number| number.parse::<u64>().ok()).sum())
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A worker's process; dropping it is `kill -9`.
struct Worker(Child);

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a process has used.
struct Usage {
    /// Seconds of CPU time.
    cpu: f64,
    /// The most memory that was resident, in MiB.
    memory: f64,
}

impl Usage {
    fn of(process: u32) -> Result<Self> {
        let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
        let fields: Vec<_> =
            stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = |n: usize| fields.get(n).and_then(|text| text.parse::<f64>().ok());
        // User and system time, in hundredths of a second.
        let cpu = (ticks(11).unwrap_or(0.0) + ticks(12).unwrap_or(0.0)) / 100.0;
        let status = fs::read_to_string(format!("/proc/{process}/status"))?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = peak.and_then(|text| text.split_whitespace().next()?.parse::<f64>().ok());
        Ok(Self { cpu, memory: kib.unwrap_or(0.0) / 1024.0 })
    }
}
