//! Chaos: an app under load, whose workers and broker are killed, frozen and cut off on a schedule that a seed decides,
//! and an exact account of what it leaves.

mod broker;
mod feed;
mod fleet;
mod oracle;
mod schedule;

pub use broker::serve;

use crate::App;
use broker::BrokerProcess;
use feed::Feed;
use fleet::{Fleet, Tally};
use schedule::{Act, SESSION, Step, WORKERS, schedule};
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
    address: String,
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
    let mut app = App::at(program, &["orders", "sales"], &place.address)
        .env(ROLE, "worker")
        .set("guarantee", &plan.guarantee)
        .set("session_timeout", &format!("{}s", SESSION.as_secs()))
        .set("hand_over_timeout", "10s");
    let (tally, wrong) = go(plan, &app, &mut place);
    println!("{tally}");
    for line in wrong.iter().take(20) {
        println!("WRONG {line}");
    }
    if wrong.is_empty() {
        println!("seed {}: everything is there, and as often as it should be", plan.seed);
        return ExitCode::SUCCESS;
    }
    println!(
        "seed {}: {} findings; logs and stores are in {}",
        plan.seed,
        wrong.len(),
        app.keep().display()
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
            if counted.elapsed() > Duration::from_millis(500) {
                fleet.count_all();
                counted = Instant::now();
            }
        }
        println!("{:8.3} s  {act:?}", begun.elapsed().as_secs_f64());
        perform(&act, &mut fleet, place);
    }
    place.restore();
    fleet.calm();
    let sent = feed.stop();
    println!("{:8.3} s  calm; {sent} orders are sent", begun.elapsed().as_secs_f64());
    if let Err(stuck) = wait_until_processed(app, &mut fleet) {
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
    }
}

fn wait_until_processed(app: &App, fleet: &mut Fleet<'_>) -> Result<(), String> {
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
        in_a_row = if app.is_processed() { in_a_row + 1 } else { 0 };
    }
    Ok(())
}

impl Place {
    fn start(plan: &Plan) -> Self {
        match &plan.cluster {
            Some(address) => Self { address: address.clone(), ours: None },
            None => {
                let folder = tempfile::tempdir().unwrap();
                let process = BrokerProcess::start(folder.path(), 0);
                let address = process.address.clone();
                Self { address, ours: Some((folder, Some(process))) }
            }
        }
    }

    fn cut(&mut self) {
        if let Some((_, process)) = &mut self.ours {
            *process = None;
        }
    }

    fn restore(&mut self) {
        if let Some((folder, process @ None)) = &mut self.ours {
            let port = self.address.rsplit(':').next().unwrap().parse().unwrap();
            *process = Some(BrokerProcess::start(folder.path(), port));
        }
    }
}
