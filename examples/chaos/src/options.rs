//! The command line.

use std::ffi::OsString;
use std::fmt::Display;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::time::Duration;

use lexopt::prelude::*;

use super::plan::PlanOptions;
pub use super::sabotage::Sabotage;
use super::scenario::{self, Scenario};

const HELP: &str = "\
Indexes a folder while faults are injected, and checks that nothing was lost

Usage: chaos [OPTIONS]

Options:
      --scenario NAME     What the demo does [default: index]. One of
                            index   index a folder
                            ledger  transfer money between durable accounts, in a process that is
                                    killed: with --durable
      --input DIR         The folder to index
                          [default: the folder of the project, without build output]
      --manifest FILE     Write the result to FILE, in the format of sha256sum
      --json FILE         Write the report to FILE, as one JSON object
      --html FILE         Write the report to FILE, as one page that needs nothing else: what
                          happened when, how long the recoveries took, the tree, the checks
      --console[=ADDRESS] Show the run in the browser while it goes on, at this address
                          [default: 127.0.0.1:9911]; give it time with --duration. Needs the
                          feature console: cargo run --release --features console --example chaos
      --seed N            Plan the faults from this seed: the same seed and the same options give
                          the same faults [default: a random one, which is printed]
      --faults N          How many faults to inject [default: 25]
      --duration SECONDS  The time over which the faults and the work are spread
                          [default: 4 if the output is a terminal, else 0.5]
      --workers N         How many workers compute checksums [default: 4]
      --sabotage WHAT     Break the system on purpose; the checks must notice. One of
                            lose-work     do not repeat the work that a crash has interrupted
                            double-count  deliver results twice, and record both
                            no-restart    do not restart a worker that has crashed
                          and with --durable one of
                            ack-before-commit  acknowledge a job before it is on the disk
                            no-fencing         accept a late outcome of a killed process
                          and with --nodes one of
                            reorder            deliver messages of a node in another order
                            double-deliver     deliver messages of a node twice
                          and with --scenario ledger one of
                            reply-before-commit  acknowledge a transfer before it is on the disk
                            no-epoch             accept what an earlier incarnation writes
      --durable STORE     Keep the jobs in STORE, which a process of its own works off, and kill
                          that process. --faults and --duration have no effect then. STORE is a
                          file, or the address of a PostgreSQL server, postgres://... Needs the
                          feature durable: cargo run --release --features durable --example chaos
                          and with a server the feature durable-postgres
      --kill-process N    With --durable: how often to kill the process [default: 20]
      --nodes N           Run N processes that hand the files to each other, 2 to 9, and kill,
                          freeze, cut off and slow down some of them. 12 faults over 12 seconds,
                          unless --faults and --duration say otherwise. Needs the feature cluster:
                          cargo run --release --features cluster --example chaos
  -v, --verbose           Print the planned faults before, and every check after the run
  -q, --quiet             Print the last line only
  -h, --help              Print this help
  -V, --version           Print the version

Ctrl-C stops the run in good order and prints the report so far. A second one ends it at once.

Exit codes: 0 every check passed, 1 a check failed, 2 wrong usage, 3 every check passed but some
files could not be read, 130 interrupted by Ctrl-C.
";

/// The duration of a run that a person watches, and of one that a program reads.
const ON_A_TERMINAL: Duration = Duration::from_secs(4);
const PIPED: Duration = Duration::from_millis(500);

/// The address of the console, unless another is given.
const CONSOLE: &str = "127.0.0.1:9911";

/// How often the process is killed.
const KILLS: usize = 20;

/// How many faults there are, and with `--nodes`.
const FAULTS: usize = 25;
const FAULTS_OF_NODES: usize = 12;

/// The duration of a run with nodes. Several leases pass until a node is missed and back.
const DURATION_OF_NODES: Duration = Duration::from_secs(12);

/// What the run does.
#[derive(Debug)]
pub struct Options {
    pub scenario: Scenario,
    pub input: Option<PathBuf>,
    pub manifest: Option<PathBuf>,
    pub json: Option<PathBuf>,
    pub html: Option<PathBuf>,
    /// The address of the console.
    pub console: Option<String>,
    pub seed: u64,
    pub faults: usize,
    pub duration: Duration,
    pub workers: usize,
    pub sabotage: Option<Sabotage>,
    /// The store of a run whose jobs outlive their process.
    pub durable: Option<String>,
    pub kills: usize,
    /// The queue of the worker process that this is.
    pub worker_process: Option<String>,
    /// How many nodes there are.
    pub nodes: Option<usize>,
    /// The settings of the node process that this is.
    pub node_process: Option<PathBuf>,
    pub verbose: bool,
    pub quiet: bool,
}

/// What a command line asks for.
#[derive(Debug)]
pub enum Parsed {
    Run(Box<Options>),
    /// Print this and exit.
    Print(String),
    /// One line that says what is wrong and what to do instead.
    Wrong(String),
}

impl Options {
    fn new(is_terminal: bool) -> Self {
        Self {
            scenario: Scenario::Index,
            input: None,
            manifest: None,
            json: None,
            html: None,
            console: None,
            seed: u64::from(fastrand::u32(..)),
            faults: FAULTS,
            duration: if is_terminal { ON_A_TERMINAL } else { PIPED },
            workers: 4,
            sabotage: None,
            durable: None,
            kills: KILLS,
            worker_process: None,
            nodes: None,
            node_process: None,
            verbose: false,
            quiet: false,
        }
    }

    /// Returns the folder to index.
    pub fn folder(&self) -> &Path {
        self.input.as_deref().unwrap_or_else(|| project())
    }

    /// Returns `true` if folders that are tagged as caches are left out: only in the default
    /// folder.
    pub const fn skips_caches(&self) -> bool {
        self.input.is_none()
    }

    /// Returns what the plan depends on besides the seed.
    pub const fn plan(&self) -> PlanOptions {
        PlanOptions { faults: self.faults, duration: self.duration, workers: self.workers }
    }
}

/// Parses the command line of this process.
pub fn parse() -> Parsed {
    let is_terminal = io::stdout().is_terminal() || io::stderr().is_terminal();
    match parse_from(std::env::args_os().skip(1), is_terminal) {
        Ok(Parsed::Run(options)) => check_folder(options),
        Ok(other) => other,
        Err(error) => Parsed::Wrong(format!("{error}; see --help")),
    }
}

/// Parses the arguments after the program's name.
pub fn parse_from(
    arguments: impl Iterator<Item = OsString>,
    is_terminal: bool,
) -> Result<Parsed, lexopt::Error> {
    let mut options = Options::new(is_terminal);
    let (mut has_kills, mut faults, mut duration) = (false, None, None);
    let mut parser = lexopt::Parser::from_args(arguments);
    while let Some(argument) = parser.next()? {
        match argument {
            Long("scenario") => options.scenario = value(&mut parser, "--scenario", str::parse)?,
            Long("input") => options.input = Some(parser.value()?.into()),
            Long("manifest") => options.manifest = Some(parser.value()?.into()),
            Long("json") => options.json = Some(parser.value()?.into()),
            Long("console") => {
                let address = parser.optional_value().map(ValueExt::string).transpose()?;
                options.console = Some(address.unwrap_or_else(|| CONSOLE.to_owned()));
            }
            Long("html") => options.html = Some(parser.value()?.into()),
            Long("seed") => options.seed = value(&mut parser, "--seed", str::parse::<u64>)?,
            Long("faults") => faults = Some(value(&mut parser, "--faults", count::<100_000>)?),
            Long("duration") => duration = Some(value(&mut parser, "--duration", seconds)?),
            Long("workers") => options.workers = value(&mut parser, "--workers", count::<1_000>)?,
            Long("sabotage") => {
                options.sabotage = Some(value(&mut parser, "--sabotage", str::parse::<Sabotage>)?);
            }
            Long("durable") => options.durable = Some(parser.value()?.string()?),
            Long("kill-process") => {
                has_kills = true;
                options.kills = value(&mut parser, "--kill-process", count::<100_000>)?;
            }
            Long("worker-process") => options.worker_process = Some(parser.value()?.string()?),
            Long("nodes") => options.nodes = Some(value(&mut parser, "--nodes", nodes)?),
            Long("node-process") => options.node_process = Some(parser.value()?.into()),
            Short('v') | Long("verbose") => options.verbose = true,
            Short('q') | Long("quiet") => options.quiet = true,
            Short('h') | Long("help") => return Ok(Parsed::Print(HELP.to_owned())),
            Short('V') | Long("version") => {
                return Ok(Parsed::Print(concat!("chaos ", env!("CARGO_PKG_VERSION"), "\n").to_owned()));
            }
            other => return Err(other.unexpected()),
        }
    }
    if options.nodes.is_some() {
        (options.faults, options.duration) = (FAULTS_OF_NODES, DURATION_OF_NODES);
    }
    options.faults = faults.unwrap_or(options.faults);
    options.duration = duration.unwrap_or(options.duration);
    scenario::check(&options)?;
    check_durable(&options, has_kills)?;
    check_nodes(&options)?;
    Ok(Parsed::Run(Box::new(options)))
}

/// Checks the options of runs with nodes.
fn check_nodes(options: &Options) -> Result<(), lexopt::Error> {
    let Options { nodes, node_process, sabotage, durable, html, console, .. } = options;
    let has_nodes = nodes.is_some() || node_process.is_some();
    let wrong = match sabotage {
        _ if has_nodes && !cfg!(feature = "cluster") => {
            "--nodes needs the feature cluster: cargo run --release --features cluster --example chaos"
        }
        _ if has_nodes && (durable.is_some() || html.is_some() || console.is_some()) => {
            "--durable, --html and --console are for a run without --nodes"
        }
        Some(sabotage) if has_nodes && !sabotage.is_of_nodes() => {
            "--sabotage: give one of reorder, double-deliver with --nodes"
        }
        Some(sabotage) if !has_nodes && sabotage.is_of_nodes() => {
            "--sabotage reorder and double-deliver need --nodes N"
        }
        _ => return Ok(()),
    };
    Err(wrong.into())
}

/// Checks the options of durable runs.
fn check_durable(options: &Options, has_kills: bool) -> Result<(), lexopt::Error> {
    let Options { durable, sabotage, worker_process, html, console, .. } = options;
    let on_server = durable.as_deref().is_some_and(is_server);
    let wrong = match (durable, sabotage) {
        (Some(_), _) if !cfg!(feature = "durable") => {
            "--durable needs the feature durable: cargo run --release --features durable --example chaos"
        }
        (Some(_), _) if on_server && !cfg!(feature = "durable-postgres") => {
            "--durable postgres://.. needs the feature durable-postgres: \
            cargo run --release --features durable-postgres --example chaos"
        }
        (Some(_), _) if html.is_some() || console.is_some() => {
            "--html and --console are for a run without --durable"
        }
        (Some(_), Some(sabotage)) if !sabotage.is_durable() => {
            "--sabotage: give one of ack-before-commit, no-fencing with --durable"
        }
        (None, Some(sabotage)) if sabotage.is_durable() => {
            "--sabotage ack-before-commit and no-fencing need --durable STORE"
        }
        (None, _) if console.is_some() && !cfg!(feature = "console") => {
            "--console needs the feature console: cargo run --release --features console --example chaos"
        }
        (None, _) if has_kills || worker_process.is_some() => "--kill-process needs --durable STORE",
        _ => return Ok(()),
    };
    Err(wrong.into())
}

/// Returns `true` if a store is named by the address of a server.
pub fn is_server(target: &str) -> bool {
    target.starts_with("postgres://") || target.starts_with("postgresql://")
}

/// Parses the value of an option. The error names the option.
fn value<T, E: Display>(
    parser: &mut lexopt::Parser,
    option: &str,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Result<T, lexopt::Error> {
    let text = parser.value()?.string()?;
    parse(&text).map_err(|error| format!("{option} {text:?}: {error}").into())
}

fn count<const MOST: usize>(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (1..=MOST).contains(number));
    number.ok_or_else(|| format!("give a number from 1 to {MOST}"))
}

fn nodes(text: &str) -> Result<usize, &'static str> {
    let number = text.parse().ok().filter(|number| (2..=9).contains(number));
    number.ok_or("give a number from 2 to 9")
}

fn seconds(text: &str) -> Result<Duration, &'static str> {
    let seconds = text.parse::<f64>().ok().filter(|seconds| (0.0..=3600.0).contains(seconds));
    seconds.map(Duration::from_secs_f64).ok_or("give a number of seconds from 0 to 3600")
}

fn check_folder(options: Box<Options>) -> Parsed {
    let folder = options.folder();
    match std::fs::metadata(folder) {
        Ok(data) if data.is_dir() => Parsed::Run(options),
        Ok(_) => Parsed::Wrong(format!("--input {} is not a folder: name one", folder.display())),
        Err(error) => {
            Parsed::Wrong(format!("--input {}: {error}: name a folder that exists", folder.display()))
        }
    }
}

/// Returns the root of the project if it is still where it was built, else the current folder.
fn project() -> &'static Path {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
    built.filter(|root| root.is_dir()).unwrap_or(Path::new("."))
}
