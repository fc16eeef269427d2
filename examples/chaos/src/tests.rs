//! The parts of the demo that only compute.

use std::collections::HashSet;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::check::{Check, Pass, Verified};
use super::files::{Digest, Found, Scope, digest, id};
use super::journal::{Outcome, Record};
use super::manifest;
use super::options::{self, Options, Parsed, Sabotage};
use super::plan::{Fault, FaultKind, FaultTarget, PlanOptions, plan};
use super::recovery::Recovery;
use super::scenario::Scenario;
use super::text::{Bytes, counted};

/// A folder that is removed when this is dropped. The crate that does this has a cost that every
/// build of the demo would pay.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("perennial-chaos-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).expect("the folder is new");
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const OPTIONS: PlanOptions = PlanOptions { faults: 25, duration: Duration::from_secs(4), workers: 4 };

fn folder(files: &[(&str, &str)]) -> (Folder, Scope) {
    let folder = Folder::new();
    for (name, text) in files {
        std::fs::write(folder.0.join(name), text).expect("a file");
    }
    let scope =
        Scope { folder: folder.0.clone(), skip_caches: false, outputs: Default::default(), store: None };
    (folder, scope)
}

fn record(path: &Path, outcome: Outcome) -> Record {
    Record { path: path.to_owned(), outcome }
}

fn hashed(path: &Path) -> Record {
    record(path, Outcome::Hashed(digest(path).expect("it can be read")))
}

/// The names of the invariants that are violated.
fn violated(verified: &mut Verified) -> Vec<&'static str> {
    let checks = verified.checks().into_iter();
    checks.filter(|check: &Check| !check.passed()).map(|check| check.invariant).collect()
}

#[test]
fn the_same_seed_and_options_give_the_same_faults() {
    for seed in 0..100 {
        assert_eq!(plan(seed, &OPTIONS), plan(seed, &OPTIONS));
        assert_ne!(plan(seed, &OPTIONS), plan(seed + 1, &OPTIONS));
    }
}

/// The list itself, so that a change of it is noticed: a seed is worth as much as its faults.
#[test]
fn the_faults_of_seed_7_are_these() {
    let options = PlanOptions { faults: 8, ..OPTIONS };
    let faults: Vec<String> = plan(7, &options).iter().map(Fault::to_string).collect();
    let expected: [&str; 8] = [
        "   0.000 s  panic             the hasher that takes the next job",
        "   0.370 s  error             walker",
        "   0.466 s  panic             the hasher that takes the next job",
        "   0.662 s  kill              hasher 1",
        "   0.890 s  kill              hasher 2",
        "   1.925 s  error             the hasher that takes the next job",
        "   2.873 s  exhaust restarts  supervisor hashers",
        "   3.167 s  kill              hasher 1",
    ];
    assert_eq!(faults, expected);
}

#[test]
fn a_plan_has_as_many_faults_as_asked_for_in_order_and_within_its_duration() {
    for seed in 0..100 {
        for faults in 1..40 {
            let plan = plan(seed, &PlanOptions { faults, ..OPTIONS });
            assert_eq!(plan.len(), faults, "seed {seed}");
            assert!(plan.is_sorted_by_key(|fault| fault.at), "seed {seed}: {plan:?}");
            assert!(plan.iter().all(|fault| fault.at < OPTIONS.duration), "seed {seed}: {plan:?}");
            assert_eq!(plan[0].at, Duration::ZERO);
        }
    }
}

#[test]
fn a_plan_exhausts_restarts_once_among_its_first_eight_faults() {
    for seed in 0..100 {
        for faults in 1..40 {
            let plan = plan(seed, &PlanOptions { faults, ..OPTIONS });
            let exhausts = |fault: &&Fault| fault.kind == FaultKind::ExhaustRestarts;
            assert_eq!(plan.iter().filter(exhausts).count(), 1, "seed {seed}: {plan:?}");
            assert_eq!(plan.iter().take(8).filter(exhausts).count(), 1, "seed {seed}: {plan:?}");
        }
    }
}

#[test]
fn a_longer_duration_moves_the_faults_and_changes_nothing_else() {
    let longer = PlanOptions { duration: 3 * OPTIONS.duration, ..OPTIONS };
    for (fault, later) in plan(7, &OPTIONS).into_iter().zip(plan(7, &longer)) {
        assert_eq!((fault.target, fault.kind), (later.target, later.kind));
        assert!(later.at >= fault.at);
    }
}

#[test]
fn every_target_and_every_kind_that_goes_with_it_is_hit() {
    use FaultKind::{Error, ExhaustRestarts, Kill, Panic};
    let mut expected = HashSet::from([
        (FaultTarget::Pool, Kill),
        (FaultTarget::Pool, ExhaustRestarts),
        (FaultTarget::Indexing, Kill),
        (FaultTarget::NextHasher, Panic),
        (FaultTarget::NextHasher, Error),
    ]);
    expected.extend((0..4).map(|number| (FaultTarget::Hasher(number), Kill)));
    for kind in [Panic, Error, Kill] {
        expected.extend([(FaultTarget::Collector, kind), (FaultTarget::Walker, kind)]);
    }
    for seed in 0..50 {
        let plan = plan(seed, &PlanOptions { faults: 500, ..OPTIONS });
        let hit: HashSet<_> = plan.iter().map(|fault| (fault.target, fault.kind)).collect();
        assert_eq!(hit, expected, "seed {seed}");
    }
}

fn parsed(arguments: &[&str], is_terminal: bool) -> Options {
    match options::parse_from(arguments.iter().map(Into::into), is_terminal) {
        Ok(Parsed::Run(options)) => *options,
        other => panic!("{arguments:?}: {other:?}"),
    }
}

#[test]
fn a_run_lasts_long_enough_to_be_seen_on_a_terminal_only() {
    assert_eq!(parsed(&[], true).duration, Duration::from_secs(4));
    assert_eq!(parsed(&[], false).duration, Duration::from_millis(500));
    assert_eq!(parsed(&["--duration", "1.5"], true).duration, Duration::from_millis(1500));
}

#[test]
fn the_help_fits_a_hundred_columns_and_names_every_option() {
    let Ok(Parsed::Print(help)) = options::parse_from(["--help".into()].into_iter(), false) else {
        panic!("it is printed")
    };
    assert!(help.lines().all(|line| line.chars().count() <= 100), "{help}");
    let given = [
        "--scenario",
        "index",
        "--input",
        "d",
        "--manifest",
        "m",
        "--json",
        "j",
        "--seed",
        "7",
        "--faults",
        "9",
        "--duration",
        "1",
        "--workers",
        "3",
        "--sabotage",
        "lose-work",
        "--verbose",
        "--quiet",
    ];
    let options = parsed(&given, false);
    assert_eq!((options.seed, options.faults, options.workers), (7, 9, 3));
    assert!(options.verbose && options.quiet && options.sabotage == Some(Sabotage::LoseWork));
    for option in given.iter().filter(|argument| argument.starts_with("--")) {
        assert!(help.contains(option), "{option} is not in:\n{help}");
    }
}

fn wrong(arguments: &[&str]) -> String {
    match options::parse_from(arguments.iter().map(Into::into), false) {
        Err(error) => error.to_string(),
        other => panic!("{arguments:?}: {other:?}"),
    }
}

#[test]
fn a_scenario_that_is_unknown_or_lacks_an_option_is_told_what_to_do() {
    let rows: [(&[&str], &str); 7] = [
        (&["--scenario", "x"], "give one of index, ledger"),
        (&["--scenario", "ledger"], "needs --durable STORE"),
        (&["--scenario", "ledger", "--durable", "f", "--input", "."], "for --scenario index"),
        (&["--scenario", "ledger", "--durable", "f", "--manifest", "m"], "for --scenario index"),
        (&["--scenario", "ledger", "--durable", "f", "--sabotage", "no-fencing"], "no-epoch with --scenario"),
        (&["--durable", "f", "--sabotage", "no-epoch"], "need --scenario ledger --durable STORE"),
        (&["--sabotage", "reply-before-commit"], "need --scenario ledger --durable STORE"),
    ];
    for (arguments, expected) in rows {
        let line = wrong(arguments);
        assert!(line.contains(expected), "{arguments:?}: {line}");
    }
    assert_eq!(parsed(&[], false).scenario, Scenario::Index);
}

#[cfg(feature = "durable")]
#[test]
fn the_ledger_has_two_sabotages() {
    for sabotage in [Sabotage::ReplyBeforeCommit, Sabotage::NoEpoch] {
        let given = ["--scenario", "ledger", "--durable", "f", "--sabotage", sabotage.name()];
        let options = parsed(&given, false);
        assert_eq!((options.scenario, options.sabotage), (Scenario::Ledger, Some(sabotage)));
    }
}

#[test]
fn a_number_is_followed_by_a_noun_in_the_singular_or_the_plural() {
    let texts = [0, 1, 2].map(|number| counted(number, "restart"));
    assert_eq!(texts, ["0 restarts", "1 restart", "2 restarts"]);
    let texts = [0, 1023, 1536, 5 << 20, 3 << 40].map(|bytes| Bytes(bytes).to_string());
    assert_eq!(texts, ["0 B", "1023 B", "1.5 KiB", "5.0 MiB", "3.0 TiB"]);
}

#[test]
fn a_line_of_the_manifest_escapes_what_sha256sum_escapes_and_nothing_else() {
    let (_folder, scope) = folder(&[("a", "")]);
    let digest = digest(&scope.folder.join("a")).expect("it can be read");
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let line = |name: &[u8]| {
        let line = manifest::line(&PathBuf::from(std::ffi::OsString::from_vec(name.to_vec())), &digest);
        String::from_utf8_lossy(&line).into_owned()
    };
    assert_eq!(line(b"plain name"), format!("{empty}  plain name\n"));
    assert_eq!(line(b"a\nb"), format!("\\{empty}  a\\nb\n"));
    assert_eq!(line(b"a\\b\r"), format!("\\{empty}  a\\\\b\\r\n"));
    assert_eq!(manifest::line(&PathBuf::from(std::ffi::OsString::from_vec(vec![0xff])), &digest)[66], 0xff);
}

#[test]
fn a_result_that_agrees_with_the_pass_matches() {
    let (_folder, scope) = folder(&[("a", "1"), ("b", "2")]);
    let records = ["a", "b"].map(|name| hashed(&scope.folder.join(name)));
    let mut verified = Verified::of(&records, Pass::over(&scope, || false), |_| false);
    assert_eq!(verified.matching.len(), 2);
    assert!(verified.failed.is_empty());
    assert_eq!(violated(&mut verified), [""; 0]);
}

#[test]
fn a_missing_file_a_doubled_one_and_a_wrong_digest_are_violations() {
    let (_folder, scope) = folder(&[("a", "1"), ("b", "2"), ("c", "3")]);
    let path = |name: &str| scope.folder.join(name);
    let Outcome::Hashed(other) = hashed(&path("a")).outcome else { panic!("it was hashed") };
    let records = [hashed(&path("a")), hashed(&path("a")), record(&path("b"), Outcome::Hashed(other))];
    let mut verified = Verified::of(&records, Pass::over(&scope, || false), |_| false);
    assert_eq!(
        violated(&mut verified),
        [
            "every file is in the result",
            "no file is in the result twice",
            "every digest equals that of a sequential pass"
        ]
    );
}

#[test]
fn a_file_that_vanishes_or_changes_has_failed_and_is_no_violation() {
    let (_folder, scope) = folder(&[("gone", "1"), ("changed", "2"), ("new", "3")]);
    let path = |name: &str| scope.folder.join(name);
    let records = [hashed(&path("gone")), hashed(&path("changed"))];
    std::fs::remove_file(path("gone")).expect("the file can be removed");
    std::fs::write(path("changed"), "4").expect("the file can be changed");
    let mut verified = Verified::of(&records, Pass::over(&scope, || false), |_| true);
    assert_eq!(verified.failed.keys().cloned().collect::<Vec<_>>(), [path("changed"), path("gone")]);
    assert_eq!(violated(&mut verified), [""; 0]);
}

#[test]
fn percentiles_are_those_of_the_nearest_rank() {
    let times = (1..=100).map(Duration::from_micros);
    let Recovery { p50, p90, p99, max } = Recovery::of(times);
    assert_eq!((p50, p90, p99, max), (50, 90, 99, 100));
    assert_eq!(Recovery::of([]).max, 0);
}

#[test]
fn a_walk_leaves_out_links_its_own_output_and_tagged_caches() {
    let (_folder, mut scope) = folder(&[("a", "1"), ("out", "")]);
    std::fs::create_dir(scope.folder.join("cache")).expect("a folder");
    std::fs::write(scope.folder.join("cache/CACHEDIR.TAG"), "").expect("a file");
    std::os::unix::fs::symlink("a", scope.folder.join("link")).expect("a link");
    let count = |scope: &Scope| Verified::of(&[], Pass::over(scope, || false), |_| true).matching.len();
    assert_eq!(count(&scope), 0);
    let files = |scope: &Scope| scope.walk().filter(|found| matches!(found, Found::File(_))).count();
    assert_eq!(files(&scope), 3);
    scope.skip_caches = true;
    assert_eq!(files(&scope), 2);
    let out = std::fs::metadata(scope.folder.join("out")).expect("it is there");
    scope.outputs.insert(id(&out));
    assert_eq!(files(&scope), 1);
    assert_eq!(Pass::over(&scope, || false).special, 1);
}

#[test]
fn a_digest_is_written_as_64_hex_digits() {
    let (_folder, scope) = folder(&[("abc", "abc")]);
    let digest: Digest = digest(&scope.folder.join("abc")).expect("it can be read");
    assert_eq!(digest.to_string(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_eq!(digest.bytes, 3);
}
