//! The life of the worker processes: started, asked, killed, and the last one lives to its end.

use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use super::super::interrupt::Interrupt;
use super::super::options::Options;
use super::kills::{Kill, plan};
use super::process::{Line, WorkerProcess};

/// A process without any answer for this long is over.
const STALLED: Duration = Duration::from_secs(60);

/// How often Ctrl-C is looked for.
const TICK: Duration = Duration::from_millis(50);

/// What asks the worker processes, and notes their answers.
pub trait Client {
    type Request: std::fmt::Display + Send + 'static;
    type Answer: Line;

    /// Returns what it asks a new process for: the one with this index, if `kills` processes are
    /// killed and the last one is not.
    fn requests(&mut self, index: usize, kills: usize) -> Vec<Self::Request>;

    /// Returns how many acknowledgements follow, at least, those of later requests included.
    fn expected(&self) -> usize;

    /// Notes an answer, and returns what it asks for then.
    fn note(&mut self, answer: Self::Answer) -> Option<Self::Request>;

    /// Returns `true` if further requests may follow from the answers.
    fn asks_more(&self) -> bool;
}

/// The driver of the worker processes of a run.
pub struct Driver<'a> {
    pub options: &'a Options,
    pub target: &'a str,
    /// The name of the run in the store.
    pub queue: String,
    pub interrupt: Interrupt,
    /// How often a process was killed.
    pub kills: u64,
    /// A process has answered.
    is_up: bool,
    /// A process that was to be killed did nothing for so long that it was not waited for.
    has_stalled: bool,
}

impl<'a> Driver<'a> {
    pub fn new(options: &'a Options, target: &'a str, queue: String) -> Self {
        Self {
            options,
            target,
            queue,
            interrupt: Interrupt::listen(),
            kills: 0,
            is_up: false,
            has_stalled: false,
        }
    }

    /// Starts and kills the processes, and lets the last one finish. The inner error says what is
    /// not finished. It blocks.
    ///
    /// # Errors
    ///
    /// A process does not start, or ends by itself too early.
    pub fn drive<C: Client>(&mut self, client: &mut C) -> Result<Result<(), String>, String> {
        let plan = plan(self.options.seed, self.options.kills);
        for (index, kill) in plan.iter().enumerate() {
            let process = self.start(client, index, plan.len())?;
            self.live_until(*kill, client, process)?;
            if self.interrupt.is_requested() {
                return Ok(Ok(()));
            }
        }
        let process = self.start(client, plan.len(), plan.len())?;
        let finished = self.finish(client, process)?;
        Ok(if self.has_stalled {
            Err("a process that was to be killed stood still".to_owned())
        } else {
            finished
        })
    }

    fn start<C: Client>(
        &self,
        client: &mut C,
        index: usize,
        kills: usize,
    ) -> Result<WorkerProcess<C::Request, C::Answer>, String> {
        let process = WorkerProcess::start(self.options, self.target, &self.queue);
        let process = process.map_err(|error| format!("the worker process does not start: {error}"))?;
        client.requests(index, kills).into_iter().for_each(|request| process.ask(request));
        Ok(process)
    }

    /// Kills a process at its moment.
    fn live_until<C: Client>(
        &mut self,
        kill: Kill,
        client: &mut C,
        process: WorkerProcess<C::Request, C::Answer>,
    ) -> Result<(), String> {
        let end = match kill {
            Kill::Early(after) => process.began + after,
            Kill::Working { share, rest } => {
                let left = client.expected() - (share * client.expected() as f64) as usize;
                let mut is_up = false;
                let limit = Instant::now() + STALLED;
                while (client.expected() > left || !is_up)
                    && !self.interrupt.is_requested()
                    && Instant::now() < limit
                {
                    match process.next(TICK) {
                        Ok(answer) => {
                            (is_up, self.is_up) = (true, true);
                            take(client, &process, answer);
                        }
                        Err(RecvTimeoutError::Timeout) => {}
                        Err(RecvTimeoutError::Disconnected) => return Err(ended_early(process)),
                    }
                }
                self.has_stalled |= Instant::now() >= limit;
                Instant::now() + rest
            }
        };
        while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            match process.next(left) {
                Ok(answer) => take(client, &process, answer),
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => return Err(ended_early(process)),
            }
        }
        end_of(client, process);
        self.kills += 1;
        Ok(())
    }

    /// Lets a process do what is left and end by itself.
    fn finish<C: Client>(
        &mut self,
        client: &mut C,
        mut process: WorkerProcess<C::Request, C::Answer>,
    ) -> Result<Result<(), String>, String> {
        let mut heard = Instant::now();
        loop {
            if !client.asks_more() {
                process.close();
            }
            match process.next(TICK) {
                Ok(answer) => {
                    (heard, self.is_up) = (Instant::now(), true);
                    take(client, &process, answer);
                }
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    let is_stalled = heard.elapsed() > STALLED;
                    if is_stalled || self.interrupt.is_requested() {
                        end_of(client, process);
                        let stalled = || Err("some is not, and nothing moves".to_owned());
                        return Ok(if is_stalled { stalled() } else { Ok(()) });
                    }
                }
            }
        }
        if !self.is_up {
            return Err(ended_early(process));
        }
        let status = process.wait().map_err(|error| error.to_string())?;
        Ok(if status.success() { Ok(()) } else { Err(format!("the last process ended with {status}")) })
    }
}

/// Notes an answer, and asks for what follows from it.
fn take<C: Client>(client: &mut C, process: &WorkerProcess<C::Request, C::Answer>, answer: C::Answer) {
    if let Some(request) = client.note(answer) {
        process.ask(request);
    }
}

/// Kills a process, and notes what it has answered before.
fn end_of<C: Client>(client: &mut C, process: WorkerProcess<C::Request, C::Answer>) {
    process.kill().into_iter().for_each(|answer| drop(client.note(answer)));
}

/// Says how a process has ended by itself. It has printed why.
fn ended_early<R, A>(process: WorkerProcess<R, A>) -> String
where
    R: std::fmt::Display + Send + 'static,
    A: Line,
{
    match process.wait() {
        Ok(status) => format!("the worker process ended by itself: {status}"),
        Err(error) => error.to_string(),
    }
}
