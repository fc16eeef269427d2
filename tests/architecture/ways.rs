//! `docs/ARCHITECTURE.md`: the hops of each way are functions, and the named files exist.

use std::fs;

use super::sources::{Source, assert_none, is_test, root};
use super::{RANKS, everything, library};

/// The ways that must stay short, and the most hops of each.
const LIMITS: [(&str, usize); 3] = [("A cast", 5), ("A request", 10), ("A job", 10)];

#[test]
fn every_hop_is_a_function_that_exists() {
    let sources: Vec<Source> = RANKS.iter().flat_map(|name| library(name)).collect();
    let ways = ways(&section("Ways through it"));
    let named: Vec<&String> = ways.iter().flat_map(|(_, hops)| hops).collect();
    let missing = named.iter().filter(|hop| !exists(&sources, hop));
    let missing: Vec<String> = missing.map(|hop| (*hop).clone()).collect();
    assert_none("each hop is `Type::function` or `path/file.rs: function`", &missing);
    for wrong in ["Mailbox::no_such_function", "NoSuchType::push", "actors/src/mailbox/recv.rs: push"] {
        assert!(!exists(&sources, wrong), "{wrong} seems to exist: look at this test");
    }
}

#[test]
fn the_ways_are_short() {
    let ways = ways(&section("Ways through it"));
    for (name, most) in LIMITS {
        let (_, hops) = ways.iter().find(|(way, _)| way == name).expect("each limited way is described");
        assert!((2..=most).contains(&hops.len()), "{name} has {} hops: {hops:?}", hops.len());
    }
}

#[test]
fn every_file_that_the_page_sends_a_reader_to_exists() {
    let paths: Vec<String> = everything().iter().map(relative).collect();
    let text = section("Where does it go?");
    let named: Vec<&str> = codes(&text).filter(|code| code.ends_with('/') || code.ends_with(".rs")).collect();
    assert!(named.len() > 10, "the section names few files: look at this test");
    let missing = named.iter().filter(|name| !paths.iter().any(|path| leads_to(path, name)));
    assert_none("the files of `Where does it go?`", &missing.map(ToString::to_string).collect::<Vec<_>>());
    assert!(!paths.iter().any(|path| leads_to(path, "no_such_folder/") || leads_to(path, "box/recv.rs")));
}

#[test]
fn every_module_of_the_tables_exists() {
    let paths: Vec<String> = everything().iter().map(relative).collect();
    let mut missing = Vec::new();
    for name in RANKS {
        let folder = format!("{name}/src");
        let table = section(&format!("`{folder}`"));
        let cells =
            table.lines().filter(|line| line.starts_with("| `")).filter_map(|line| line.split('|').nth(1));
        let modules: Vec<&str> = cells.flat_map(codes).collect();
        assert!(!modules.is_empty(), "{folder} has no table: look at this test");
        for module in modules {
            let (file, inside) =
                (format!("{folder}/{module}.rs"), format!("{folder}/{}/", module.trim_end_matches('/')));
            if !paths.iter().any(|path| *path == file || path.starts_with(&inside)) {
                missing.push(format!("{folder}: {module}"));
            }
        }
    }
    assert_none("the modules of the tables", &missing);
}

/// Returns the text under a heading, without that of the next.
fn section(heading: &str) -> String {
    let page = fs::read_to_string(root().join("docs/ARCHITECTURE.md")).expect("the page can be read");
    let mut lines = page.lines().skip_while(|line| line.trim_start_matches('#') != format!(" {heading}"));
    assert!(lines.next().is_some(), "docs/ARCHITECTURE.md has no section {heading}");
    lines.take_while(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n")
}

/// Returns the pieces of code in a text.
fn codes(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// Returns the name and the hops of each way: the pieces of code with a number before them.
fn ways(text: &str) -> Vec<(String, Vec<String>)> {
    let items = text.split("\n- *").skip(1);
    items
        .map(|item| {
            let (name, way) = item.split_once("*:").expect("a way begins with its name");
            let pieces: Vec<&str> = way.split('`').collect();
            let mut hops = Vec::new();
            for pair in pieces.chunks_exact(2) {
                let before = pair[0].split_whitespace().last().unwrap_or_default();
                if let Ok(number) = before.parse::<usize>() {
                    hops.push(pair[1].split_whitespace().collect::<Vec<_>>().join(" "));
                    assert_eq!(number, hops.len(), "the hops of {name} are not numbered in order");
                }
            }
            (name.to_owned(), hops)
        })
        .collect()
}

/// Returns `true` if a hop names a function: of a type or trait, or of a file.
fn exists(sources: &[Source], hop: &str) -> bool {
    let mut sources = sources.iter().filter(|source| !is_test(&source.path));
    match (hop.split_once(": "), hop.split_once("::")) {
        (Some((path, function)), _) => sources.any(|source| {
            relative(source) == path && source.text.lines().any(|line| declares(line, function))
        }),
        (None, Some((owner, function))) => sources.any(|source| is_in(&source.text, owner, function)),
        (None, None) => false,
    }
}

/// Returns `true` if a block of a type or a trait in the text declares the function.
fn is_in(text: &str, owner: &str, function: &str) -> bool {
    let mut header = String::new();
    let mut is_of_owner = false;
    for line in text.lines() {
        let begins = line.starts_with("impl") || line.contains("trait ") && !line.starts_with(['/', ' ']);
        if begins || (!header.is_empty() && !header.contains('{')) {
            header = if begins { line.to_owned() } else { format!("{header} {line}") };
            is_of_owner = header.contains('{') && owner_of(&header) == owner;
        } else if line == "}" {
            header.clear();
            is_of_owner = false;
        } else if is_of_owner && declares(line, function) {
            return true;
        }
    }
    false
}

/// Returns the type or trait of the first line of a block.
fn owner_of(header: &str) -> &str {
    let of_trait = header.split_once("trait ").map(|(_, rest)| rest);
    let of_impl = header.split_once(" for ").map_or_else(|| without_parameters(header), |(_, rest)| rest);
    let name = of_trait.unwrap_or(of_impl).trim_start();
    name.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default()
}

/// Returns what follows `impl` and its type parameters.
fn without_parameters(header: &str) -> &str {
    let rest = header.trim_start_matches("impl");
    let mut depth = 0;
    for (at, c) in rest.char_indices() {
        match c {
            '<' => depth += 1,
            '>' if !rest[..at].ends_with('-') => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return rest[at..].trim_start_matches('>');
        }
    }
    rest
}

fn declares(line: &str, function: &str) -> bool {
    let Some((_, name)) = line.split_once("fn ") else { return false };
    !line.trim_start().starts_with("//")
        && name.strip_prefix(function).is_some_and(|rest| rest.starts_with(['(', '<']))
}

/// Returns `true` if a name ends a path, or is a folder of it. A `*` stands for the rest of a name.
fn leads_to(path: &str, name: &str) -> bool {
    let path = format!("/{path}");
    match name.split_once('*') {
        Some((before, after)) => path.contains(&format!("/{before}")) && path.ends_with(after),
        None if name.ends_with('/') => path.contains(&format!("/{name}")),
        None => path.ends_with(&format!("/{name}")),
    }
}

fn relative(source: &Source) -> String {
    source.path.strip_prefix(root()).unwrap_or(&source.path).display().to_string()
}
