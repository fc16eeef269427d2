//! Every file of tests is compiled, because cargo finds none by itself where `autotests` is off.
//! Every test that the docs name is in one.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::RANKS;
use super::sources::{Source, assert_none, everything, is_test, root};

#[test]
fn every_file_of_tests_is_part_of_one_program() {
    for package in RANKS.iter().copied().chain(["."]) {
        let folder = root().join(package);
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).expect("a manifest");
        assert!(manifest.contains("autotests = false"), "{package} links a program for each file of tests");
        let names = names(&folder.join("tests"));
        let (programs, modules): (Vec<_>, Vec<_>) = names
            .into_iter()
            .partition(|name| manifest.lines().any(|line| line == format!("name = \"{name}\"")));
        let programs: Vec<String> = programs
            .iter()
            .map(|name| fs::read_to_string(folder.join(format!("tests/{name}.rs"))).expect("a program"))
            .collect();
        for name in modules {
            let declaration = format!("mod {name};");
            let users = programs.iter().filter(|text| text.lines().any(|line| line == declaration)).count();
            assert_eq!(users, 1, "programs of {package} that have the tests in {name}.rs");
        }
    }
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
    for name in ["docs/CLUSTER.md", "docs/SEMANTICS.md", "docs/OTP.md", "docs/PATTERN.md"] {
        let text = fs::read_to_string(root().join(name)).expect("the page can be read");
        // Every other piece is code. A word with four or more underscores is a test.
        let is_test = |code: &&str| code.matches('_').count() > 3 && !code.contains(' ');
        let named = text.split('`').skip(1).step_by(2).filter(is_test);
        missing.extend(named.filter(|test| !functions.contains(test)).map(|test| format!("{name}: {test}")));
    }
    assert_none("every promise in the docs has a test", &missing);
}

/// Returns the names of the files in a folder.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("the folder can be read");
    let paths = entries.map(|entry| entry.expect("the folder can be read").path());
    let files = paths.filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    files.map(|path| path.file_stem().expect("a file").to_string_lossy().into_owned()).collect()
}
