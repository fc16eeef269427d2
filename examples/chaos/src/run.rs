//! One run: starts the tree, attacks it, waits for the work, stops the tree, and checks everything.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use perennial::pool::PoolStats;
use perennial::{
    App, ChildState, MessageStats, ShutdownReport, SupervisionStats, Supervisor, SupervisorHandle, System,
};

use super::check::{Check, Pass, Verified};
use super::files::{self, Scope};
use super::follower::Follower;
use super::history::Recorder;
use super::injector::Injector;
use super::interrupt::Interrupt;
use super::journal::Journal;
use super::manifest::Outputs;
use super::options::Options;
use super::panics::UnplannedPanics;
use super::plan::{self, Fault};
use super::progress::Progress;
use super::recovery::{AttackResult, Recovery};
use super::report::Report;
use super::text::counted;
use super::tree::Layout;

/// A run without any progress for this long is over.
const STALLED: Duration = Duration::from_secs(60);

/// What an observer found during the attack.
#[derive(Default)]
struct Observed {
    lookups: AtomicU64,
    misses: AtomicU64,
}

/// The parts of a run.
struct Run {
    system: System,
    layout: Arc<Layout>,
    journal: Arc<Journal>,
    faults: Arc<AtomicU64>,
    observed: Arc<Observed>,
    interrupt: Interrupt,
    is_quiet: bool,
}

/// Runs the demo and reports what came of it.
pub async fn run(options: &Options, outputs: &Outputs) -> Report {
    let (began, since) = (Instant::now(), now());
    let unplanned = UnplannedPanics::collect();
    let interrupt = Interrupt::listen();
    let plan = plan::plan(options.seed, &options.plan());
    if !options.quiet {
        announce(options, &plan);
    }
    let scope = Scope {
        folder: options.folder().to_owned(),
        skip_caches: options.skips_caches(),
        outputs: outputs.ids(),
        store: None,
    };
    let (run, tree) = Run::new(options, &scope, interrupt);
    let follower = Follower::start(&run.system);
    let mut checks = Vec::new();
    let (mut attack, mut drawing) = (AttackResult::default(), String::new());
    match tree.start(&run.system).await {
        Err(error) => checks.push(Check::new("the tree starts", vec![error.to_string()])),
        Ok(app) => {
            run.layout.console.announce();
            let is_finished = run.perform(&plan, &app, &mut attack).await;
            drawing = app.tree().to_string();
            if !run.interrupt.is_requested() {
                checks.extend(run.checks_of_the_attack(&app, &attack, is_finished));
            }
            checks.push(stopped_in_time(&app.shutdown().await));
        }
    }
    let (messages, jobs) = (run.system.counters(), run.layout.pool.stats());
    checks.push(messages_accounted_for(messages));
    checks.push(Check::new("events lead to the model of a snapshot", follower.end().await));
    checks.push(Check::new("no panic except planned ones", unplanned.all()));
    let verified = run.verify(scope, since).await;
    let is_interrupted = verified.is_none();
    let (mut verified, special) =
        verified.unwrap_or_else(|| (Verified::unchecked(run.journal.snapshot()), 0));
    if !is_interrupted {
        checks.push(jobs_done(&jobs));
        checks.splice(..0, verified.checks());
    }
    Report {
        seed: options.seed,
        is_interrupted,
        matching: verified.matching,
        failed: verified.failed,
        special,
        faults: attack.faults,
        planned: plan.len(),
        totals: SupervisionStats::of(&run.system),
        messages,
        jobs,
        recovery: Recovery::of(attack.history.faults.iter().map(|past| past.recovered_in)),
        history: attack.history,
        checks,
        tree: drawing,
        elapsed: began.elapsed(),
    }
}

/// Prints what the run will do, and with `--verbose` every fault.
fn announce(options: &Options, plan: &[Fault]) {
    let (folder, seed) = (options.folder().display(), options.seed);
    let faults = counted(plan.len() as u64, "fault");
    print_line!("chaos: indexing {folder} with seed {seed}: {faults} over {:?}", options.duration);
    if options.verbose {
        plan.iter().for_each(|fault| print_line!("{fault}"));
    }
}

impl Run {
    fn new(options: &Options, scope: &Scope, interrupt: Interrupt) -> (Self, Supervisor) {
        let (system, journal) = (System::new(), Arc::new(Journal::new()));
        let (layout, tree) = Layout::new(&system, options, scope, &journal);
        let run = Self {
            system,
            layout: Arc::new(layout),
            journal,
            faults: Arc::default(),
            observed: Arc::default(),
            interrupt,
            is_quiet: options.quiet,
        };
        (run, tree)
    }

    /// Attacks while the work goes on. Returns `true` if all of both was finished.
    async fn perform(&self, plan: &[Fault], app: &App<SupervisorHandle>, attack: &mut AttackResult) -> bool {
        let progress = Progress {
            journal: self.journal.clone(),
            system: self.system.clone(),
            faults: self.faults.clone(),
            planned: plan.len(),
        };
        let progress = (!self.is_quiet).then(|| tokio::spawn(progress.show()));
        let observer = tokio::spawn(observe(self.layout.clone(), self.observed.clone()));
        let injector = Injector {
            system: self.system.clone(),
            app: app.clone(),
            layout: self.layout.clone(),
            count: self.faults.clone(),
        };
        let everything = async {
            injector.attack(plan, attack).await;
            attack.lost.is_empty() && self.finish().await && self.settle(app).await
        };
        let mut recorder = Recorder::new(&self.system);
        let is_finished = tokio::select! {
            is_finished = everything => is_finished,
            never = recorder.record() => match never {},
            () = self.interrupt.requested() => false,
        };
        for task in progress.into_iter().chain([observer]) {
            task.abort();
            // The error says that it was aborted.
            let _ = task.await;
        }
        attack.history.reactions = recorder.finish();
        is_finished
    }

    /// Waits for the end of the work, as long as there is any progress.
    async fn finish(&self) -> bool {
        loop {
            let before = (self.journal.len(), self.system.counters().handled);
            tokio::select! {
                () = self.journal.completed() => return true,
                () = tokio::time::sleep(STALLED) => {
                    if before == (self.journal.len(), self.system.counters().handled) {
                        return false;
                    }
                }
            }
        }
    }

    /// Waits until every node of the tree is running and the pool has no job left. A worker that is
    /// back does not mean that its siblings are, and the last poke is a job too.
    async fn settle(&self, app: &App<SupervisorHandle>) -> bool {
        let settled = async {
            while !not_running(app).is_empty() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            self.layout.pool.drain().await;
        };
        tokio::time::timeout(STALLED, settled).await.is_ok()
    }

    fn checks_of_the_attack(
        &self,
        app: &App<SupervisorHandle>,
        attack: &AttackResult,
        is_finished: bool,
    ) -> Vec<Check> {
        let escalations = SupervisionStats::of(&self.system).escalations;
        let (lookups, misses) = (&self.observed.lookups, &self.observed.misses);
        let (lookups, misses) = (lookups.load(Ordering::Relaxed), misses.load(Ordering::Relaxed));
        vec![
            Check::that("all work is finished", is_finished, || "some is not, and nothing moves".to_owned()),
            Check::new("every target came back", attack.lost.clone()),
            Check::that("every worker can be looked up at any time", misses == 0, || {
                format!("{misses} of {lookups} lookups failed")
            }),
            Check::that("a supervisor exceeded its restart intensity", escalations > 0, || {
                "none did".to_owned()
            }),
            Check::new("every child runs after the attack", not_running(app)),
        ]
    }

    /// Compares the journal with a sequential pass over the folder. Returns that and the number of
    /// special files, or `None` if the run was interrupted before it was done.
    async fn verify(&self, scope: Scope, since: i128) -> Option<(Verified, u64)> {
        let records = self.journal.snapshot();
        let interrupt = self.interrupt.clone();
        let verifying = tokio::task::spawn_blocking(move || {
            let pass = Pass::over(&scope, || interrupt.is_requested());
            let special = pass.special;
            let changed = |path: &Path| files::changed_at(path).is_none_or(|at| at >= since);
            (Verified::of(&records, pass, changed), special)
        });
        // After a panic, which the panic hook has printed, an empty result fails the run.
        let verified = verifying.await.unwrap_or_default();
        (!self.interrupt.is_requested()).then_some(verified)
    }
}

/// Returns every node of the tree that is not running.
fn not_running(app: &App<SupervisorHandle>) -> Vec<String> {
    let tree = app.tree();
    let nodes = tree.walk().filter(|node| node.state != ChildState::Running);
    nodes.map(|node| format!("{} is {}", node.id, node.state)).collect()
}

fn stopped_in_time(report: &ShutdownReport) -> Check {
    let late = report.unstopped.iter().map(|child| format!("{} did not", child.path)).collect();
    Check::new("every child stops in time", late)
}

fn messages_accounted_for(messages: MessageStats) -> Check {
    let holds = messages.is_balanced() && messages.queued == 0;
    Check::that("every message is accounted for", holds, || format!("{messages:?}"))
}

fn jobs_done(jobs: &PoolStats) -> Check {
    let PoolStats { submitted, completed: done, failed, dropped, .. } = *jobs;
    let holds = submitted == done && failed + dropped == 0;
    Check::that("every job is done", holds, || jobs.to_string())
}

/// Looks every worker up, again and again.
async fn observe(layout: Arc<Layout>, observed: Arc<Observed>) {
    let mut tick = tokio::time::interval(Duration::from_micros(200));
    loop {
        tick.tick().await;
        for target in layout.targets() {
            observed.lookups.fetch_add(1, Ordering::Relaxed);
            if target.handle().is_none() {
                observed.misses.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// Returns the time in nanoseconds since the epoch, as [`files::changed_at`] does.
pub fn now() -> i128 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_nanos() as i128)
}
