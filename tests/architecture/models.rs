//! Every model that loom checks is in a file `loom_*.rs`. CI selects and counts the models by this
//! name.

use std::path::Path;

use super::RANKS;
use super::sources::{Source, assert_none, everything, sources};

/// The file names of models begin with this, and so does the path of their tests: `::loom_`.
const MARK: &str = "loom_";

/// Paths that only a model contains. Apart from models, only a crate's `sync.rs` uses loom.
const USES: [&str; 3] = ["loom::model", "loom::thread", "loom::future"];

fn file_name(source: &Source) -> &str {
    source.path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

fn is_marked(source: &Source) -> bool {
    file_name(source).starts_with(MARK)
}

/// Returns the files with models. They are in the libraries, beside what they check.
fn models() -> Vec<Source> {
    let files = RANKS.iter().flat_map(|name| sources(Path::new(name).join("src")));
    files.filter(is_marked).collect()
}

#[test]
fn a_test_that_uses_loom_carries_the_mark() {
    let mut wrong = Vec::new();
    // This file spells out what it looks for.
    for source in everything().iter().filter(|source| !is_marked(source) && !source.path.ends_with(file!())) {
        let lines = source.text.lines().filter(|line| !line.trim_start().starts_with("//"));
        let uses = lines.filter(|line| USES.iter().any(|used| line.contains(used)));
        wrong.extend(uses.map(|line| format!("{}: {}", source.path.display(), line.trim())));
    }
    assert_none("a model lies in a file loom_*.rs, so that CI runs it", &wrong);
}

#[test]
fn a_marked_file_holds_models_only_and_is_compiled_for_loom_only() {
    let mut wrong = Vec::new();
    for source in models() {
        let path = source.path.display();
        let tests: Vec<&str> = source.text.split("#[test]").skip(1).collect();
        if tests.is_empty() {
            wrong.push(format!("{path}: no model"));
        }
        let plain = tests.iter().filter(|test| !test.contains("explore"));
        wrong.extend(
            plain.map(|test| format!("{path}: no model:{}", test.lines().nth(1).unwrap_or_default())),
        );
        let module = file_name(&source).trim_end_matches(".rs");
        let parent = source.path.with_file_name("mod.rs");
        let declared = std::fs::read_to_string(&parent).unwrap_or_default();
        if !declared.contains(&format!("#[cfg(model)]\nmod {module};")) {
            wrong.push(format!("{path}: {} does not declare it under cfg(model)", parent.display()));
        }
    }
    assert_none("a marked file is a module of models", &wrong);
}

#[test]
fn no_test_outside_the_marked_files_is_compiled_for_loom_only() {
    let mut wrong = Vec::new();
    for source in everything().into_iter().filter(|source| !source.path.ends_with(file!())) {
        let mut lines = source.text.lines().peekable();
        while let Some(line) = lines.next() {
            let line = line.trim();
            let only_model = line == "#[cfg(model)]" || line == "#[cfg(all(test, model))]";
            let Some(next) = lines.peek().filter(|_| only_model).map(|next| next.trim()) else { continue };
            let module = next.starts_with("mod ") && !next.starts_with(&format!("mod {MARK}"));
            if module || next == "#[test]" {
                wrong.push(format!("{}: {next}", source.path.display()));
            }
        }
    }
    assert_none("a test for loom lies in a file loom_*.rs", &wrong);
}
