//! An engine as a process: started, watched from outside, stopped.

use clap::ValueEnum;
use faust::Result;
use std::fs::{File, read_to_string};
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// What counts the words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Engine {
    /// `by_hand.rs`.
    ByHand,
    /// `wordcount.rs`.
    Faust,
    /// `kafka-streams/WordCount.java`.
    KafkaStreams,
}

impl Engine {
    /// Its name here.
    pub fn name(self) -> &'static str {
        match self {
            Self::ByHand => "by-hand",
            Self::Faust => "faust",
            Self::KafkaStreams => "kafka-streams",
        }
    }
}

/// An engine that runs; dropping it kills it.
pub struct Job {
    child: Child,
    folder: PathBuf,
}

/// What a process has used since its start.
#[derive(Clone, Copy)]
pub struct Usage {
    /// Seconds of CPU time.
    pub cpu: f64,
    /// The most memory that was resident, in MiB.
    pub memory: f64,
}

impl Job {
    /// Starts one, on one CPU if that is said, with settings as `wordcount.sh` has them.
    pub fn start(
        engine: Engine,
        cpu: Option<usize>,
        class_path: &str,
        said: &[(&str, &str)],
    ) -> Result<Self> {
        let here = std::env::current_exe()?;
        let command: Vec<String> = match engine {
            Engine::ByHand => vec![here.with_file_name("by_hand").to_string_lossy().into_owned()],
            Engine::Faust => vec![concat!(env!("CARGO_MANIFEST_DIR"), "/wordcount.sh").into()],
            Engine::KafkaStreams => {
                ["java", "-Xmx2g", "-cp", class_path, "WordCount"].map(String::from).into()
            }
        };
        let pin = cpu.map(|cpu| ["taskset".to_string(), "-c".into(), cpu.to_string()]);
        let mut words = pin.into_iter().flatten().chain(command);
        let group =
            said.iter().find(|(name, _)| *name == "BENCH_GROUP").map_or("job", |(_, it)| it);
        let folder = std::env::temp_dir().join(group);
        std::fs::create_dir_all(&folder)?;
        let log = File::create(folder.join("log"))?;
        let child = Command::new(words.next().unwrap_or_default())
            .args(words)
            .envs(said.iter().copied())
            .env("BENCH_STATE_DIR", folder.join("state"))
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        Ok(Self { child, folder })
    }

    /// Fails if it has ended.
    pub fn check(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => {
                let log = read_to_string(self.folder.join("log")).unwrap_or_default();
                Err(format!("the engine ended ({status}):\n{log}").into())
            }
        }
    }

    /// What it has used.
    pub fn usage(&self) -> Result<Usage> {
        let process = format!("/proc/{}", self.child.id());
        let stat = read_to_string(format!("{process}/stat"))?;
        let fields: Vec<&str> =
            stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks =
            |n: usize| fields.get(n).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
        let status = read_to_string(format!("{process}/status"))?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = peak.and_then(|text| text.split_whitespace().next()?.parse::<f64>().ok());
        // User and system time, in hundredths of a second.
        Ok(Usage { cpu: (ticks(11) + ticks(12)) / 100.0, memory: kib.unwrap_or(0.0) / 1024.0 })
    }

    /// Asks it to stop, and waits a while.
    pub fn stop(mut self) -> Result<()> {
        Command::new("kill").arg(self.child.id().to_string()).status()?;
        let asked = Instant::now();
        while self.child.try_wait()?.is_none() && asked.elapsed() < Duration::from_secs(10) {
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        // It has ended, or has to.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
