//! Writes the tables, some sentences and the plots into the documentation.
//!
//! What is between `<!-- race: NAME -->` and `<!-- race: end -->` is replaced.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::data::Report;
use super::{durable, markdown, plot};

const END: &str = "<!-- race: end -->";

/// A part of the documentation: the name of its place, and what is there.
type Part = (&'static str, fn(&Report) -> String);

/// The files with tables or sentences.
const FILES: &[(&str, &[Part])] = &[
    (
        "docs/PERFORMANCE.md",
        &[
            ("origin", markdown::origin),
            ("costs", markdown::costs),
            ("scale", markdown::scale),
            ("durable", markdown::durable),
            ("durable-bound", durable::bound),
            ("remote", markdown::remote),
            ("targets", markdown::targets),
        ],
    ),
    ("docs/DURABLE.md", &[("sizing", durable::sizing)]),
    ("README.md", &[("origin", markdown::origin), ("short", markdown::short)]),
];

/// The files that are plots.
const PLOTS: &[Part] =
    &[("docs/performance/ratios.svg", plot::ratios), ("docs/performance/scale.svg", plot::scale)];

/// Writes the report into the repository at `root`.
pub fn write(report: &Report, root: &Path) -> Result<()> {
    for (file, parts) in FILES {
        let file = root.join(file);
        let mut text =
            fs::read_to_string(&file).with_context(|| format!("{} cannot be read", file.display()))?;
        for (name, part) in *parts {
            text = replace(&text, name, &part(report)).with_context(|| format!("in {}", file.display()))?;
        }
        fs::write(&file, text).with_context(|| format!("{} cannot be written", file.display()))?;
    }
    for (file, plot) in PLOTS {
        let file = root.join(file);
        let folder = file.parent().unwrap_or(root);
        fs::create_dir_all(folder).with_context(|| format!("{} cannot be created", folder.display()))?;
        fs::write(&file, plot(report)).with_context(|| format!("{} cannot be written", file.display()))?;
    }
    Ok(())
}

/// Replaces one part of a text.
fn replace(text: &str, name: &str, with: &str) -> Result<String> {
    let begin = format!("<!-- race: {name} -->\n");
    let place = || format!("there is no place for {name}");
    let (before, rest) = text.split_once(&begin).with_context(place)?;
    let (_, after) = rest.split_once(END).with_context(place)?;
    Ok(format!("{before}{begin}\n{with}\n{END}{after}"))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use tempfile::TempDir;

    use super::*;
    use crate::report::text::tests::cast;

    #[test]
    fn only_the_named_part_is_replaced() {
        let text = "a\n<!-- race: x -->\nold\n<!-- race: end -->\nb\n<!-- race: y -->\n<!-- race: end -->\n";
        let replaced = replace(text, "x", "new\n").unwrap();
        let new =
            "a\n<!-- race: x -->\n\nnew\n\n<!-- race: end -->\nb\n<!-- race: y -->\n<!-- race: end -->\n";
        assert_eq!(replaced, new);
        assert_eq!(replace(&replaced, "x", "new\n").unwrap(), new);
        assert!(replace(text, "z", "new\n").is_err());
    }

    fn repository() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
    }

    /// Returns a copy of the documentation with this report.
    fn copy_with(report: &Report) -> TempDir {
        let copy = tempfile::tempdir().unwrap();
        fs::create_dir(copy.path().join("docs")).unwrap();
        for (file, _) in FILES {
            fs::copy(repository().join(file), copy.path().join(file)).unwrap();
        }
        write(report, copy.path()).unwrap();
        copy
    }

    #[test]
    fn the_documentation_says_what_the_latest_race_measured() {
        let json = fs::read(repository().join("docs/performance/race.json")).unwrap();
        let copy = copy_with(&serde_json::from_slice(&json).unwrap());
        for file in FILES.iter().map(|(file, _)| file).chain(PLOTS.iter().map(|(file, _)| file)) {
            let [written, kept] = [copy.path().join(file), repository().join(file)].map(fs::read_to_string);
            assert!(written.unwrap() == kept.unwrap(), "{file}: ./x race --from docs/performance/race.json");
        }
    }

    #[test]
    fn the_documentation_has_a_place_for_every_part() {
        let copy = copy_with(&Report::new(&[cast()], 1).unwrap());
        let written = |file| fs::read_to_string(copy.path().join(file)).unwrap();
        assert!(written("docs/PERFORMANCE.md").contains("| cast 1 1 | ns | **10.0** |"));
        assert!(written("README.md").contains("| send a message | 10.0 ns |"));
        assert!(written("docs/performance/ratios.svg").starts_with("<svg "));
    }
}
