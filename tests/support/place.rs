//! A folder for the chaos demo.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use crate::examples;

/// A folder with files in `in`, and the demo. A program that starts itself again must not be
/// replaced meanwhile.
pub(crate) struct Place(TempDir);

impl Place {
    /// Makes a folder with so many files, and with the demo that has a feature.
    pub(crate) fn new(files: usize, feature: &str) -> Self {
        let place = tempfile::tempdir().expect("a folder");
        fs::create_dir(place.path().join("in")).expect("a folder");
        for number in 0..files {
            let content = vec![number as u8; number * 1000];
            fs::write(place.path().join(format!("in/file {number}\n")), content).expect("a file");
        }
        let built = examples::built_with("chaos", feature);
        examples::copy(&built, &place.path().join("chaos"));
        Self(place)
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}
