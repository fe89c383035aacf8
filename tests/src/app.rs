//! An app: its broker, its folder, its settings, and the processes that are started of it.

use crate::eventually;
use crate::topics::{Record, Topics};
use crate::worker::{Worker, sums};
use std::cell::{Cell, OnceCell};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::panicking;
use tempfile::TempDir;

/// An app with a name that no other test, and no earlier run, has used.
pub struct App {
    program: &'static str,
    /// The topics that it reads.
    sources: &'static [&'static str],
    id: String,
    settings: Vec<(String, String)>,
    /// Further variables of its processes.
    variables: Vec<(String, String)>,
    folder: TempDir,
    topics: OnceCell<Topics>,
    /// Its processes make the development broker among themselves.
    shares: bool,
    started: Cell<u32>,
}

/// A process that has ended.
#[derive(Debug)]
pub struct Finished {
    /// Its exit code.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it said beside that.
    pub stderr: String,
}

impl App {
    /// A program, and the topics that it reads.
    pub fn new(program: &'static str, sources: &'static [&'static str]) -> Self {
        let topics = Topics::start();
        let app = Self::of(program, sources, false).set("broker", &topics.address);
        app.topics.get_or_init(|| topics);
        app
    }

    /// As [`new`](Self::new), with a broker that somebody else has started.
    pub fn at(address: &str, program: &'static str, sources: &'static [&'static str]) -> Self {
        let app = Self::of(program, sources, false).set("broker", address);
        app.topics.get_or_init(|| Topics::at(address.into(), None));
        app
    }

    /// As [`new`](Self::new), without a broker: its processes share one data folder, and the development broker in it.
    pub fn sharing(program: &'static str, sources: &'static [&'static str]) -> Self {
        Self::of(program, sources, true)
    }

    fn of(program: &'static str, sources: &'static [&'static str], shares: bool) -> Self {
        let id = format!("t{}", uuid::Uuid::new_v4().simple());
        let settings =
            [("id", id.clone()), ("topic_prefix", format!("{id}.")), ("web_port", "0".into())];
        Self {
            program,
            sources,
            id,
            settings: settings.map(|(name, value)| (name.to_string(), value)).into(),
            variables: Vec::new(),
            folder: tempfile::tempdir().unwrap(),
            topics: OnceCell::new(),
            shares,
            started: Cell::new(0),
        }
    }

    /// Gives a setting to all processes from now on.
    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.settings.retain(|(known, _)| known != name);
        self.settings.push((name.into(), value.into()));
        self
    }

    /// Gives a variable of the environment to all processes from now on.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }

    /// Its id, which is the group's too.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The name in Kafka of a topic that it declares.
    pub fn topic(&self, declared: &str) -> String {
        format!("{}.{declared}", self.id)
    }

    /// The folder that its processes run in.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Keeps that folder for somebody to look at.
    pub fn keep(&mut self) -> &Path {
        self.folder.disable_cleanup(true);
        self.folder.path()
    }

    /// The data folder of worker `n`.
    pub fn data(&self, n: usize) -> PathBuf {
        let name = if self.shares { "data".into() } else { format!("data-{n}") };
        self.folder.path().join(name)
    }

    fn command(&self, n: usize, line: &[&str]) -> Command {
        let mut command = Command::new(self.program);
        command.args(line).current_dir(&self.folder).env_clear().env("FAUST_DATA", self.data(n));
        for (name, value) in &self.settings {
            command.env(format!("FAUST_{}", name.to_uppercase()), value);
        }
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Starts worker `n`.
    pub fn start(&self, n: usize) -> Worker {
        self.start_with(n, &[])
    }

    /// Starts worker `n` with options.
    pub fn start_with(&self, n: usize, line: &[&str]) -> Worker {
        let started = self.started.replace(self.started.get() + 1);
        let path = |what| self.folder.path().join(format!("process-{started}-worker-{n}.{what}"));
        let (stdout, stderr) = (path("out"), path("err"));
        let child = self
            .command(n, line)
            .stdin(Stdio::null())
            .stdout(File::create(&stdout).unwrap())
            .stderr(File::create(&stderr).unwrap())
            .spawn()
            .unwrap();
        Worker { child, stdout, stderr }
    }

    /// Runs worker 0 with options until it ends by itself.
    pub fn run(&self, line: &[&str]) -> Finished {
        let mut worker = self.start_with(0, line);
        let code =
            eventually(&format!("{line:?} ends"), || worker.child.try_wait().unwrap()).code();
        Finished { code, stdout: worker.printed(), stderr: worker.logged() }
    }

    /// Runs worker 0 until everything is processed.
    pub fn run_to_end(&self) -> Finished {
        let finished = self.run(&["--until-end"]);
        assert_eq!(finished.code, Some(0), "{}", finished.stderr);
        finished
    }

    /// Sends lines as one text.
    pub fn send_text(&self, lines: &[String]) {
        let number = self.started.get();
        let path = self.folder.path().join(format!("text-{number}"));
        fs::write(&path, lines.join("\n")).unwrap();
        self.send("texts", &[serde_json::json!({ "path": path }).to_string()]);
    }

    /// Sends records by the app's own command, which also makes its topics.
    pub fn send(&self, topic: &str, values: &[String]) {
        let path = self.folder.path().join("values");
        fs::write(&path, values.join("\n")).unwrap();
        let sent = self.run(&["send", topic, "--file", path.to_str().unwrap()]);
        assert_eq!(sent.code, Some(0), "{}", sent.stderr);
    }

    /// Waits until the group has committed everything that its topics hold.
    pub fn wait_until_processed(&self) {
        let mut before = None;
        eventually("everything is processed", || {
            let now = self.at_end();
            let done = now.is_some() && now == before;
            before = now;
            done.then_some(())
        });
    }

    /// Whether the group has committed everything that its topics hold now.
    pub fn is_processed(&self) -> bool {
        self.at_end().is_some()
    }

    fn at_end(&self) -> Option<Vec<i64>> {
        let sources: Vec<_> = self.sources.iter().map(|topic| self.topic(topic)).collect();
        self.topics().at_end(&self.id, &sources)
    }

    /// The rows of a table as the command line shows them; of one that has windows, the sums over them.
    pub fn rows(&self, table: &str) -> BTreeMap<String, u64> {
        let shown = self.run(&["table", table, "--format", "json"]);
        assert_eq!(shown.code, Some(0), "{}", shown.stderr);
        sums(shown.stdout.lines().map(|line| serde_json::from_str(line).unwrap()))
    }

    /// What is committed in a declared topic.
    pub fn read(&self, topic: &str) -> Vec<Record> {
        self.topics().read(&self.topic(topic))
    }

    /// The app's dead letters.
    pub fn dead_letters(&self) -> Vec<Record> {
        self.topics().read(&format!("{}-dead-letters", self.id))
    }

    /// What is committed in the changelog of a table.
    pub fn changelog(&self, table: &str) -> Vec<Record> {
        self.topics().read(&format!("{}-{table}-changelog", self.id))
    }

    /// The keys in a declared topic.
    pub fn keys(&self, topic: &str) -> Vec<String> {
        self.read(topic).into_iter().filter_map(|record| record.key).collect()
    }

    /// Sends a record to a declared topic as it stands.
    pub fn produce(&self, topic: &str, record: &Record) {
        self.topics().produce(&self.topic(topic), record);
    }

    /// Makes a declared topic before the app does.
    pub fn create_topic(&self, topic: &str, partitions: i32) {
        self.topics().create(&self.topic(topic), partitions);
    }

    /// The partition of a key.
    pub fn partition(&self, topic: &str, key: &str) -> i32 {
        self.topics().partition(&self.topic(topic), key)
    }

    /// Commits an offset for the group from outside.
    pub fn commit(&self, topic: &str, partition: i32, offset: i64) {
        self.commit_with(topic, partition, offset, "");
    }

    /// Commits an offset with metadata.
    pub fn commit_with(&self, topic: &str, partition: i32, offset: i64, metadata: &str) {
        self.topics().commit(&self.id, &self.topic(topic), partition, offset, metadata);
    }

    /// Where its broker is.
    pub(crate) fn address(&self) -> &str {
        &self.topics().address
    }

    /// Where the partitions of a declared topic end, open transactions included.
    pub(crate) fn ends(&self, topic: &str) -> Vec<i64> {
        self.topics().ends_of(&self.topic(topic))
    }

    fn topics(&self) -> &Topics {
        self.topics.get_or_init(|| {
            let address = fs::read_to_string(self.data(0).join("broker.address")).unwrap();
            Topics::at(address.trim().into(), None)
        })
    }
}

/// What the processes said, where a test fails.
impl Drop for App {
    fn drop(&mut self) {
        if !panicking() {
            return;
        }
        let mut logs: Vec<_> =
            fs::read_dir(&self.folder).unwrap().map(|it| it.unwrap().path()).collect();
        logs.sort_by_key(|path| fs::metadata(path).unwrap().modified().unwrap());
        for path in logs.iter().filter(|path| path.extension().is_some_and(|it| it == "err")) {
            println!("--- {}\n{}", path.display(), tail(path));
        }
    }
}

fn tail(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}
