//! The sources that the rules check.

use std::fs;
use std::path::{Path, PathBuf};

use super::RANKS;

/// A source file.
pub(super) struct Source {
    pub(super) path: PathBuf,
    pub(super) text: String,
}

pub(super) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub(super) fn sources(folder: impl AsRef<Path>) -> Vec<Source> {
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

/// Returns the sources of a library without its tests.
pub(super) fn library(name: &str) -> Vec<Source> {
    let mut files = sources(Path::new(name).join("src"));
    files.retain(|source| !is_test(&source.path));
    assert!(!files.is_empty(), "the library {name} has no sources: look at this test");
    files
}

/// The names of files and folders that are for tests only.
const TESTS: [&str; 2] = ["tests", "tests.rs"];

pub(super) fn is_test(path: &Path) -> bool {
    let within = path.strip_prefix(root()).unwrap_or(path);
    within.components().any(|part| {
        let name = part.as_os_str().to_string_lossy();
        TESTS.contains(&&*name)
    })
}

pub(super) fn everything() -> Vec<Source> {
    let folders = RANKS.iter().map(|name| (*name).to_owned());
    let folders = folders.chain(["src", "tests", "examples", "benches"].map(str::to_owned));
    folders.flat_map(sources).collect()
}

/// Returns the code of a file without comments and unit tests.
pub(super) fn code(source: &Source) -> impl Iterator<Item = (usize, &str)> {
    let lines = source.text.lines().enumerate().map(|(number, line)| (number + 1, line));
    let lines = lines
        .take_while(|(_, line)| !line.starts_with("#[cfg(test)]\nmod tests {") && *line != "mod tests {");
    lines.filter(|(_, line)| !line.trim_start().starts_with("//"))
}

pub(super) fn assert_none(rule: &str, offenders: &[String]) {
    assert!(offenders.is_empty(), "{rule}:\n  {}", offenders.join("\n  "));
}

pub(super) fn offenders(files: &[Source], is_wrong: impl Fn(&str) -> bool) -> Vec<String> {
    let wrong = |source: &Source| {
        let path = source.path.display().to_string();
        code(source)
            .filter(|(_, line)| is_wrong(line))
            .map(|(number, line)| format!("{path}:{number}: {}", line.trim()))
            .collect::<Vec<_>>()
    };
    files.iter().flat_map(wrong).collect()
}

/// Returns `true` if a line begins a function.
pub(super) fn is_function(line: &str) -> bool {
    let line = line.trim_start();
    let words = ["fn ", "pub fn ", "async fn ", "const fn ", "pub async fn ", "pub const fn "];
    let scoped =
        line.strip_prefix("pub(crate) ").or_else(|| line.strip_prefix("pub(super) ")).unwrap_or(line);
    words.iter().any(|word| scoped.starts_with(word))
}
