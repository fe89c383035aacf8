//! Chaos: an app under load, whose workers and broker are killed, frozen and cut off on a schedule that a seed decides,
//! and an exact account of what it leaves.

mod broker;
mod feed;
mod fleet;
mod oracle;
mod schedule;
mod timed;

pub use broker::serve;

use crate::{App, Proxy};
use broker::BrokerProcess;
use feed::Feed;
use fleet::{Fleet, Tally};
use schedule::{Act, SESSION, Step, WORKERS, schedule};
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The variable that tells a process of the program what it is: `broker` or `worker`; none: the one that drives.
pub const ROLE: &str = "CHAOS_ROLE";

/// How long everything that was sent may take to be processed, once all is well again.
const PATIENCE: Duration = Duration::from_secs(180);
const TICK: Duration = Duration::from_millis(20);

/// What a run is to be.
#[derive(Debug, Clone)]
pub struct Plan {
    /// How long it goes on.
    pub seconds: u64,
    /// What happens when follows from it.
    pub seed: u64,
    /// The cluster; none for a development broker, which is killed too.
    pub cluster: Option<String>,
    /// `exactly_once` or `at_least_once`.
    pub guarantee: String,
    /// Orders a second.
    pub rate: u64,
}

/// Where the app's broker is, and the process if it is ours.
struct Place {
    /// The proxy's, in front of it.
    address: String,
    proxy: Proxy,
    broker: String,
    ours: Option<(TempDir, Option<BrokerProcess>)>,
}

/// Runs it, and says what came of it.
pub fn run(plan: &Plan) -> ExitCode {
    println!(
        "seed {}: {} s of chaos, {}, {}",
        plan.seed,
        plan.seconds,
        plan.guarantee,
        plan.cluster.as_deref().unwrap_or("development broker")
    );
    let mut place = Place::start(plan);
    let program = std::env::current_exe().unwrap().to_str().unwrap().to_string().leak();
    let mut app = App::at(&place.address, program, &["orders", "sales"])
        .env(ROLE, "worker")
        .set("guarantee", &plan.guarantee)
        .set("session_timeout", &format!("{}s", SESSION.as_secs()))
        .set("hand_over_timeout", "10s");
    let (tally, wrong) = go(plan, &app, &mut place);
    println!("{tally}");
    let mut said = BTreeMap::<_, usize>::new();
    for line in &wrong {
        let said = said.entry(line.split(':').next()).or_default();
        *said += 1;
        if *said <= 10 {
            println!("WRONG {line}");
        }
    }
    if wrong.is_empty() {
        println!("seed {}: everything is there, and as often as it should be", plan.seed);
        return ExitCode::SUCCESS;
    }
    println!(
        "seed {}: {} findings; logs and stores are in {} and {}",
        plan.seed,
        wrong.len(),
        app.keep().display(),
        place.keep()
    );
    ExitCode::FAILURE
}

fn go(plan: &Plan, app: &App, place: &mut Place) -> (Tally, Vec<String>) {
    let mut fleet = Fleet::new(app);
    (0..WORKERS).for_each(|n| fleet.start(n));
    fleet.workers().for_each(crate::Worker::wait_until_ready);
    let feed = Feed::start(&place.address, app.topic("orders"), plan.seed, plan.rate);
    let begun = Instant::now();
    let mut counted = begun;
    for Step { at, act } in schedule(plan) {
        while begun.elapsed() < at {
            sleep(TICK);
            fleet.watch();
            if place.watch() {
                println!("{:8.3} s  the broker has died", begun.elapsed().as_secs_f64());
                fleet.tally.deaths += 1;
            }
            if counted.elapsed() > Duration::from_millis(500) {
                fleet.count_all();
                counted = Instant::now();
            }
        }
        println!("{:8.3} s  {act:?}", begun.elapsed().as_secs_f64());
        perform(&act, &mut fleet, place);
    }
    place.watch();
    place.restore();
    place.proxy.faults().clear();
    place.die("");
    fleet.tally.faults = place.proxy.faults().strikes();
    fleet.calm();
    let sent = feed.stop();
    println!("{:8.3} s  calm; {sent} orders are sent", begun.elapsed().as_secs_f64());
    if let Err(stuck) = wait_until_processed(app, &mut fleet, place) {
        return (fleet.end(), vec![stuck]);
    }
    println!("{:8.3} s  everything is processed", begun.elapsed().as_secs_f64());
    let exactly_once = plan.guarantee == "exactly_once";
    let wrong = oracle::check(app, &fleet, sent, exactly_once);
    let tally = fleet.end();
    (tally, wrong)
}

fn perform(act: &Act, fleet: &mut Fleet<'_>, place: &mut Place) {
    match *act {
        Act::Kill(n) => {
            fleet.kill(n);
            fleet.tally.kills += 1;
        }
        Act::Lose(n) => {
            fleet.lose(n);
            fleet.tally.disks += 1;
        }
        Act::Stop(n) => fleet.stop(n),
        Act::Freeze(n) => fleet.freeze(n),
        Act::Thaw(n) => fleet.thaw(n),
        Act::Start(n) => fleet.start(n),
        Act::CutBroker => {
            place.cut();
            fleet.tally.outages += 1;
        }
        Act::RestoreBroker => place.restore(),
        Act::Die(at) => place.die(at),
        Act::Fault(fault) => place.proxy.faults().add(fault.parse().unwrap()),
    }
}

fn wait_until_processed(app: &App, fleet: &mut Fleet<'_>, place: &mut Place) -> Result<(), String> {
    let begun = Instant::now();
    let mut in_a_row = 0;
    // Twice: what an agent sends may be on its way while its own source is at the end.
    while in_a_row < 2 {
        if begun.elapsed() > PATIENCE {
            let stuck = format!("not processed after {PATIENCE:?}: {:?}", fleet.statuses());
            return Err(stuck);
        }
        sleep(Duration::from_millis(300));
        fleet.watch();
        place.watch();
        in_a_row = if app.is_processed() { in_a_row + 1 } else { 0 };
    }
    Ok(())
}

impl Place {
    fn start(plan: &Plan) -> Self {
        let (ours, broker) = match &plan.cluster {
            Some(address) => (None, address.clone()),
            None => {
                let folder = tempfile::tempdir().unwrap();
                let process = BrokerProcess::start(folder.path(), 0);
                let address = process.address.clone();
                (Some((folder, Some(process))), address)
            }
        };
        let (proxy, address) = Proxy::start(&broker);
        Self { address, proxy, broker, ours }
    }

    fn cut(&mut self) {
        match &mut self.ours {
            Some((_, process)) => *process = None,
            None => self.proxy.cut(),
        }
    }

    fn restore(&mut self) {
        self.proxy.restore();
        if let Some((folder, process @ None)) = &mut self.ours {
            let port = self.broker.rsplit(':').next().unwrap().parse().unwrap();
            *process = Some(BrokerProcess::start(folder.path(), port));
        }
    }

    /// Keeps its files for somebody to look at.
    fn keep(&mut self) -> String {
        self.ours.as_mut().map_or(self.broker.clone(), |(folder, _)| {
            folder.disable_cleanup(true);
            folder.path().display().to_string()
        })
    }

    /// Our broker dies at a moment; a cluster that is somebody else's does not.
    fn die(&mut self, at: &str) {
        if let Some((_, Some(process))) = &mut self.ours {
            process.arm(at);
        }
    }

    /// Brings a broker back that has died; whether it had.
    fn watch(&mut self) -> bool {
        let process = self.ours.as_mut().and_then(|(_, process)| process.as_mut());
        let died = process.is_some_and(BrokerProcess::is_dead);
        if died {
            self.cut();
            self.restore();
        }
        died
    }
}
