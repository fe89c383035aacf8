//! `start`: how long a worker takes from its start to its first output, and what it costs when nothing happens.
//!
//! ```text
//! start [--broker HOST:PORT] [--runs 5] [--partitions 4] [--idle SECONDS]
//! ```
//!
//! Records wait in the input topic before the worker starts; the clock runs from `exec` until a committed record can be
//! read from the output topic. Each run is an app of its own: first new, then again after a stop, then after `kill -9`.
//! Without `--broker` the worker runs its development broker. `FAUST_…` variables reach the worker.

use bytes::{Bytes, BytesMut};
use faust_broker::Broker;
use faust_kafka::{Admin, Config, Deliveries, NewTopic, Producer, Record, partition_for};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::{FetchRequest, FetchResponse, RequestHeader, ResponseHeader};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};
use std::collections::{BTreeMap, HashMap};
use std::error::Error;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// How long any step may take.
const PATIENCE: Duration = Duration::from_secs(30);
const TIMEOUT: Duration = Duration::from_secs(10);
/// Records that wait for the worker, spread over the partitions.
const RECORDS: u32 = 1000;
/// The kernel's clock ticks a second, in which it counts CPU time.
const TICKS: f64 = 100.0;

fn main() -> Result<()> {
    let options = Options::read()?;
    let stamp = std::process::id();
    match options.idle {
        Some(seconds) => {
            let trial = Trial::new(&options, format!("idle-{stamp}"))?;
            trial.idle(Duration::from_secs(seconds))
        }
        None => {
            let (mut new, mut again, mut killed) = (Vec::new(), Vec::new(), Vec::new());
            for run in 0..options.runs {
                let trial = Trial::new(&options, format!("start-{stamp}-{run}"))?;
                let (took, worker) = trial.first_output()?;
                new.push(took);
                trial.stop(worker, "-TERM")?;
                let (took, worker) = trial.first_output()?;
                again.push(took);
                trial.stop(worker, "-KILL")?;
                let (took, worker) = trial.first_output()?;
                killed.push(took);
                trial.stop(worker, "-TERM")?;
            }
            for (what, all) in [("new", new), ("stopped", again), ("killed", killed)] {
                println!("{what}: {}", summary(all));
            }
            Ok(())
        }
    }
}

fn summary(mut all: Vec<Duration>) -> String {
    all.sort();
    let millis = |took: &Duration| took.as_millis().to_string();
    let each: Vec<String> = all.iter().map(millis).collect();
    let median = all.get(all.len() / 2).map(millis).unwrap_or_default();
    format!("{median} ms (of {})", each.join(" "))
}

struct Options {
    broker: Option<String>,
    runs: usize,
    partitions: u32,
    idle: Option<u64>,
}

impl Options {
    fn read() -> Result<Self> {
        let mut options = Self { broker: None, runs: 5, partitions: 4, idle: None };
        let mut line = std::env::args().skip(1);
        while let Some(name) = line.next() {
            let value = line.next().ok_or_else(|| format!("{name}: no value"))?;
            match name.as_str() {
                "--broker" => options.broker = Some(value),
                "--runs" => options.runs = value.parse()?,
                "--partitions" => options.partitions = value.parse()?,
                "--idle" => options.idle = Some(value.parse()?),
                _ => return Err(format!("{name}: no such option").into()),
            }
        }
        Ok(options)
    }
}

/// One app with its topics and its folder.
struct Trial {
    id: String,
    partitions: u32,
    /// None: the worker runs the development broker.
    broker: Option<String>,
    folder: PathBuf,
}

impl Trial {
    fn new(options: &Options, id: String) -> Result<Self> {
        let folder = std::env::temp_dir().join(&id);
        fs::create_dir_all(&folder)?;
        let (partitions, broker) = (options.partitions, options.broker.clone());
        let trial = Self { id, partitions, broker, folder };
        trial.at_broker(|address| {
            let topic = NewTopic::new(trial.topic("in"), partitions as i32);
            for created in Admin::new(&Config::new(address))?.create_topics(&[topic], TIMEOUT)? {
                created?;
            }
            Ok(())
        })?;
        Ok(trial)
    }

    fn topic(&self, name: &str) -> String {
        format!("{}-{name}", self.id)
    }

    /// Does something while a broker runs. The development broker is started for it on the worker's folder.
    fn at_broker<T>(&self, call: impl FnOnce(&str) -> Result<T>) -> Result<T> {
        if let Some(address) = &self.broker {
            return call(address);
        }
        // The worker takes up the port that is written down.
        let known = self.known_address().and_then(|address| address.parse().ok());
        let port = known.map_or(0, |address: SocketAddr| address.port());
        let data = Some(self.folder.join("broker"));
        let broker = Broker::start(faust_broker::Config { port, data, ..Default::default() })?;
        let address = broker.bootstrap_servers();
        fs::write(self.folder.join("broker.address"), &address)?;
        let done = call(&address);
        broker.stop();
        done
    }

    fn known_address(&self) -> Option<String> {
        fs::read_to_string(self.folder.join("broker.address")).ok()
    }

    fn fill(&self, address: &str) -> Result<()> {
        let producer = Producer::new(&Config::new(address))?;
        let topic = producer.topic(&self.topic("in"))?;
        let deliveries = Deliveries::new(1);
        for number in 0..RECORDS {
            let key = format!("word-{number}");
            let value = format!("{{\"word\":\"{key}\"}}");
            let partition = partition_for(key.as_bytes(), self.partitions as i32);
            let (key, value) = (Some(key.as_bytes()), Some(value.as_bytes()));
            let record = Record { partition, key, value, ..Record::default() };
            producer.send(&topic, &record, Some((&deliveries, 0)))?;
        }
        deliveries.wait(TIMEOUT)?;
        Ok(())
    }

    /// Starts a worker for which records wait; how long its first output took.
    fn first_output(&self) -> Result<(Duration, Worker)> {
        let topic = self.topic("out");
        let ends = self.at_broker(|address| {
            self.fill(address)?;
            // What a killed worker has left open is ended by the next one: only what comes then counts.
            Outputs::new(&topic, self.partitions).ends(address)
        })?;
        let outputs = Outputs { topic, at: ends };
        let started = Instant::now();
        let worker = self.worker()?;
        let address = self.known_address().or(self.broker.clone()).unwrap_or_default();
        outputs.wait(&address, started)?;
        Ok((started.elapsed(), worker))
    }

    fn worker(&self) -> Result<Worker> {
        let program = std::env::current_exe()?.with_file_name("wordcount");
        let mut command = Command::new(program);
        command
            .arg("worker")
            .env("BENCH_WORKLOAD", "direct")
            .env("FAUST_ID", &self.id)
            .env("FAUST_DATA", &self.folder)
            .env("FAUST_TOPICS_IN", self.topic("in"))
            .env("FAUST_TOPICS_OUT", self.topic("out"))
            .env("FAUST_TOPIC_PARTITIONS", self.partitions.to_string())
            .stdout(Stdio::null());
        if let Some(broker) = &self.broker {
            command.env("FAUST_BROKER", broker);
        }
        Ok(Worker(command.spawn()?))
    }

    fn stop(&self, mut worker: Worker, signal: &str) -> Result<()> {
        // Everything is committed, so that the next start is about starting.
        sleep(Duration::from_millis(500));
        Command::new("kill").args([signal, &worker.0.id().to_string()]).status()?;
        worker.0.wait()?;
        Ok(())
    }

    /// What a worker costs that has nothing to do, by thread.
    fn idle(&self, span: Duration) -> Result<()> {
        let (_, worker) = self.first_output()?;
        sleep(Duration::from_secs(10));
        let before = Usage::of(worker.0.id())?;
        sleep(span);
        let after = Usage::of(worker.0.id())?;
        let seconds = span.as_secs_f64();
        let share = |ticks: u64| ticks as f64 / TICKS / seconds * 100.0;
        println!("partitions: {}", self.partitions);
        println!("rss: {:.1} MiB", after.rss_kib as f64 / 1024.0);
        println!("cpu: {:.2} % of a core", share(after.ticks - before.ticks));
        println!("threads: {}", after.threads.values().map(|(count, _)| count).sum::<u32>());
        for (name, (count, ticks)) in &after.threads {
            let ticks = ticks - before.threads.get(name).map_or(0, |(_, ticks)| *ticks);
            println!("  {name:<16} {count:>3}  {:.2} %", share(ticks));
        }
        self.stop(worker, "-TERM")
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
        if let Some(broker) = &self.broker
            && let Ok(admin) = Admin::new(&Config::new(broker))
            && let Ok(topics) = admin.topics(TIMEOUT)
        {
            let ours = topics.iter().map(|topic| topic.name.as_str());
            let ours: Vec<&str> = ours.filter(|name| name.starts_with(&self.id)).collect();
            let _ = admin.delete_topics(&ours, TIMEOUT);
        }
    }
}

/// A worker's process, which does not outlive this one.
struct Worker(Child);

impl Drop for Worker {
    fn drop(&mut self) {
        // It has ended already if all went well.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a process has used.
struct Usage {
    rss_kib: u64,
    ticks: u64,
    /// How many threads have a name, numbers apart, and the CPU time of all of them.
    threads: BTreeMap<String, (u32, u64)>,
}

impl Usage {
    fn of(process: u32) -> Result<Self> {
        let folder = Path::new("/proc").join(process.to_string());
        let status = fs::read_to_string(folder.join("status"))?;
        let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let rss_kib = rss.and_then(|rss| rss.split_whitespace().next()).unwrap_or("0").parse()?;
        let mut threads = BTreeMap::new();
        for thread in fs::read_dir(folder.join("task"))? {
            // One that has ended meanwhile is none.
            let Ok(stat) = fs::read_to_string(thread?.path().join("stat")) else { continue };
            let (name, ticks) = cpu(&stat);
            let of_name: &mut (u32, u64) = threads.entry(name).or_default();
            of_name.0 += 1;
            of_name.1 += ticks;
        }
        let (_, ticks) = cpu(&fs::read_to_string(folder.join("stat"))?);
        Ok(Self { rss_kib, ticks, threads })
    }
}

/// The name and the CPU time of a `stat` file.
fn cpu(stat: &str) -> (String, u64) {
    let (head, tail) = stat.rsplit_once(") ").unwrap_or_default();
    let name = head.split_once('(').map_or(head, |(_, name)| name);
    let name = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '-').to_string();
    let ticks = tail.split_whitespace().skip(11).take(2).filter_map(|n| n.parse::<u64>().ok());
    (name, ticks.sum())
}

/// The output topic, asked again and again without a client's caches and timers.
struct Outputs {
    topic: String,
    /// Where each partition is read next.
    at: HashMap<i32, i64>,
}

/// The last version in which a fetch names topics.
const FETCH: i16 = 12;
const MAX_BYTES: i32 = 65_536;

impl Outputs {
    fn new(topic: &str, partitions: u32) -> Self {
        Self { topic: topic.into(), at: (0..partitions as i32).map(|n| (n, 0)).collect() }
    }

    /// Where the partitions end: what is committed or aborted by now is over.
    fn ends(mut self, address: &str) -> Result<HashMap<i32, i64>> {
        let mut broker = TcpStream::connect(address)?;
        for answer in self.fetch(&mut broker)?.responses {
            for partition in answer.partitions {
                if partition.error_code == 0 {
                    self.at.insert(partition.partition_index, partition.high_watermark);
                }
            }
        }
        Ok(self.at)
    }

    /// Waits until there is a record.
    fn wait(&self, address: &str, since: Instant) -> Result<()> {
        let mut broker = None;
        while since.elapsed() < PATIENCE {
            sleep(Duration::from_millis(2));
            let Some(stream) = &mut broker else {
                broker = TcpStream::connect(address).ok();
                continue;
            };
            let Ok(answer) = self.fetch(stream) else {
                broker = None;
                continue;
            };
            let mut partitions = answer.responses.iter().flat_map(|topic| &topic.partitions);
            if partitions.any(|partition| holds_records(partition.records.as_deref())) {
                return Ok(());
            }
        }
        Err(format!("no output after {PATIENCE:?}").into())
    }

    fn fetch(&self, broker: &mut TcpStream) -> Result<FetchResponse> {
        let partitions = self.at.iter().map(|(partition, offset)| {
            FetchPartition::default()
                .with_partition(*partition)
                .with_fetch_offset(*offset)
                .with_partition_max_bytes(MAX_BYTES)
        });
        let topic = FetchTopic::default()
            .with_topic(StrBytes::from_string(self.topic.clone()).into())
            .with_partitions(partitions.collect());
        let request = FetchRequest::default()
            .with_replica_id((-1).into())
            .with_max_wait_ms(0)
            .with_min_bytes(1)
            .with_max_bytes(MAX_BYTES)
            .with_isolation_level(1)
            .with_session_epoch(-1)
            .with_topics(vec![topic]);
        let header = RequestHeader::default()
            .with_request_api_key(FetchRequest::KEY)
            .with_request_api_version(FETCH)
            .with_client_id(Some(StrBytes::from_static_str("start")));
        let mut frame = BytesMut::new();
        header.encode(&mut frame, FetchRequest::header_version(FETCH))?;
        request.encode(&mut frame, FETCH)?;
        broker.set_nodelay(true)?;
        broker.write_all(&(frame.len() as i32).to_be_bytes())?;
        broker.write_all(&frame)?;
        let mut size = [0; 4];
        broker.read_exact(&mut size)?;
        let mut answer = vec![0; u32::from_be_bytes(size) as usize];
        broker.read_exact(&mut answer)?;
        let mut answer = Bytes::from(answer);
        ResponseHeader::decode(&mut answer, FetchResponse::header_version(FETCH))?;
        Ok(FetchResponse::decode(&mut answer, FETCH)?)
    }
}

/// Whether there is anything but the markers of transactions.
fn holds_records(mut batches: Option<&[u8]>) -> bool {
    while let Some(rest) = batches {
        // Base offset, length of what follows, …, attributes, whose bit 5 is that of control batches.
        let Some(attributes) = rest.get(22) else { return false };
        if attributes & 0x20 == 0 {
            return true;
        }
        let length = rest.get(8..12).and_then(|bytes| bytes.try_into().ok());
        let length = length.map_or(0, |bytes| u32::from_be_bytes(bytes) as usize);
        batches = rest.get(12 + length..);
    }
    false
}
