//! The parts of the demo that only compute.

use std::collections::HashSet;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::check::{Pass, Verified};
use super::files::{Digest, Scope, digest};
use super::journal::{Outcome, Record};
use super::manifest;
use super::plan::{Blow, Plan, Victim};
use super::recovery::Recovery;

fn plan(seed: u64) -> Plan {
    Plan::new(seed, 4, 50.0, 25)
}

fn folder(files: &[(&str, &str)]) -> (tempfile::TempDir, Scope) {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).expect("a file");
    }
    let scope = Scope { folder: folder.path().to_owned(), skip_caches: false, outputs: Default::default() };
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
    checks.filter(|check| !check.violations.is_empty()).map(|check| check.invariant).collect()
}

#[test]
fn the_same_seed_gives_the_same_plan() {
    let steps: Vec<_> = plan(7).take(200).collect();
    assert_eq!(steps, plan(7).take(200).collect::<Vec<_>>());
    assert_ne!(steps, plan(8).take(200).collect::<Vec<_>>());
}

#[test]
fn every_plan_wears_the_pool_out_and_hits_every_kind_of_victim() {
    for seed in 0..50 {
        let blows: Vec<Blow> = plan(seed).take(500).map(|step| step.blow).collect();
        assert!(blows[..10].iter().any(|blow| matches!(blow, Blow::Wear)), "seed {seed}");
        let hit: HashSet<Victim> = blows
            .iter()
            .filter_map(|blow| match blow {
                Blow::Strike(victim, _) => Some(*victim),
                _ => None,
            })
            .collect();
        // Four hashers and four others.
        assert_eq!(hit.len(), 8, "seed {seed}: {hit:?}");
    }
}

#[test]
fn an_attack_relents_once_it_has_done_enough() {
    let late: Duration = plan(3).skip(100).take(10).map(|step| step.after).sum();
    let early: Duration = plan(3).take(10).map(|step| step.after).sum();
    assert!(late > 100 * early, "{late:?} after {early:?}");
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
fn a_result_that_agrees_with_the_pass_is_sound() {
    let (_folder, scope) = folder(&[("a", "1"), ("b", "2")]);
    let records = ["a", "b"].map(|name| hashed(&scope.folder.join(name)));
    let mut verified = Verified::of(&records, Pass::over(&scope), |_| false);
    assert_eq!(verified.sound.len(), 2);
    assert!(verified.failed.is_empty());
    assert_eq!(violated(&mut verified), [""; 0]);
}

#[test]
fn a_missing_file_a_doubled_one_and_a_wrong_digest_are_violations() {
    let (_folder, scope) = folder(&[("a", "1"), ("b", "2"), ("c", "3")]);
    let path = |name: &str| scope.folder.join(name);
    let Outcome::Hashed(other) = hashed(&path("a")).outcome else { panic!("it was hashed") };
    let records = [hashed(&path("a")), hashed(&path("a")), record(&path("b"), Outcome::Hashed(other))];
    let mut verified = Verified::of(&records, Pass::over(&scope), |_| false);
    assert_eq!(
        violated(&mut verified),
        [
            "every file is in the result",
            "no file is in the result twice",
            "every digest is that of a sequential pass"
        ]
    );
}

#[test]
fn what_vanishes_or_changes_meanwhile_has_failed_and_is_no_violation() {
    let (_folder, scope) = folder(&[("gone", "1"), ("changed", "2"), ("new", "3")]);
    let path = |name: &str| scope.folder.join(name);
    let records = [hashed(&path("gone")), hashed(&path("changed"))];
    std::fs::remove_file(path("gone")).expect("it is removed");
    std::fs::write(path("changed"), "4").expect("it is changed");
    let mut verified = Verified::of(&records, Pass::over(&scope), |_| true);
    assert_eq!(verified.failed.keys().cloned().collect::<Vec<_>>(), [path("changed"), path("gone")]);
    assert_eq!(violated(&mut verified), [""; 0]);
}

#[test]
fn percentiles_are_those_of_the_nearest_rank() {
    let times = (1..=100).map(Duration::from_micros).collect();
    let Recovery { p50, p90, p99, max } = Recovery::of(times);
    assert_eq!((p50, p90, p99, max), (50, 90, 99, 100));
    assert_eq!(Recovery::of(Vec::new()).max, 0);
}

#[test]
fn a_walk_leaves_out_links_its_own_output_and_tagged_caches() {
    let (_folder, mut scope) = folder(&[("a", "1"), ("out", "")]);
    std::fs::create_dir(scope.folder.join("cache")).expect("a folder");
    std::fs::write(scope.folder.join("cache/CACHEDIR.TAG"), "").expect("a file");
    std::os::unix::fs::symlink("a", scope.folder.join("link")).expect("a link");
    let count = |scope: &Scope| Verified::of(&[], Pass::over(scope), |_| true).sound.len();
    assert_eq!(count(&scope), 0);
    let files =
        |scope: &Scope| scope.walk().filter(|found| matches!(found, super::files::Found::File(_))).count();
    assert_eq!(files(&scope), 3);
    scope.skip_caches = true;
    assert_eq!(files(&scope), 2);
    let out = std::fs::metadata(scope.folder.join("out")).expect("it is there");
    scope.outputs.insert(super::files::id(&out));
    assert_eq!(files(&scope), 1);
    assert_eq!(Pass::over(&scope).special, 1);
}

#[test]
fn a_digest_is_written_as_64_hex_digits() {
    let (_folder, scope) = folder(&[("abc", "abc")]);
    let digest: Digest = digest(&scope.folder.join("abc")).expect("it can be read");
    assert_eq!(digest.to_string(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_eq!(digest.bytes, 3);
}
