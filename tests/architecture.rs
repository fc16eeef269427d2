//! Keeps the shape of the project: who may import whom, how large a file and a function may be, what is in no library.
//!
//! If a rule is in the way, either the shape is wrong or the rule is. Settle which; do not work around it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The libraries, lowest rank first. A crate may import those before it, and none after it.
const RANKS: [&str; 3] = ["actors", "registry", "supervision"];

/// The longest that a file, and a function in it, may be.
const FILE_LINES: usize = 400;
const FUNCTION_LINES: usize = 60;

/// A source file.
struct Source {
    path: PathBuf,
    text: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources(folder: impl AsRef<Path>) -> Vec<Source> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry.expect("the folder can be read").path();
            if path.is_dir() && !path.ends_with("target") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("the file can be read");
                found.push(Source { path, text });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// The sources of a library without its tests.
fn library(name: &str) -> Vec<Source> {
    let mut files = sources(Path::new(name).join("src"));
    files.retain(|source| !is_test(&source.path));
    assert!(!files.is_empty(), "the library {name} has no sources: look at this test");
    files
}

fn is_test(path: &Path) -> bool {
    let within = path.strip_prefix(root()).unwrap_or(path);
    within.components().any(|part| {
        let name = part.as_os_str().to_string_lossy();
        ["tests", "tests.rs", "table.rs", "model.rs"].contains(&&*name)
    })
}

fn everything() -> Vec<Source> {
    let folders = RANKS.iter().map(|name| (*name).to_owned());
    let folders = folders.chain(["src", "tests", "examples", "benches"].map(str::to_owned));
    folders.flat_map(sources).collect()
}

/// The code of a file: no comments, and nothing after its unit tests begin.
fn code(source: &Source) -> impl Iterator<Item = (usize, &str)> {
    let lines = source.text.lines().enumerate().map(|(number, line)| (number + 1, line));
    let lines = lines
        .take_while(|(_, line)| !line.starts_with("#[cfg(test)]\nmod tests {") && *line != "mod tests {");
    lines.filter(|(_, line)| !line.trim_start().starts_with("//"))
}

fn assert_none(rule: &str, offenders: &[String]) {
    assert!(offenders.is_empty(), "{rule}:\n  {}", offenders.join("\n  "));
}

fn offenders(files: &[Source], is_wrong: impl Fn(&str) -> bool) -> Vec<String> {
    let wrong = |source: &Source| {
        let path = source.path.display().to_string();
        code(source)
            .filter(|(_, line)| is_wrong(line))
            .map(|(number, line)| format!("{path}:{number}: {}", line.trim()))
            .collect::<Vec<_>>()
    };
    files.iter().flat_map(wrong).collect()
}

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
fn foreign_crates_have_one_home() {
    let homes: [(&str, &[&str]); 2] =
        [("ractor::", &["supervision/src/driver/host.rs"]), ("dashmap::", &["registry/src/registry.rs"])];
    for (import, homes) in homes {
        for name in RANKS {
            let files: Vec<Source> = library(name);
            let strays =
                files.into_iter().filter(|source| !homes.iter().any(|home| source.path.ends_with(home)));
            let strays: Vec<Source> = strays.collect();
            assert_none(
                &format!("{import} is used in {homes:?} only"),
                &offenders(&strays, |line| line.contains(import)),
            );
        }
    }
}

#[test]
fn the_engine_is_pure() {
    let files = sources("supervision/src/engine");
    let impure = [
        "tokio",
        "ractor",
        "tracing",
        "rand::",
        "Instant",
        "SystemTime",
        "async ",
        ".await",
        "std::sync",
        "thread",
    ];
    let library: Vec<Source> = files.into_iter().filter(|source| !is_test(&source.path)).collect();
    assert!(!library.is_empty());
    assert_none(
        "no clock, task, lock, log or dice in the engine",
        &offenders(&library, |line| impure.iter().any(|word| line.contains(word))),
    );
}

#[test]
fn every_file_says_what_it_is_for_and_is_short() {
    let mut wrong = Vec::new();
    for source in everything() {
        let path = source.path.display();
        let first = source.text.lines().next().unwrap_or_default();
        if !first.starts_with("//!") && !first.starts_with("#![doc") {
            wrong.push(format!("{path}: the first line does not say what it is for"));
        }
        let lines = source.text.lines().count();
        if lines > FILE_LINES {
            wrong.push(format!("{path}: {lines} lines"));
        }
    }
    assert_none("a file has one idea, says which, and is short", &wrong);
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

fn is_function(line: &str) -> bool {
    let line = line.trim_start();
    let words = ["fn ", "pub fn ", "async fn ", "const fn ", "pub async fn ", "pub const fn "];
    let scoped =
        line.strip_prefix("pub(crate) ").or_else(|| line.strip_prefix("pub(super) ")).unwrap_or(line);
    words.iter().any(|word| scoped.starts_with(word))
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
        "thread_local!",
        "static ",
        "process::exit",
    ];
    for name in RANKS {
        assert_none(
            "not in a library",
            &offenders(&library(name), |line| {
                let line = line.replace("&'static ", "").replace("'static", "");
                // A constant that cannot be computed does not compile.
                let constant = line.trim_start().starts_with("const ");
                !constant && banned.iter().any(|word| line.contains(word))
            }),
        );
    }
}

#[test]
fn no_thread_sleeps() {
    let sleep = concat!("thread::", "sleep");
    assert_none("nobody sleeps and hopes", &offenders(&everything(), |line| line.contains(sleep)));
}

#[test]
fn a_test_that_lets_time_pass_has_its_time_paused() {
    let hopes =
        |part: &str| part.contains("sleep(") && part.contains("test") && !part.contains("start_paused");
    let files = everything().into_iter().filter(|source| is_test(&source.path));
    let files = files.filter(|source| !source.path.to_string_lossy().contains("support"));
    let hoping = files.filter(|source| source.text.split("\n#[").skip(1).any(hopes));
    let hoping: Vec<String> = hoping.map(|source| source.path.display().to_string()).collect();
    assert_none("nobody sleeps and hopes, on a task either", &hoping);
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

#[test]
fn modules_import_each_other_one_way() {
    for name in RANKS {
        let mut imports: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let base = root().join(name).join("src");
        for source in library(name) {
            let path = source.path.strip_prefix(&base).expect("it lies below").with_extension("");
            let parts: Vec<String> = path.iter().map(|part| part.to_string_lossy().into_owned()).collect();
            if parts == ["lib"] || parts.last().is_some_and(|last| last == "mod") {
                continue;
            }
            for target in imported(&source) {
                // Between folders, the folder is the unit; within one, the file is.
                let (from, to) = match target {
                    Import::Crate(module) => (parts[0].clone(), module),
                    Import::Sibling(module) => {
                        let folder = &parts[..parts.len() - 1];
                        (parts.join("/"), [folder, &[module]].concat().join("/"))
                    }
                };
                if from != to {
                    imports.entry(from).or_default().insert(to);
                }
            }
        }
        let circle = find_circle(&imports);
        assert!(circle.is_none(), "modules of {name} import each other in a circle: {circle:?}");
    }
}

/// What a file imports within its crate.
enum Import {
    /// A module at the top of the crate.
    Crate(String),
    /// A file beside it.
    Sibling(String),
}

fn imported(source: &Source) -> Vec<Import> {
    let word = |rest: &str| rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let is_module = |name: &str| name.starts_with(|c: char| c.is_lowercase());
    let mut found = Vec::new();
    for (_, line) in code(source) {
        for (prefix, make) in [
            ("crate::", Import::Crate as fn(String) -> Import),
            ("super::", Import::Sibling as fn(String) -> Import),
        ] {
            let names = line.match_indices(prefix).map(|(at, _)| word(&line[at + prefix.len()..]));
            found.extend(names.filter(|name| is_module(name)).map(make));
        }
    }
    found
}

/// A chain of imports that leads back to where it began.
fn find_circle(imports: &BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
    fn visit(
        at: &str,
        imports: &BTreeMap<String, BTreeSet<String>>,
        path: &mut Vec<String>,
        done: &mut BTreeSet<String>,
    ) -> bool {
        if path.iter().any(|step| step == at) {
            path.push(at.to_owned());
            return true;
        }
        if !done.insert(at.to_owned()) {
            return false;
        }
        path.push(at.to_owned());
        let found = imports.get(at).into_iter().flatten().any(|next| visit(next, imports, path, done));
        if !found {
            path.pop();
        }
        found
    }
    let mut done = BTreeSet::new();
    imports.keys().find_map(|start| {
        let mut path = Vec::new();
        visit(start, imports, &mut path, &mut done).then_some(path)
    })
}

#[test]
fn the_circle_finder_finds_circles() {
    let edges = |pairs: &[(&str, &str)]| {
        let mut imports: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (from, to) in pairs {
            imports.entry((*from).to_owned()).or_default().insert((*to).to_owned());
        }
        imports
    };
    assert!(find_circle(&edges(&[("a", "b"), ("b", "c"), ("a", "c")])).is_none());
    assert!(find_circle(&edges(&[("a", "b"), ("b", "c"), ("c", "b")])).is_some());
}

#[test]
fn every_test_that_the_docs_name_exists() {
    let files: Vec<Source> = everything().into_iter().filter(|source| is_test(&source.path)).collect();
    let functions: BTreeSet<&str> = files
        .iter()
        .flat_map(|source| source.text.split("fn ").skip(1))
        .filter_map(|rest| rest.split('(').next())
        .collect();
    let mut missing = Vec::new();
    for name in ["docs/SEMANTICS.md", "docs/OTP.md"] {
        let text = fs::read_to_string(root().join(name)).expect("the page can be read");
        // Code is every other piece; what reads like a sentence is a test.
        let named = text.split('`').skip(1).step_by(2).filter(|code| code.matches('_').count() > 3);
        missing.extend(named.filter(|test| !functions.contains(test)).map(|test| format!("{name}: {test}")));
    }
    assert_none("what the docs promise is tested", &missing);
}

#[test]
fn the_words_are_those_of_the_field() {
    let banned = ["meltdown", "pid cell", "stop reason", "stop_reason"];
    let files: Vec<Source> = RANKS.iter().flat_map(|name| library(name)).collect();
    let mut wrong = Vec::new();
    for source in &files {
        let text = source.text.to_lowercase();
        wrong.extend(
            banned
                .iter()
                .filter(|word| text.contains(*word))
                .map(|word| format!("{}: {word}", source.path.display())),
        );
    }
    assert_none("one word for one thing", &wrong);
}
