//! A job in many steps that goes on where it was after its process was killed: a durable actor
//! decides, a durable pool works, and a timer waits between two steps. This program starts itself
//! again and again, and kills each process with SIGKILL in the middle of a step.
//!
//! ```text
//! cargo run --release --features durable --example agent
//! ```

#[macro_use]
#[path = "support/output.rs"]
mod output;

use std::error::Error;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child as Process, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use perennial::durable::actor::{EventSourced, EventTransaction, Journal};
use perennial::durable::pool::{Durable, DurableHandle};
use perennial::durable::sqlite::SqliteStore;
use perennial::durable::{Store, Timestamp, Wire};
use perennial::pool::Pool;
use perennial::prelude::*;
use serde::{Deserialize, Serialize};

const STEPS: u32 = 6;

/// The steps in which a process is killed.
const KILLS: [u32; 3] = [1, 3, 4];

/// The pause between two steps, as a service with a rate limit asks for it.
const PAUSE: Duration = Duration::from_millis(20);

const AGENT: Name<Msg> = Name::new("agent");

enum Msg {
    /// Begins, or is repeated by the next process and changes nothing.
    Research {
        topic: String,
        begun: Reply<()>,
    },
    /// A step has ended. Its job may be done twice: the reply says that the outcome is stored.
    Ended {
        step: u32,
        finding: String,
        stored: Reply<()>,
    },
    /// The pause is over.
    Next,
    Findings(Reply<Option<Vec<String>>>),
}

#[derive(Serialize, Deserialize)]
enum Event {
    Begun {
        topic: String,
    },
    /// A step has ended, and the next one begins at this time, in milliseconds since 1970.
    Found {
        finding: String,
        next_at: u64,
    },
    /// The job of the next step is in the queue.
    Stepped,
}

impl Wire for Event {
    const TAG: &'static str = "example.research";
}

/// A job: one step of the research.
#[derive(Clone, Serialize, Deserialize)]
struct Step {
    number: u32,
    topic: String,
}

impl Wire for Step {
    const TAG: &'static str = "example.research.step";
}

type Worker = fn(Step) -> Result<(), String>;

/// What the agent knows: all of it follows from its events.
#[derive(Default)]
struct Agent {
    topic: String,
    findings: Vec<String>,
    /// The job of a step is in the queue, or runs.
    steps_out: bool,
    next_at: Timestamp,
}

impl Agent {
    /// Stores that the next step begins, and its job, in one commit.
    fn step(&self, tx: &mut EventTransaction<'_, Self>) -> Result<(), ExitReason> {
        let number = self.findings.len() as u32 + 1;
        let job = tx.args().submit(Step { number, topic: self.topic.clone() }).prepare()?;
        tx.persist(Event::Stepped);
        tx.enqueue(job);
        Ok(())
    }
}

impl EventSourced for Agent {
    type Msg = Msg;
    type Event = Event;
    type Args = DurableHandle<Worker>;

    fn new(_: &DurableHandle<Worker>) -> Self {
        Self::default()
    }

    fn apply(&mut self, event: Event) {
        match event {
            Event::Begun { topic } => self.topic = topic,
            Event::Stepped => self.steps_out = true,
            Event::Found { finding, next_at } => {
                self.findings.push(finding);
                self.steps_out = false;
                self.next_at = Timestamp(next_at);
            }
        }
    }

    /// A timer is of one incarnation: the next one sets it again, by the time that is stored.
    async fn recovered(&self, tx: &mut EventTransaction<'_, Self>) -> Result<(), ExitReason> {
        if !self.topic.is_empty() && !self.steps_out {
            tx.context().send_after(self.next_at.since(Timestamp::now()), Msg::Next);
        }
        Ok(())
    }

    async fn handle(&self, msg: Msg, tx: &mut EventTransaction<'_, Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Research { topic, begun } => {
                if self.topic.is_empty() {
                    tx.persist(Event::Begun { topic });
                    tx.context().send_after(Duration::ZERO, Msg::Next);
                }
                tx.reply(begun, ());
            }
            Msg::Next if self.steps_out || self.findings.len() as u32 == STEPS => {}
            Msg::Next => self.step(tx)?,
            Msg::Ended { step, finding, stored } => {
                // A job that ran again after a kill tells the same a second time.
                if step as usize == self.findings.len() + 1 {
                    let next_at = Timestamp::now().saturating_add(PAUSE).0;
                    tx.persist(Event::Found { finding, next_at });
                    tx.context().send_after(PAUSE, Msg::Next);
                }
                tx.reply(stored, ());
            }
            Msg::Findings(reply) => {
                let is_done = self.findings.len() as u32 == STEPS;
                reply.send(is_done.then(|| self.findings.clone()));
            }
        }
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // The child process gets the file as its argument.
    if let Some(file) = std::env::args_os().nth(1) {
        return work(Path::new(&file)).await;
    }
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("research.db");
    let mut begun = Vec::new();
    for step in KILLS {
        let (mut process, mut lines) = start(&file)?;
        while begun.last() != Some(&format!("step {step} begins")) {
            begun.push(lines.next().ok_or("the process ended by itself")??);
        }
        process.kill()?;
        process.wait()?;
        print_line!("{}, and the process is killed", begun.join(", "));
    }
    let (mut process, lines) = start(&file)?;
    for line in lines {
        begun.push(line?);
    }
    assert!(process.wait()?.success());
    let findings = begun.pop().ok_or("there are no findings")?;
    // The steps that a kill interrupted ran again, and those before them did not.
    let steps: Vec<_> = (1..=STEPS).map(|step| format!("step {step} begins")).collect();
    begun.dedup();
    assert_eq!(begun, steps, "no step was left out, and none came back");
    print_line!("{}; it found {findings}", begun.join(", "));
    Ok(())
}

type Lines = std::io::Lines<BufReader<std::process::ChildStdout>>;

fn start(file: &Path) -> Result<(Process, Lines), Box<dyn Error>> {
    let mut process = Command::new(std::env::current_exe()?).arg(file).stdout(Stdio::piped()).spawn()?;
    let output = process.stdout.take().ok_or("the process has no output")?;
    Ok((process, BufReader::new(output).lines()))
}

/// The child: does what is left, and prints each step that begins.
async fn work(file: &Path) -> Result<(), Box<dyn Error>> {
    let system = System::new();
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(file)?);
    let caller = system.clone();
    let workers = Pool::from_fn("steps", 1, move |step: &Step| look_up(caller.clone(), step.clone()));
    // A step is tried again however often its process is killed.
    let pool = workers.durable(store.clone()).lost_workers(u32::MAX).retry_errors(true).attempts(5);
    let agent = Journal::<Agent>::new(store, "research", pool.handle()).child("agent").named(AGENT);
    let app = Supervisor::new("research").child(agent).child(pool).start(&system).await?;
    let topic = "actors".to_owned();
    system.call_to(AGENT, |begun| Msg::Research { topic, begun }).await?;
    let findings = loop {
        if let Some(findings) = system.call_to(AGENT, Msg::Findings).await? {
            break findings;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    print_line!("{}", findings.join(", "));
    assert!(app.shutdown().await.is_clean());
    Ok(())
}

/// The work of a step, which takes a while. The job is done when the agent has stored its outcome.
async fn look_up(system: System, step: Step) -> Result<(), String> {
    let Step { number, topic } = step;
    print_line!("step {number} begins");
    tokio::time::sleep(Duration::from_millis(50)).await;
    let finding = format!("{topic} {number}");
    let told = system.call_to(AGENT, |stored| Msg::Ended { step: number, finding, stored }).await;
    told.map_err(|error| error.to_string())
}
