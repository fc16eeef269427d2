//! Writes the tables and the plots into the documentation.
//!
//! What is between `<!-- race: NAME -->` and `<!-- race: end -->` is replaced.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::data::Report;
use super::{markdown, plot};

const END: &str = "<!-- race: end -->";

/// A table of the documentation, and the name of its place.
type Part = (&'static str, fn(&Report) -> String);

/// The files with tables.
const FILES: &[(&str, &[Part])] = &[
    (
        "docs/PERFORMANCE.md",
        &[
            ("origin", markdown::origin),
            ("costs", markdown::costs),
            ("scale", markdown::scale),
            ("durable", markdown::durable),
            ("targets", markdown::targets),
        ],
    ),
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

    #[test]
    fn the_documentation_has_a_place_for_every_part() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let copy = tempfile::tempdir().unwrap();
        fs::create_dir(copy.path().join("docs")).unwrap();
        for (file, _) in FILES {
            fs::copy(root.join(file), copy.path().join(file)).unwrap();
        }
        write(&Report::new(&[cast()], 1).unwrap(), copy.path()).unwrap();
        let written = |file| fs::read_to_string(copy.path().join(file)).unwrap();
        assert!(written("docs/PERFORMANCE.md").contains("| cast 1 1 | ns | **10.0** |"));
        assert!(written("README.md").contains("| send a message | 10.0 ns |"));
        assert!(written("docs/performance/ratios.svg").starts_with("<svg "));
    }
}
