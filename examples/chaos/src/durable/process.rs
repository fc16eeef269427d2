//! A worker process and its pipes.

use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::super::options::Options;
use super::protocol::{Answer, Request};

/// A worker process that runs.
#[derive(Debug)]
pub struct WorkerProcess {
    child: Child,
    answers: Receiver<Answer>,
    /// The requests end when this is dropped.
    more_requests: Sender<()>,
    pub began: Instant,
}

impl WorkerProcess {
    /// Starts this program as a worker process, and asks it. If it is the last one, it ends by
    /// itself after the last answer.
    pub fn start(
        options: &Options,
        target: &str,
        queue: &str,
        requests: Vec<Request>,
        is_last: bool,
    ) -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["--durable", target, "--worker-process", queue]);
        command.args(["--workers", &options.workers.to_string()]);
        if let Some(sabotage) = options.sabotage {
            command.args(["--sabotage", sabotage.name()]);
        }
        // Ctrl-C is for this process only.
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped());
        let began = Instant::now();
        let mut child = command.spawn()?;
        let (more_requests, no_more) = channel();
        if let Some(pipe) = child.stdin.take() {
            thread::spawn(move || {
                write(pipe, &requests, || {
                    if !is_last {
                        // It ends with an error when the sender is dropped.
                        let _ = no_more.recv();
                    }
                });
            });
        }
        let (sender, answers) = channel();
        if let Some(pipe) = child.stdout.take() {
            thread::spawn(move || read(pipe, &sender));
        }
        Ok(Self { child, answers, more_requests, began })
    }

    /// Waits for the next answer. The process has closed its pipe if the error is
    /// `Disconnected`.
    pub fn next(&self, timeout: Duration) -> Result<Answer, RecvTimeoutError> {
        self.answers.recv_timeout(timeout)
    }

    /// Kills the process with SIGKILL, and returns the answers that it had given before.
    pub fn kill(mut self) -> Vec<Answer> {
        // It fails if the process has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
        drop(self.more_requests);
        self.answers.iter().collect()
    }

    /// Waits for the end of a process that ends by itself.
    pub fn wait(mut self) -> io::Result<ExitStatus> {
        drop(self.more_requests);
        self.child.wait()
    }
}

/// Writes the requests, and closes the pipe when `wait` returns.
fn write(pipe: ChildStdin, requests: &[Request], wait: impl FnOnce()) {
    let mut pipe = BufWriter::new(pipe);
    let written = requests.iter().try_for_each(|request| writeln!(pipe, "{request}"));
    // It fails if the process was killed.
    let _ = written.and_then(|()| pipe.flush());
    wait();
}

/// Reads answers. A line that was cut off by a kill is none.
fn read(pipe: impl io::Read, answers: &Sender<Answer>) {
    let mut pipe = BufReader::new(pipe);
    let mut line = String::new();
    while pipe.read_line(&mut line).is_ok_and(|read| read > 0) && line.ends_with('\n') {
        let answer = Answer::parse(line.trim_end_matches('\n'));
        if answer.is_some_and(|answer| answers.send(answer).is_err()) {
            return;
        }
        line.clear();
    }
}
