//! The table of log lines and spans in `docs/OPERATIONS.md`, compared with the sources.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use super::RANKS;
use super::sources::{assert_none, library, root};

/// The macros that write lines and make spans, up to their arguments.
const MACROS: [&str; 4] = ["line!(", "warn_or_debug!(", "info_span!(", "debug_span!("];

/// The fields of a line or span, by its target and its text or name.
type Lines = BTreeMap<(String, String), BTreeSet<String>>;

#[test]
fn the_table_of_log_lines_is_that_of_the_sources() {
    let documented = documented();
    let (mut written, mut of_reports) = (Lines::new(), Lines::new());
    for source in
        RANKS.iter().flat_map(|name| library(name)).filter(|source| source.text.contains("tracing::"))
    {
        collect(&source.text, &mut written, &mut of_reports);
    }
    assert!(written.len() > 20 && of_reports.len() > 8, "the sources have lines: look at this test");
    let mut wrong = Vec::new();
    for (line, fields) in &written {
        if documented.get(line) != Some(fields) {
            wrong.push(format!("{line:?} {fields:?}: the page says {:?}", documented.get(line)));
        }
    }
    let mut unused: BTreeSet<String> = of_reports.values().flatten().cloned().collect();
    for (line, fields) in &of_reports {
        let Some(named) = documented.get(line).filter(|named| named.is_subset(fields)) else {
            wrong.push(format!("{line:?} {fields:?}: the page says {:?}", documented.get(line)));
            continue;
        };
        unused.retain(|field| !named.contains(field));
    }
    wrong.extend(unused.into_iter().map(|field| format!("no report has the field {field}")));
    let is_gone = |line: &&(String, String)| !written.contains_key(line) && !of_reports.contains_key(line);
    wrong.extend(documented.keys().filter(is_gone).map(|line| format!("{line:?} is not written")));
    assert_none("docs/OPERATIONS.md lists the lines and spans with their fields", &wrong);
}

/// Returns the rows of the table. An empty target is that of the row before.
fn documented() -> Lines {
    let page = fs::read_to_string(root().join("docs/OPERATIONS.md")).expect("the page can be read");
    let mut target = String::new();
    let rows = page.lines().skip_while(|line| !line.starts_with("| target |")).skip(2);
    rows.take_while(|line| line.starts_with('|'))
        .map(|row| {
            let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
            let [of, _, text, fields] = cells[..] else { panic!("a row has four cells: {row}") };
            if !of.is_empty() {
                of.trim_matches('`').clone_into(&mut target);
            }
            let fields = fields.split('`').skip(1).step_by(2).map(str::to_owned).collect();
            ((target.clone(), text.strip_prefix("span ").unwrap_or(text).replace('`', "")), fields)
        })
        .collect()
}

/// Collects the lines and spans of a source. All reports of supervisors share one macro, and a
/// report has some of its fields.
fn collect(source: &str, lines: &mut Lines, of_reports: &mut Lines) {
    for (start, name) in MACROS.iter().flat_map(|name| source.match_indices(name)) {
        let mut target = constant(source, "TARGET");
        let (mut texts, mut fields) = (Vec::new(), BTreeSet::new());
        let mut is_report = false;
        for argument in arguments(&source[start + name.len()..]) {
            match argument.strip_prefix("target: ").unwrap_or(&argument) {
                "TARGET" => {}
                "POOL" => target = constant(source, "POOL"),
                "\"{message}\"" => {
                    is_report = true;
                    texts = literals(source, "(\"");
                }
                "$name" => texts = literals(source, "span!(\""),
                text if text.starts_with('"') => texts.push(text.trim_matches('"').replace(['\\', '`'], "")),
                argument => fields.extend(field(argument)),
            }
        }
        let found = texts.into_iter().map(|text| ((target.clone(), text), fields.clone()));
        if is_report { of_reports.extend(found) } else { lines.extend(found) }
    }
}

/// Splits the arguments of a macro at its commas, up to its closing parenthesis.
fn arguments(code: &str) -> Vec<String> {
    let (mut arguments, mut depth, mut is_text, mut previous) = (vec![String::new()], 0, false, ' ');
    for letter in code.chars() {
        is_text ^= letter == '"' && previous != '\\';
        match letter {
            _ if is_text => {}
            ')' if depth == 0 => break,
            '(' | '{' | '[' => depth += 1,
            ')' | '}' | ']' => depth -= 1,
            _ => {}
        }
        previous = letter;
        match arguments.last_mut() {
            Some(_) if letter == ',' && depth == 0 && !is_text => arguments.push(String::new()),
            Some(argument) => argument.push(letter),
            None => {}
        }
    }
    arguments
        .into_iter()
        .map(|argument| argument.trim().to_owned())
        .filter(|argument| !argument.is_empty())
        .collect()
}

/// Returns the name of a field, or `None` for a level, a parent or what a macro repeats.
fn field(argument: &str) -> Option<String> {
    let name = argument.split('=').next()?.trim().trim_start_matches(['%', '?']);
    let is_name = name.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_');
    (is_name && name != "level").then(|| name.to_owned())
}

/// Returns the text of a constant of a source.
fn constant(source: &str, name: &str) -> String {
    let value = source.split(&format!("const {name}: &str = \"")).nth(1);
    value.and_then(|rest| rest.split('"').next()).unwrap_or_default().to_owned()
}

/// Returns the text literals of a source that follow `before`, without those of other macros.
fn literals(source: &str, before: &str) -> Vec<String> {
    let ends = |rest: &str| rest.find('"').map(|end| rest[..end].to_owned());
    source
        .match_indices(before)
        .filter(|(start, _)| {
            before.contains('!') || !source[..*start].ends_with(|c: char| c.is_alphanumeric() || c == '!')
        })
        .filter_map(|(start, _)| ends(&source[start + before.len()..]))
        .collect()
}
