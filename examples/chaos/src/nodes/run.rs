//! One run with nodes: starts them, attacks them, lets them finish, and checks what they have
//! written.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::time::sleep;

use super::super::check::{Check, Pass, Verified};
use super::super::files::{self, Found, Scope};
use super::super::interrupt::Interrupt;
use super::super::manifest::Outputs;
use super::super::options::Options;
use super::super::recovery::Recovery;
use super::super::run::now;
use super::super::text::counted;
use super::accounts::{unbalanced, unreached};
use super::config::write_files;
use super::fleet::Fleet;
use super::injector::{PastFault, attack};
use super::journal::{micros, read_all};
use super::plan::{Fault, plan};
use super::process::{Answer, Request, Sight};
use super::recovery::{Counts, recoveries};
use super::report::Report;
use super::verify::{self, Evidence};

/// What takes longer than this does not happen.
const LIMIT: Duration = Duration::from_secs(60);

/// How often is looked whether something has happened.
const TICK: Duration = Duration::from_millis(100);

/// What a run finds besides what the nodes have written.
#[derive(Default)]
struct Driven {
    past: Vec<PastFault>,
    checks: Vec<Check>,
    evidence: Evidence,
}

/// Runs the demo and reports what came of it.
///
/// # Errors
///
/// The nodes cannot be started.
pub async fn run(options: &Options, outputs: &Outputs) -> Result<Report, String> {
    let (began, since, nodes) = (Instant::now(), now(), options.nodes.unwrap_or_default());
    let interrupt = Interrupt::listen();
    let scope = Scope {
        folder: options.folder().to_owned(),
        skip_caches: options.skips_caches(),
        outputs: outputs.ids(),
        store: None,
    };
    let plan = plan(options.seed, options.faults, options.duration, nodes);
    if !options.quiet {
        announce(options, nodes, &plan);
    }
    let (folder, files) = prepare(&scope)?;
    let until = micros() + u64::try_from(options.duration.as_micros()).unwrap_or(u64::MAX);
    let fleet = Fleet::start(nodes, folder.path().to_owned(), until, options.sabotage).await?;
    let fleet = Arc::new(fleet);
    let mut driven = Driven::default();
    let is_interrupted = tokio::select! {
        ended = drive(&fleet, &plan, &mut driven, options.quiet) => { ended?; false }
        () = interrupt.requested() => true,
    };
    // Those that are still there, after Ctrl-C.
    fleet.kill_all().await;
    let Driven { past, mut checks, mut evidence } = driven;
    let (journals, broken) = read_all(folder.path()).map_err(|error| format!("the journals: {error}"))?;
    evidence.journals = journals;
    checks.push(Check::new("the journals are intact", broken));
    checks.extend(verify::checks(&evidence));
    let records = verify::records(&evidence.journals, &files);
    let mut special = 0;
    let mut verified = if is_interrupted {
        checks.clear();
        Verified::unchecked(records)
    } else {
        let pass = tokio::task::block_in_place(|| Pass::over(&scope, || interrupt.is_requested()));
        special = pass.special;
        Verified::of(&records, pass, |path: &Path| files::changed_at(path).is_none_or(|at| at >= since))
    };
    if !is_interrupted {
        checks.splice(..0, verified.checks());
    }
    let mut faults = BTreeMap::new();
    past.iter().for_each(|past| *faults.entry(past.fault.kind.name()).or_default() += 1);
    Ok(Report {
        seed: options.seed,
        is_interrupted,
        matching: verified.matching,
        failed: verified.failed,
        special,
        nodes,
        faults,
        counts: Counts::of(&evidence.journals),
        recovery: Recovery::of(recoveries(&past, &evidence.journals, nodes)),
        checks,
        elapsed: began.elapsed(),
    })
}

/// Prints what the run will do, and with `--verbose` every fault.
fn announce(options: &Options, nodes: usize, plan: &[Fault]) {
    let (folder, seed) = (options.folder().display(), options.seed);
    let faults = counted(plan.len() as u64, "fault");
    let over = options.duration;
    print_line!("chaos: indexing {folder} with seed {seed}: {nodes} nodes, {faults} over {over:?}");
    if options.verbose {
        plan.iter().for_each(|fault| print_line!("{fault}"));
    }
}

/// Makes the folder of the nodes, with the list of files.
fn prepare(scope: &Scope) -> Result<(TempDir, Vec<PathBuf>), String> {
    let found = scope.walk().filter_map(|found| match found {
        Found::File(path) => Some(path),
        Found::Special | Found::Failed(..) => None,
    });
    let files: Vec<PathBuf> = found.collect();
    let folder = tempfile::tempdir().map_err(|error| format!("a folder: {error}"))?;
    write_files(folder.path(), &files)?;
    Ok((folder, files))
}

/// Attacks the nodes, lets them finish, and ends them.
async fn drive(
    fleet: &Arc<Fleet>,
    plan: &[Fault],
    driven: &mut Driven,
    is_quiet: bool,
) -> Result<(), String> {
    let (_, unconnected) = whole(fleet).await?;
    if let Some(first) = unconnected.first() {
        return Err(format!("the nodes do not connect: {first}"));
    }
    if !is_quiet {
        print_line!("chaos: all nodes are connected");
    }
    let (past, impossible) = {
        let mut attack = std::pin::pin!(attack(plan, fleet));
        loop {
            tokio::select! {
                ended = &mut attack => break ended,
                () = sleep(TICK) => fleet.replace_all().await?,
            }
        }
    };
    driven.past = past;
    driven.checks.push(Check::new("every fault is carried out", impossible));
    let (sights, unreached) = whole(fleet).await?;
    driven.checks.push(Check::new("after the last fault, all nodes reach each other", unreached));
    driven.checks.push(Check::new("all work is finished", unfinished(fleet).await?));
    driven.evidence.last = sights.into_iter().map(|sight| sight.boot).collect();
    fleet.ask(Request::Rest).await?;
    settle(fleet, &mut driven.evidence).await?;
    driven.checks.push(Check::new("all processes end in order", fleet.end_all().await));
    Ok(())
}

/// Waits until all nodes see and reach each other. Returns what they see, and what is missing.
async fn whole(fleet: &Fleet) -> Result<(Vec<Sight>, Vec<String>), String> {
    let began = Instant::now();
    loop {
        fleet.replace_all().await?;
        // One that has just ended does not answer.
        let answers = fleet.ask(Request::Look).await;
        let is_over = began.elapsed() > LIMIT;
        let missing = match answers {
            Ok(answers) => {
                let sights: Vec<Sight> = answers.into_iter().filter_map(sight).collect();
                let missing = unreached(&sights);
                if missing.is_empty() || is_over {
                    return Ok((sights, missing));
                }
                missing
            }
            Err(error) => vec![error],
        };
        if is_over {
            return Ok((Vec::new(), missing));
        }
        sleep(TICK).await;
    }
}

fn sight(answer: Answer) -> Option<Sight> {
    if let Answer::Sight(sight) = answer { Some(sight) } else { None }
}

/// Waits until all files have a checksum. Returns the nodes that are not finished, if nothing moves
/// any more.
async fn unfinished(fleet: &Fleet) -> Result<Vec<String>, String> {
    let (mut left, mut moved) = (usize::MAX, Instant::now());
    loop {
        let answers = fleet.ask(Request::Account).await?;
        let open = answers.iter().map(|answer| if let Answer::Account(_, open) = answer { *open } else { 0 });
        let open: usize = open.sum();
        if open == 0 {
            return Ok(Vec::new());
        }
        if open < left {
            (left, moved) = (open, Instant::now());
        }
        if moved.elapsed() > LIMIT {
            return Ok(vec![format!("{} left, and nothing moves", counted(open as u64, "file"))]);
        }
        sleep(TICK).await;
    }
}

/// Waits until the accounts of all nodes balance, or it is clear that they do not.
async fn settle(fleet: &Fleet, evidence: &mut Evidence) -> Result<(), String> {
    let began = Instant::now();
    loop {
        let answers = fleet.ask(Request::Account).await?;
        let accounts = answers.into_iter().filter_map(|answer| match answer {
            Answer::Account(accounts, _) => Some(accounts),
            Answer::Sight(_) | Answer::Resting => None,
        });
        evidence.accounts = accounts.flatten().collect();
        if unbalanced(&evidence.accounts, &evidence.last).is_empty() || began.elapsed() > LIMIT {
            return Ok(());
        }
        sleep(TICK).await;
    }
}
