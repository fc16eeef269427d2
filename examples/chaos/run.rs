//! One run: start the tree, attack it, let it finish, stop it, check everything.

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
use super::injector::{Damage, Injector};
use super::journal::Journal;
use super::manifest::Outputs;
use super::options::Options;
use super::panics::Unplanned;
use super::plan::Plan;
use super::progress;
use super::recovery::Recovery;
use super::report::Report;
use super::tree::Layout;

/// If nothing moves for so long, nothing will.
const STALLED: Duration = Duration::from_secs(60);

/// What an observer saw while the attack went on.
#[derive(Default)]
struct Observed {
    lookups: AtomicU64,
    misses: AtomicU64,
}

/// A run, while it lasts.
struct Stage {
    system: System,
    layout: Arc<Layout>,
    journal: Arc<Journal>,
    count: Arc<AtomicU64>,
    observed: Arc<Observed>,
}

pub async fn run(options: &Options, outputs: &Outputs) -> Report {
    let (began, since) = (Instant::now(), now());
    let unplanned = Unplanned::watch();
    if !options.quiet {
        print_line!("chaos: indexing {} with seed {}", options.folder().display(), options.seed());
    }
    let scope = Scope {
        folder: options.folder().to_owned(),
        skip_caches: options.skips_caches(),
        outputs: outputs.ids(),
    };
    let (stage, tree) = Stage::set(options, &scope);
    let mut checks = Vec::new();
    let (mut damage, mut picture) = (Damage::default(), String::new());
    match tree.start(&stage.system).await {
        Err(error) => checks.push(Check::new("the tree starts", vec![error.to_string()])),
        Ok(app) => {
            let finished;
            (damage, finished) = stage.perform(options, &app).await;
            picture = app.tree().to_string();
            checks.extend(stage.checks_of_the_attack(&app, &damage, finished));
            let report = app.shutdown().await;
            checks.push(stopped_in_time(&report));
        }
    }
    let messages = stage.system.counters();
    let jobs = stage.layout.pool.stats();
    checks.push(accounts(messages));
    checks.push(ends(&jobs));
    checks.push(Check::new("nobody panicked unless it was planned", unplanned.all()));
    let (mut verified, special) = verify(scope, &stage.journal, since).await;
    let mut all = verified.checks();
    all.append(&mut checks);
    Report {
        seed: options.seed(),
        sound: verified.sound,
        failed: verified.failed,
        special,
        faults: damage.faults,
        totals: SupervisionStats::of(&stage.system),
        messages,
        jobs,
        recovery: Recovery::of(damage.times),
        checks: all,
        tree: picture,
        elapsed: began.elapsed(),
    }
}

impl Stage {
    fn set(options: &Options, scope: &Scope) -> (Self, Supervisor) {
        let (system, journal) = (System::new(), Arc::new(Journal::new()));
        let (layout, tree) = Layout::new(&system, options.workers.get(), scope, &journal, options.sabotage);
        let layout = Arc::new(layout);
        (Self { system, layout, journal, count: Arc::default(), observed: Arc::default() }, tree)
    }

    /// Attacks while the work goes on; whether the work was finished.
    async fn perform(&self, options: &Options, app: &App<SupervisorHandle>) -> (Damage, bool) {
        let line =
            progress::show(self.journal.clone(), self.system.clone(), self.count.clone(), options.quiet);
        let line = tokio::spawn(line);
        let observer = tokio::spawn(observe(self.layout.clone(), self.observed.clone()));
        let announcer = tokio::spawn(announce(self.journal.clone(), options.quiet));
        let injector = Injector {
            system: self.system.clone(),
            app: app.clone(),
            layout: self.layout.clone(),
            journal: self.journal.clone(),
            min_faults: options.min_faults,
            count: self.count.clone(),
        };
        let plan = Plan::new(
            options.seed(),
            self.layout.hashers.len(),
            options.faults_per_second,
            options.min_faults,
        );
        let damage = injector.attack(plan).await;
        let finished = damage.lost.is_empty() && self.finish().await && self.settle(app).await;
        for task in [line, observer, announcer] {
            task.abort();
            // It was aborted, which is what the error says.
            let _ = task.await;
        }
        (damage, finished)
    }

    /// Waits for the end of the work, as long as anything moves.
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

    /// Waits until everybody runs, as one worker that is back does not mean that its siblings are up; and until nobody has anything
    /// to do, as the last poke is a job too.
    async fn settle(&self, app: &App<SupervisorHandle>) -> bool {
        let settled = async {
            while down(app).next().is_some() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            self.layout.pool.drain().await;
        };
        tokio::time::timeout(STALLED, settled).await.is_ok()
    }

    fn checks_of_the_attack(
        &self,
        app: &App<SupervisorHandle>,
        damage: &Damage,
        finished: bool,
    ) -> Vec<Check> {
        let escalations = SupervisionStats::of(&self.system).escalations;
        let (lookups, misses) = (&self.observed.lookups, &self.observed.misses);
        let (lookups, misses) = (lookups.load(Ordering::Relaxed), misses.load(Ordering::Relaxed));
        vec![
            Check::that("the work is finished", finished, || {
                "it is not, and nothing moves any more".to_owned()
            }),
            Check::new("whoever crashed came back", damage.lost.clone()),
            Check::that("everybody can be reached at every moment", misses == 0, || {
                format!("{misses} of {lookups} lookups failed")
            }),
            Check::that("a supervisor gave up and was restarted by its own", escalations > 0, || {
                "none did".to_owned()
            }),
            Check::new("everybody runs when the attack is over", down(app).collect()),
        ]
    }
}

/// Who does not run.
fn down(app: &App<SupervisorHandle>) -> impl Iterator<Item = String> {
    let tree = app.tree();
    let down = tree.walk().filter(|node| node.state != ChildState::Running);
    let down: Vec<String> = down.map(|node| format!("{} is {}", node.id, node.state)).collect();
    down.into_iter()
}

fn stopped_in_time(report: &ShutdownReport) -> Check {
    let late = report.unstopped.iter().map(|who| format!("{} did not", who.path)).collect();
    Check::new("everybody stops in time", late)
}

fn accounts(messages: MessageStats) -> Check {
    let holds = messages.is_balanced() && messages.queued == 0;
    Check::that("every message is accounted for, and none is left", holds, || format!("{messages:?}"))
}

fn ends(jobs: &PoolStats) -> Check {
    let PoolStats { submitted, completed: done, failed, dropped, .. } = *jobs;
    let holds = submitted == done && failed + dropped == 0;
    Check::that("every job was done", holds, || jobs.to_string())
}

/// Looks everybody up, again and again.
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

/// Says when the work is done and only the attack goes on.
async fn announce(journal: Arc<Journal>, quiet: bool) {
    journal.completed().await;
    if !quiet {
        print_line!("chaos: {} files are done; the attack goes on until it has done enough", journal.len());
    }
}

/// Compares the journal with a plain pass over the folder.
async fn verify(scope: Scope, journal: &Journal, since: i128) -> (Verified, u64) {
    let records = journal.snapshot();
    let verifying = tokio::task::spawn_blocking(move || {
        let pass = Pass::over(&scope);
        let special = pass.special;
        let moved = |path: &Path| files::changed_at(path).is_none_or(|at| at >= since);
        (Verified::of(&records, pass, moved), special)
    });
    // If it panicked, the panic hook has shown it, and an empty result fails the run.
    verifying.await.unwrap_or_default()
}

fn now() -> i128 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_nanos() as i128)
}
