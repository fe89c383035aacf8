//! A worker: a process that can be asked, stopped and killed.

use crate::{LONG, eventually};
use reqwest::blocking::{Client, Response};
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::Duration;

/// A running worker. It is killed when it is dropped.
pub struct Worker {
    pub(crate) child: Child,
    /// What it prints, and what it logs.
    pub(crate) stdout: PathBuf,
    pub(crate) stderr: PathBuf,
}

impl Worker {
    /// What it has printed so far.
    pub fn printed(&self) -> String {
        fs::read_to_string(&self.stdout).unwrap()
    }

    /// What it has logged so far.
    pub fn logged(&self) -> String {
        fs::read_to_string(&self.stderr).unwrap()
    }

    /// Waits until it has printed something.
    pub fn wait_until_printed(&self, text: &str) {
        eventually(&format!("printed {text}"), || self.printed().contains(text).then_some(()));
    }

    /// Where it answers, once it has said so.
    fn url(&self, path: &str) -> String {
        format!("{}{path}", eventually("the screen", || self.endpoint()))
    }

    fn endpoint(&self) -> Option<String> {
        let printed = self.printed();
        let line = printed.lines().find_map(|line| line.trim().strip_prefix("web "))?;
        printed.contains("commits").then(|| line.trim().to_string())
    }

    /// What it says about itself, if it answers at once.
    pub fn status_now(&self) -> Option<Value> {
        let client = Client::builder().timeout(Duration::from_millis(300)).build().unwrap();
        let answer = client.get(format!("{}/status.json", self.endpoint()?)).send().ok()?;
        serde_json::from_str(&answer.text().ok()?).ok()
    }

    /// Waits until it has started: it has joined, and its tasks run.
    pub fn wait_until_ready(&self) {
        eventually("ready", || (self.get("/health/ready").0 == 200).then_some(()));
    }

    /// Asks for a path: status and body. Status 0: it does not answer.
    pub fn get(&self, path: &str) -> (u16, String) {
        let client = Client::builder().timeout(LONG).build().unwrap();
        answer(client.get(self.url(path)).send())
    }

    /// As [`get`](Self::get).
    pub fn post(&self, path: &str) -> (u16, String) {
        let client = Client::builder().timeout(LONG).build().unwrap();
        answer(client.post(self.url(path)).send())
    }

    /// Waits until an agent has done something.
    pub fn wait_until_at_work(&self, agent: &str) {
        eventually(&format!("{agent} is at work"), || {
            let status: Value = serde_json::from_str(&self.get("/status.json").1).ok()?;
            let agents = status["agents"].as_array()?;
            let agent = agents.iter().find(|it| it["name"] == agent)?;
            (agent["events"].as_u64()? > 0).then_some(())
        });
    }

    /// What it says about itself.
    pub fn status(&self) -> Value {
        serde_json::from_str(&self.get("/status.json").1).unwrap_or_default()
    }

    /// The partitions of a topic that it processes: those of its tasks that run.
    pub fn partitions(&self, topic: &str) -> BTreeSet<u64> {
        let status = self.status();
        let running = status["tasks"].as_array().into_iter().flatten();
        let running: BTreeSet<u64> = running
            .filter(|task| task["state"] == "running")
            .filter_map(|task| task["partition"].as_u64())
            .collect();
        let sources = status["partitions"].as_array().into_iter().flatten();
        sources
            .filter(|at| at["topic"] == topic)
            .filter_map(|at| at["partition"].as_u64())
            .filter(|partition| running.contains(partition))
            .collect()
    }

    /// The partitions of tables that it follows for others and that lack at most so many records.
    pub fn standbys(&self, lag: u64) -> BTreeSet<u64> {
        let status = self.status();
        let standbys = status["standbys"].as_array().into_iter().flatten();
        standbys
            .filter(|standby| standby["lag"].as_u64().is_some_and(|found| found <= lag))
            .filter_map(|standby| standby["partition"].as_u64())
            .collect()
    }

    /// The rows of a table that it owns.
    pub fn own_rows(&self, table: &str) -> BTreeMap<String, u64> {
        self.list(table, false).expect("a list")
    }

    /// The rows of a table that it and all others own; none while it does not know all of them.
    pub fn all_rows(&self, table: &str) -> Option<BTreeMap<String, u64>> {
        self.list(table, true)
    }

    fn list(&self, table: &str, everywhere: bool) -> Option<BTreeMap<String, u64>> {
        let (status, body) = self.get(&format!("/table/{table}?everywhere={everywhere}"));
        assert_eq!(status, 200, "{body}");
        let rows: Vec<Row> = serde_json::from_str(&body).ok()?;
        Some(sums(rows))
    }

    /// Kills it: `kill -9`.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends a signal, such as `INT`.
    pub fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// Whether it runs.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// How it ended, if it has: its exit code; none for a signal.
    pub fn ended(&mut self) -> Option<Option<i32>> {
        self.child.try_wait().unwrap().map(|status| status.code())
    }

    /// What each of its threads is at, where there is a debugger to ask; else what the threads are called.
    pub fn stacks(&self) -> String {
        let id = self.child.id().to_string();
        let all = ["-p", &id, "-batch", "-ex", "thread apply all backtrace 16"];
        if let Ok(said) = Command::new("gdb").args(all).output() {
            return String::from_utf8_lossy(&said.stdout).into_owned();
        }
        let threads = fs::read_dir(format!("/proc/{id}/task")).into_iter().flatten().flatten();
        threads.filter_map(|thread| fs::read_to_string(thread.path().join("comm")).ok()).collect()
    }

    /// Waits until it ends; its exit code.
    pub fn wait(mut self) -> Option<i32> {
        eventually("the worker ends", || self.child.try_wait().unwrap()).code()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn answer(response: reqwest::Result<Response>) -> (u16, String) {
    match response {
        Ok(response) => (response.status().as_u16(), response.text().unwrap_or_default()),
        Err(error) => (0, error.to_string()),
    }
}

/// A row as workers and the command line show it.
#[derive(Deserialize)]
pub(crate) struct Row {
    key: String,
    window: Option<[String; 2]>,
    value: u64,
}

/// Sums by key; no row may be there twice.
pub(crate) fn sums(rows: impl IntoIterator<Item = Row>) -> BTreeMap<String, u64> {
    let (mut sums, mut seen) = (BTreeMap::new(), BTreeSet::new());
    for Row { key, window, value } in rows {
        assert!(seen.insert((key.clone(), window)), "{key} is there twice");
        *sums.entry(key).or_default() += value;
    }
    sums
}
