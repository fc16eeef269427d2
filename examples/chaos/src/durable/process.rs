//! A worker process and its pipes.

use std::fmt::Display;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::super::options::Options;

/// Something that a line of a worker process says.
pub trait Line: Sized + Send + 'static {
    /// Parses a line without its end; `None` if it says nothing of this kind.
    fn parse(line: &str) -> Option<Self>;
}

/// A worker process that runs: it gets requests of one type and gives answers of another.
#[derive(Debug)]
pub struct WorkerProcess<R, A> {
    child: Child,
    /// The pipe is closed when all of them are written and this is dropped.
    requests: Option<Sender<R>>,
    answers: Receiver<A>,
    pub began: Instant,
}

impl<R: Display + Send + 'static, A: Line> WorkerProcess<R, A> {
    /// Starts this program as a worker process, with the options that it needs. `queue` is the name
    /// of the run in the store.
    pub fn start(options: &Options, target: &str, queue: &str) -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["--durable", target, "--worker-process", queue]);
        command.args(["--scenario", options.scenario.name()]);
        command.args(["--workers", &options.workers.to_string(), "--seed", &options.seed.to_string()]);
        if let Some(sabotage) = options.sabotage {
            command.args(["--sabotage", sabotage.name()]);
        }
        // Ctrl-C is for this process only.
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped());
        let began = Instant::now();
        let mut child = command.spawn()?;
        let (requests, asked) = channel();
        if let Some(pipe) = child.stdin.take() {
            thread::spawn(move || write(pipe, &asked));
        }
        let (sender, answers) = channel();
        if let Some(pipe) = child.stdout.take() {
            thread::spawn(move || read(pipe, &sender));
        }
        Ok(Self { child, requests: Some(requests), answers, began })
    }

    /// Asks the process. A request after [`close`](Self::close), or of a process that has ended, is
    /// dropped.
    pub fn ask(&self, request: R) {
        let _ = self.requests.as_ref().map(|requests| requests.send(request));
    }

    /// Tells the process that there are no more requests: it ends after its last answer.
    pub fn close(&mut self) {
        self.requests = None;
    }

    /// Waits for the next answer. The process has closed its pipe if the error is
    /// `Disconnected`.
    pub fn next(&self, timeout: Duration) -> Result<A, RecvTimeoutError> {
        self.answers.recv_timeout(timeout)
    }

    /// Kills the process with SIGKILL, and returns the answers that it had given before.
    pub fn kill(mut self) -> Vec<A> {
        // It fails if the process has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.close();
        self.answers.iter().collect()
    }

    /// Waits for the end of a process that ends by itself.
    pub fn wait(mut self) -> io::Result<ExitStatus> {
        self.close();
        self.child.wait()
    }
}

/// Writes the requests, and closes the pipe when there are no more.
fn write<R: Display>(pipe: ChildStdin, requests: &Receiver<R>) {
    let mut pipe = BufWriter::new(pipe);
    while let Ok(request) = requests.recv() {
        let more = std::iter::from_fn(|| requests.try_recv().ok());
        let written = std::iter::once(request).chain(more).try_for_each(|next| writeln!(pipe, "{next}"));
        // It fails if the process was killed.
        if written.and_then(|()| pipe.flush()).is_err() {
            return;
        }
    }
}

/// Reads answers. A line that was cut off by a kill is none.
fn read<A: Line>(pipe: impl io::Read, answers: &Sender<A>) {
    let mut pipe = BufReader::new(pipe);
    let mut line = String::new();
    while pipe.read_line(&mut line).is_ok_and(|read| read > 0) && line.ends_with('\n') {
        let answer = A::parse(line.trim_end_matches('\n'));
        if answer.is_some_and(|answer| answers.send(answer).is_err()) {
            return;
        }
        line.clear();
    }
}
