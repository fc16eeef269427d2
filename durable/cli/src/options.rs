//! The command line.

use std::ffi::OsString;

use lexopt::prelude::*;
use perennial_durable::inspect::Selection;
use perennial_durable::{JobId, RecordState};

use super::time::parse_age;

const HELP: &str = "\
Shows, retries and removes durable jobs, also while the program runs that does them

Usage: perennial-jobs FILE COMMAND [OPTIONS]

FILE is the file of a SqliteStore.

Commands:
  list               List jobs, in the order of their submission
  show ID...         Show jobs with their payloads, outputs and all attempts
  retry [ID...]      Queue jobs again that are dead, cancelled, expired or unknown, with all their
                     attempts: those that are named, or those that the filters select
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
      --dry-run          Change nothing; print what retry and drop would change
      --json             Print JSON for programs: one object a line, times in milliseconds since
                         1970
  -h, --help             Print this help
  -V, --version          Print the version

The program that has the file open goes on, and notices a change within a second. Times are UTC.

Exit codes: 0 done; 1 a job that was named is not there, or is in no state for the command; 2 wrong
usage; 3 the store cannot be opened, or failed.
";

/// What the program does.
#[derive(Debug)]
pub struct Options {
    pub file: String,
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
    Retry(Vec<JobId>),
    Drop(Vec<JobId>),
    Stats,
    Pause { queue: String, paused: bool },
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
    let (mut limit, mut dry_run, mut json) = (None, false, false);
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
    let file = words.next().ok_or("give the file of a store")?;
    let verb = words.next().ok_or("give a command")?;
    let is_selected = selection != Selection::default();
    let command = command(&verb, &words.collect::<Vec<_>>(), is_selected)?;
    selection.limit = limit.unwrap_or(if command == Command::List { LISTED } else { 0 });
    let changes = matches!(command, Command::Retry(_) | Command::Drop(_));
    if dry_run && !changes {
        return Err("--dry-run is for retry and drop".into());
    }
    Ok(Parsed::Run(Options { file, command, selection, dry_run, json }))
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
        "retry" | "drop" => {
            if words.is_empty() != is_selected {
                // Never all jobs by mistake.
                return Err(format!("{verb}: give either numbers of jobs or filters").into());
            }
            let jobs = numbers(words)?;
            Ok(if verb == "retry" { Command::Retry(jobs) } else { Command::Drop(jobs) })
        }
        other => Err(format!("there is no command {other:?}").into()),
    }
}

fn numbers(words: &[String]) -> Result<Vec<JobId>, lexopt::Error> {
    let number = |word: &String| match word.parse() {
        Ok(number) => Ok(JobId(number)),
        Err(_) => Err(format!("{word:?} is not the number of a job").into()),
    };
    words.iter().map(number).collect()
}
