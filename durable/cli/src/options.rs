//! The command line.

use std::ffi::OsString;

use lexopt::prelude::*;
use perennial_durable::inspect::{JobChange, Selection};
use perennial_durable::{JobId, RecordState};

use super::time::parse_age;

const HELP: &str = "\
Shows, retries, cancels and removes durable jobs, also while the program runs that does them

Usage: perennial-jobs STORE COMMAND [OPTIONS]

STORE is the file of a SqliteStore, or the address of a PostgresStore: postgres://user@host/database

Commands:
  list               List jobs, in the order of their submission
  show ID...         Show jobs with their payloads, outputs and all attempts
  retry [ID...]      Queue jobs again that are dead, cancelled, expired or unknown, with all their
                     attempts: those that are named, or those that the filters select
  cancel [ID...]     End jobs that wait or run, without a further attempt: those that are named, or
                     that the filters select. What a running attempt still does counts for nothing
  drop [ID...]       Remove jobs that do not run: those that are named, or that the filters select
  stats              Count the jobs of each queue by state
  pause QUEUE        Start no more jobs of a queue; what runs finishes
  resume QUEUE       Start jobs of a paused queue again

Filters:
      --queue NAME       Only jobs of this queue
      --state STATE      Only jobs in this state: delayed, queued, running, completed, dead,
                         cancelled, expired or unknown. It may be given several times
      --older-than AGE   Only jobs that were submitted so long ago: 90s, 15m, 12h, 7d
      --limit N          At most N jobs; 0 is no limit [default: 100 for list, else 0]

Options:
      --schema NAME      The schema of the tables in a server [default: perennial]
      --dry-run          Change nothing; print what retry, cancel and drop would change
      --json             Print JSON for programs: one object a line, times in milliseconds since
                         1970
  -h, --help             Print this help
  -V, --version          Print the version

The programs that have the store open go on, and notice a change within a second. Times are UTC.

Exit codes: 0 done; 1 a job that was named is not there, or is in no state for the command; 2 wrong
usage; 3 the store cannot be opened, or failed.
";

/// What the program does.
#[derive(Debug)]
pub struct Options {
    pub store: String,
    pub schema: Option<String>,
    pub command: Command,
    pub selection: Selection,
    pub dry_run: bool,
    pub json: bool,
}

/// A command with its arguments.
#[derive(Debug, Eq, PartialEq)]
pub enum Command {
    List,
    Show(Vec<JobId>),
    /// Changes the jobs that are named, or else those that are selected.
    Change(JobChange, Vec<JobId>),
    Stats,
    Pause {
        queue: String,
        paused: bool,
    },
}

/// What a command line asks for.
#[derive(Debug)]
pub enum Parsed {
    Run(Options),
    /// Print this and exit.
    Print(String),
}

/// The most jobs that `list` shows by default.
const LISTED: usize = 100;

/// Parses the arguments after the program's name.
pub fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Parsed, lexopt::Error> {
    let mut parser = lexopt::Parser::from_args(arguments);
    let (mut words, mut selection) = (Vec::new(), Selection::default());
    let (mut limit, mut schema, mut dry_run, mut json) = (None, None, false, false);
    while let Some(argument) = parser.next()? {
        match argument {
            Value(word) => words.push(word.string()?),
            Long("queue") => selection.queue = Some(parser.value()?.string()?),
            Long("state") => selection.states.push(state(&parser.value()?.string()?)?),
            Long("older-than") => {
                let age = parse_age(&parser.value()?.string()?);
                selection.older_than = Some(age.map_err(|error| format!("--older-than {error}"))?);
            }
            Long("limit") => limit = Some(parser.value()?.parse()?),
            Long("schema") => schema = Some(parser.value()?.string()?),
            Long("dry-run") => dry_run = true,
            Long("json") => json = true,
            Short('h') | Long("help") => return Ok(Parsed::Print(HELP.to_owned())),
            Short('V') | Long("version") => {
                let version = concat!("perennial-jobs ", env!("CARGO_PKG_VERSION"), "\n");
                return Ok(Parsed::Print(version.to_owned()));
            }
            other => return Err(other.unexpected()),
        }
    }
    let mut words = words.into_iter();
    let store = words.next().ok_or("give the file or the address of a store")?;
    let verb = words.next().ok_or("give a command")?;
    let is_selected = selection != Selection::default();
    let command = command(&verb, &words.collect::<Vec<_>>(), is_selected)?;
    selection.limit = limit.unwrap_or(if command == Command::List { LISTED } else { 0 });
    if dry_run && !matches!(command, Command::Change(..)) {
        return Err("--dry-run is for retry, cancel and drop".into());
    }
    let options = Options { store, schema, command, selection, dry_run, json };
    if options.schema.is_some() && !options.is_server() {
        return Err("--schema is for a server".into());
    }
    Ok(Parsed::Run(options))
}

impl Options {
    /// Returns `true` if the store is named by the address of a server.
    pub fn is_server(&self) -> bool {
        self.store.starts_with("postgres://") || self.store.starts_with("postgresql://")
    }
}

fn state(name: &str) -> Result<RecordState, String> {
    RecordState::from_name(name).ok_or_else(|| {
        let known = RecordState::ALL.map(RecordState::name).join(", ");
        format!("--state {name:?}: give one of {known}")
    })
}

fn command(verb: &str, words: &[String], is_selected: bool) -> Result<Command, lexopt::Error> {
    let queue = |paused: bool| match words {
        [queue] => Ok(Command::Pause { queue: queue.clone(), paused }),
        _ => Err(lexopt::Error::from(format!("{verb}: give the name of a queue"))),
    };
    match verb {
        "list" | "stats" if !words.is_empty() => Err(format!("{verb} takes no arguments").into()),
        "list" => Ok(Command::List),
        "stats" => Ok(Command::Stats),
        "pause" => queue(true),
        "resume" => queue(false),
        "show" if words.is_empty() => Err("show: give the numbers of jobs".into()),
        "show" => Ok(Command::Show(numbers(words)?)),
        _ => {
            let change = JobChange::ALL.into_iter().find(|change| change.name() == verb);
            let change = change.ok_or_else(|| format!("there is no command {verb:?}"))?;
            if words.is_empty() != is_selected {
                // Never all jobs by mistake.
                return Err(format!("{verb}: give either numbers of jobs or filters").into());
            }
            Ok(Command::Change(change, numbers(words)?))
        }
    }
}

fn numbers(words: &[String]) -> Result<Vec<JobId>, lexopt::Error> {
    let number = |word: &String| match word.parse() {
        Ok(number) => Ok(JobId(number)),
        Err(_) => Err(format!("{word:?} is not the number of a job").into()),
    };
    words.iter().map(number).collect()
}
