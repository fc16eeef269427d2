//! The command line.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use clap::{Parser, ValueEnum};

/// Indexes a folder while being attacked, and proves that nothing was lost.
#[derive(Debug, Parser)]
#[command(name = "chaos", version)]
pub struct Options {
    /// The folder to index [default: the folder of the project itself, without build output]
    #[arg(long, value_name = "DIR")]
    input: Option<PathBuf>,
    /// Write the result here, in the format of sha256sum
    #[arg(long, value_name = "FILE")]
    pub manifest: Option<PathBuf>,
    /// Write the report here, as one JSON object
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Draw the faults from this seed [default: a random one, printed]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// How many faults to inject in a second, more or less
    #[arg(long, value_name = "X", default_value_t = 50.0, value_parser = rate)]
    pub faults_per_second: f64,
    /// How many workers hash files
    #[arg(long, value_name = "N", default_value = "4")]
    pub workers: NonZeroUsize,
    /// Go on attacking until so many faults were injected
    #[arg(long, value_name = "N", default_value_t = 25)]
    pub min_faults: u64,
    /// Break the system on purpose: the checker must notice
    #[arg(long, value_enum)]
    pub sabotage: Option<Sabotage>,
    /// Print nothing but the verdict
    #[arg(long)]
    pub quiet: bool,
}

/// How the system can be broken on purpose.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Sabotage {
    /// What was in work at a crash is not done again
    LoseWork,
    /// Results are delivered twice, and the collector does not notice
    DoubleCount,
    /// Workers that crash are not restarted
    NoRestart,
}

/// What a command line asks for.
#[derive(Debug)]
pub enum Parsed {
    Run(Options),
    Help(String),
    /// One line that says what is wrong and how to do it.
    Wrong(String),
}

impl Options {
    /// The folder to index.
    pub fn folder(&self) -> &Path {
        self.input.as_deref().unwrap_or_else(|| project())
    }

    /// Whether folders that are tagged as caches are passed over: only if nobody has named a folder.
    pub const fn skips_caches(&self) -> bool {
        self.input.is_none()
    }

    /// The seed. Drawn once, in `parse`.
    pub fn seed(&self) -> u64 {
        self.seed.unwrap_or_default()
    }
}

/// Reads the command line of this process.
pub fn parse() -> Parsed {
    match Options::try_parse() {
        Ok(mut options) => {
            options.seed.get_or_insert_with(|| u64::from(rand::random::<u32>()));
            check(options)
        }
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            Parsed::Help(error.to_string())
        }
        Err(error) => Parsed::Wrong(one_line(&error)),
    }
}

fn check(options: Options) -> Parsed {
    let folder = options.folder();
    match std::fs::metadata(folder) {
        Ok(data) if data.is_dir() => Parsed::Run(options),
        Ok(_) => Parsed::Wrong(format!("--input {} is not a folder: name one", folder.display())),
        Err(error) => {
            Parsed::Wrong(format!("--input {}: {error}: name a folder that exists", folder.display()))
        }
    }
}

/// What is wrong, without the usage that clap writes below it.
fn one_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let words: Vec<&str> = text.split("\n\n").next().unwrap_or_default().split_whitespace().collect();
    let what = words.join(" ");
    format!("{}; see --help", what.trim_start_matches("error: "))
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate > 0.0 && rate <= 10_000.0 => Ok(rate),
        _ => Err("give a number above 0 and up to 10000".to_owned()),
    }
}

/// Where this project lies, if it still lies where it was built; else the current folder.
fn project() -> &'static Path {
    let built = Path::new(env!("CARGO_MANIFEST_DIR"));
    if built.is_dir() { built } else { Path::new(".") }
}
