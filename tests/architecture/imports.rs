//! Imports go one way, between folders and between the files of one folder.

use std::collections::{BTreeMap, BTreeSet};

use super::RANKS;
use super::sources::{Source, code, library, root};

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

/// Returns a chain of imports that leads back to its start.
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
