//! Checks the structure of the project: the direction of imports, the size of files and functions,
//! and constructs that no library may contain.
//!
//! If a rule is in the way, either the structure is wrong or the rule is. Decide which, and do not
//! work around it.

#[path = "architecture/imports.rs"]
mod imports;
#[path = "architecture/log_lines.rs"]
mod log_lines;
#[path = "architecture/models.rs"]
mod models;
#[path = "architecture/programs.rs"]
mod programs;
#[path = "architecture/sources.rs"]
mod sources;
#[path = "architecture/threads.rs"]
mod threads;
#[path = "architecture/ways.rs"]
mod ways;
#[path = "architecture/words.rs"]
mod words;

use std::fs;
use std::path::Path;

use sources::{Source, assert_none, everything, is_function, is_test, library, offenders, root, sources};

/// The libraries, lowest rank first. A crate may import those before it, and none after it.
const RANKS: [&str; 7] = ["actors", "registry", "supervision", "durable", "operations", "cluster", "console"];

/// The maximum length of a file, and of a function in it.
const FILE_LINES: usize = 400;
const FUNCTION_LINES: usize = 60;

#[test]
fn a_crate_depends_on_lower_ranks_only() {
    for (rank, name) in RANKS.iter().enumerate() {
        let manifest =
            fs::read_to_string(root().join(name).join("Cargo.toml")).expect("the manifest can be read");
        for higher in &RANKS[rank..] {
            let dependency = format!("perennial-{higher}.workspace");
            assert!(!manifest.contains(&dependency), "{name} depends on {higher}");
        }
    }
}

#[test]
fn foreign_crates_and_the_state_of_threads_have_one_home() {
    let ractor = ["supervision/src/driver/host.rs", "supervision/src/link.rs", "supervision/src/ractor"];
    // A thread-local cache is bounded, and keeps nothing of a finished task alive. The scope of a
    // codec ends with its call.
    let thread_state =
        ["actors/src/panics.rs", "actors/src/system/kept_slots.rs", "actors/src/address/wire_scope.rs"];
    let homes: [(&str, &[&str]); 9] = [
        ("ractor::", &ractor),
        ("dashmap::", &["registry/src/table/sharded.rs"]),
        ("rusqlite::", &["durable/src/sqlite"]),
        ("bincode::", &["durable/src/codec.rs", "cluster/src/wire"]),
        ("tokio_postgres::", &["durable/src/postgres"]),
        ("rustls::", &["durable/src/postgres/tls.rs"]),
        ("x509_parser::", &["cluster/src/zenoh/tls.rs"]),
        ("zenoh::", &["cluster/src/zenoh"]),
        ("thread_local!", &thread_state),
    ];
    for (import, homes) in homes {
        for name in RANKS {
            let mut strays: Vec<Source> = library(name);
            strays.retain(|source| !homes.iter().any(|home| source.path.starts_with(root().join(home))));
            assert_none(
                &format!("{import} is used in {homes:?} only"),
                // The module of `cluster` that knows zenoh is named after it.
                &offenders(&strays, |line| line.replace("crate::zenoh", "").contains(import)),
            );
        }
    }
}

/// A tracing subscriber and a user's code may panic, block or call back. Each is called in one
/// place, where that does no harm.
#[test]
fn foreign_code_is_called_in_one_place() {
    let log = |source: &Source| ["src/log.rs", "src/spans.rs"].iter().any(|home| source.path.ends_with(home));
    let guards = |source: &Source| {
        let homes = ["actors/src/foreign", "actors/src/caught.rs"];
        homes.iter().any(|home| source.path.starts_with(root().join(home)))
    };
    let panics: &[&str] = &["catch_unwind", "resume_unwind", "into_panic("];
    type IsHome = fn(&Source) -> bool;
    let homes: [(&str, &[&str], IsHome); 2] = [
        ("only log.rs and spans.rs call tracing", &["tracing::"], log),
        ("only foreign/ catches panics, and caught.rs keeps their payloads", panics, guards),
    ];
    for (rule, words, is_home) in homes {
        for name in RANKS {
            let files: Vec<Source> = library(name).into_iter().filter(|source| !is_home(source)).collect();
            assert_none(rule, &offenders(&files, |line| words.iter().any(|word| line.contains(word))));
        }
    }
}

/// A lock or an atomic that loom does not know is invisible to the models. A poisoned lock would
/// have to be handled at each use.
#[test]
fn locks_and_atomics_come_from_one_module() {
    let door = root().join("actors/src/sync.rs");
    let words = ["atomic", "Mutex", "Condvar", "RwLock", "OnceLock", "LazyLock"];
    for name in RANKS {
        let files: Vec<Source> = library(name).into_iter().filter(|source| source.path != door).collect();
        assert_none(
            "actors/src/sync.rs is the one door to locks and atomics",
            &offenders(&files, |line| {
                line.contains("std::sync::") && words.iter().any(|word| line.contains(word))
            }),
        );
        assert_none("no lock is poisoned", &offenders(&files, |line| line.contains("PoisonError")));
    }
}

/// A function that recurses into the children of a node uses stack for each level of a tree.
#[test]
fn trees_are_walked_with_lists_and_not_by_recursion() {
    let homes = ["nesting.rs", "driver/inspect.rs", "driver/cleanup.rs"];
    let mut files = library("supervision");
    files.retain(|source| !homes.iter().any(|home| source.path.ends_with(Path::new("src").join(home))));
    let steps = [".group()", ".open_alone(", ".close_alone("];
    assert_none(
        "operations on a node and its descendants are in nesting.rs, or are loops in the other homes",
        &offenders(&files, |line| steps.iter().any(|step| line.contains(step))),
    );
}

/// Clippy finds a guard that is held across an await, but not one inside an `Option`. A type behind
/// `impl` has no name that clippy could find.
#[test]
fn the_table_never_awaits_and_returns_no_opaque_type() {
    let mut table = sources("registry/src");
    table.retain(|source| source.path.ends_with("table/sharded.rs"));
    assert_eq!(table.len(), 1);
    let words = ["async ", ".await", "-> impl ", "dyn "];
    assert_none(
        "no guard leaves the table, or is held while a task waits",
        &offenders(&table, |line| words.iter().any(|word| line.contains(word))),
    );
}

/// The `Eq` and `Hash` of a key and the functions of a waker are users' code. A map would run the
/// former under its locks.
#[test]
fn the_registry_runs_no_foreign_code_under_a_lock_or_without_a_guard() {
    let files = library("registry");
    let is_table = |source: &Source| source.path.starts_with(root().join("registry/src/table"));
    let files: Vec<Source> = files.into_iter().filter(|source| !is_table(source)).collect();
    let maps = [" Table<K,", "<Table<K,", "HashMap<K,", "HashSet<K>", "BTreeMap<K,", "BTreeSet<K>"];
    assert_none(
        "no key of a map is a user's value",
        &offenders(&files, |line| maps.iter().any(|map| line.contains(map))),
    );
    let guard = "ignore_panic(|| ";
    assert_none(
        "a waker is woken under a guard",
        &offenders(&files, |line| line.contains(".wake()") && !line.contains(guard)),
    );
    assert_none("panics are caught in actors only", &offenders(&files, |line| line.contains("catch_unwind")));
}

#[test]
fn the_engine_and_the_scheduler_are_pure() {
    let mut files = sources("supervision/src/engine");
    files.extend(sources("supervision/src/pool/scheduler"));
    let impure = [
        "tokio",
        "ractor",
        "tracing",
        "rand::",
        "Instant",
        "SystemTime",
        "async ",
        ".await",
        "Mutex",
        "RwLock",
        "Atomic",
        "thread",
    ];
    let library: Vec<Source> = files.into_iter().filter(|source| !is_test(&source.path)).collect();
    assert!(!library.is_empty());
    assert_none(
        "no clock, task, lock, log or random number in the engine and the scheduler",
        &offenders(&library, |line| impure.iter().any(|word| line.contains(word))),
    );
}

/// A claim is shared only by the parts of one owner: the spec and the children of a supervisor, or
/// a spec and the request that transfers it.
#[test]
fn claims_to_an_identity_are_shared_by_their_owner_only() {
    let homes = [
        "supervision/src/node.rs",
        "supervision/src/spec/child.rs",
        "supervision/src/driver/state.rs",
        "supervision/src/driver/requests.rs",
        "supervision/src/driver/host.rs",
        "supervision/src/supervisor/handle.rs",
    ];
    let is_home = |source: &Source| homes.iter().any(|home| source.path.ends_with(home));
    let strays: Vec<Source> = library("supervision").into_iter().filter(|source| !is_home(source)).collect();
    let words = [".share()", ".reclaim()", "OwnedNode {"];
    assert_none(
        &format!("claims are shared in {homes:?} only"),
        &offenders(&strays, |line| words.iter().any(|word| line.contains(word))),
    );
}

#[test]
fn every_file_states_its_purpose_and_is_short() {
    let mut wrong = Vec::new();
    for source in everything() {
        let path = source.path.display();
        let first = source.text.lines().next().unwrap_or_default();
        if !first.starts_with("//!") && !first.starts_with("#![doc") {
            wrong.push(format!("{path}: the first line does not state its purpose"));
        }
        let lines = source.text.lines().count();
        if lines > FILE_LINES {
            wrong.push(format!("{path}: {lines} lines"));
        }
    }
    assert_none("a file has one purpose, states it, and is short", &wrong);
}

#[test]
fn functions_are_short() {
    let mut wrong = Vec::new();
    for source in everything() {
        let mut open: Option<(usize, usize)> = None;
        for (number, line) in source.text.lines().enumerate() {
            let indent = line.len() - line.trim_start().len();
            match open {
                None if is_function(line) && !line.trim_end().ends_with([';', '}']) => {
                    open = Some((number, indent))
                }
                Some((start, level)) if indent == level && line.trim_start().starts_with('}') => {
                    if number - start > FUNCTION_LINES {
                        wrong.push(format!(
                            "{}:{}: {} lines",
                            source.path.display(),
                            start + 1,
                            number - start
                        ));
                    }
                    open = None;
                }
                Some((_, level)) if indent == level && line.trim_end().ends_with(';') => open = None,
                _ => {}
            }
        }
    }
    assert_none("a function is short", &wrong);
}

#[test]
fn libraries_neither_print_nor_panic_nor_keep_global_state() {
    let banned = [
        "todo!",
        "unimplemented!",
        "dbg!",
        "println!",
        "print!(",
        "eprintln!",
        "panic!(",
        "unreachable!",
        ".unwrap()",
        ".expect(",
        "static ",
        "process::exit",
    ];
    for name in RANKS {
        assert_none(
            "not in a library",
            &offenders(&library(name), |line| {
                let line = line.replace("&'static ", "").replace("'static", "");
                // A constant that panics does not compile. Only two files have thread-local state.
                let constant = line.trim_start().starts_with("const ");
                let of_thread = line.contains("= const {");
                // A guard is empty only while it is dropped.
                let of_guard = line.contains("unreachable!(\"the value is taken by");
                !constant && !of_thread && !of_guard && banned.iter().any(|word| line.contains(word))
            }),
        );
    }
}

/// An error that returns a value must not keep it when it becomes an exit reason: see
/// `actors/src/carried.rs`.
#[test]
fn an_error_with_a_type_parameter_says_whether_it_carries_a_value() {
    // It keeps errors of the user's own type, with their values.
    let exempt = ["JobError<E>"];
    let mut wrong = Vec::new();
    for source in RANKS.iter().flat_map(|name| library(name)) {
        let path = source.path.display();
        for (at, _) in source.text.match_indices("Error for ") {
            let rest = &source.text[at + "Error for ".len()..];
            let name = rest.split(" {").next().unwrap_or_default();
            let body = rest.split("\n}").next().unwrap_or_default();
            if name.contains('<') && !exempt.contains(&name) && !body.contains("Carried::by::<Self>()") {
                wrong.push(format!("{path}: {name} does not name `Carried::by` as its source"));
            }
        }
        for derived in source.text.split("thiserror::Error").skip(1) {
            let item = ["pub enum ", "pub struct "].iter().filter_map(|word| derived.find(word)).min();
            let item = item.map_or("", |at| &derived[at..]);
            let name = item.split(['{', '(', ';']).next().unwrap_or_default().trim();
            if name.contains('<') {
                wrong.push(format!(
                    "{path}: {name} derives `Error`, and so has no `Carried::by` as its source"
                ));
            }
        }
    }
    assert_none("an exit reason keeps no value that an error returns", &wrong);
}

#[test]
fn no_thread_sleeps() {
    let sleep = concat!("thread::", "sleep");
    assert_none(
        "no thread sleeps to wait for an event",
        &offenders(&everything(), |line| line.contains(sleep)),
    );
}

#[test]
fn a_test_that_sleeps_has_paused_time() {
    let sleeps =
        |part: &str| part.contains("sleep(") && part.contains("test") && !part.contains("start_paused");
    let files = everything().into_iter().filter(|source| is_test(&source.path));
    // Sockets and other processes have no paused time.
    let is_real = |path: &str| path.contains("support") || path.contains("cluster/tests/network");
    let files = files.filter(|source| !is_real(&source.path.to_string_lossy()));
    let unpaused = files.filter(|source| source.text.split("\n#[").skip(1).any(sleeps));
    let unpaused: Vec<String> = unpaused.map(|source| source.path.display().to_string()).collect();
    assert_none("no task sleeps in real time to wait for an event", &unpaused);
}

/// An interval wakes its task even if nothing is due, and a count of ticks stays late after one
/// late tick.
#[test]
fn time_is_read_from_a_clock_and_never_counted() {
    let words =
        ["time::interval", "interval_at(", "MissedTickBehavior", " tick += 1", ".tick += 1", "ticks += 1"];
    let files: Vec<Source> = RANKS.iter().flat_map(|name| library(name)).collect();
    assert_none(
        "a library sleeps until something is due, and reads the clock then",
        &offenders(&files, |line| words.iter().any(|word| line.contains(word))),
    );
}

#[test]
fn module_files_hold_docs_and_reexports_only() {
    let files = RANKS.iter().flat_map(|name| library(name));
    let modules: Vec<Source> = files.filter(|source| source.path.ends_with("mod.rs")).collect();
    assert_none(
        "mod.rs declares and re-exports",
        &offenders(&modules, |line| {
            let line = line.trim();
            let words = [
                "mod ",
                "pub mod ",
                "pub(crate) mod ",
                "use ",
                "pub use ",
                "pub(crate) use ",
                "#[cfg",
                "}",
                "{",
            ];
            !(line.is_empty()
                || words.iter().any(|word| line.starts_with(word))
                || line.ends_with([',', '}', ';']))
        }),
    );
}
