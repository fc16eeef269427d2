//! Pools with scripted jobs and children with scripted lives, and the times of what happened, for
//! the tests of `docs/PATTERN.md`. Time is paused in all of them, so the times are exact.

#![allow(dead_code, reason = "each test file uses a part of it")]
#![expect(unreachable_pub, reason = "it is a module of several test programs")]

use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use perennial::pool::{
    AttemptError, JobContext, JobError, JobHandle, Pool, PoolHandle, PoolSize, Worker, WorkerContext,
};
use perennial::prelude::*;
use perennial::{App, SupervisorHandle};
use tokio::time::{Instant, sleep};

pub const SECOND: Duration = Duration::from_secs(1);
pub const MINUTE: Duration = Duration::from_secs(60);

pub const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// What happened when, in milliseconds since the timeline was made.
#[derive(Clone)]
pub struct Timeline {
    began: Instant,
    events: Arc<Mutex<Vec<Event>>>,
}

/// What happened, and when.
pub type Event = (String, u64);

impl Timeline {
    pub fn new() -> Self {
        Self { began: Instant::now(), events: Arc::default() }
    }

    pub fn note(&self, what: impl Into<String>) {
        let at = self.began.elapsed().as_millis() as u64;
        self.events.lock().expect("not poisoned").push((what.into(), at));
    }

    /// Removes and returns what happened.
    pub fn take(&self) -> Vec<Event> {
        std::mem::take(&mut self.events.lock().expect("not poisoned"))
    }

    /// Like `take`, but returns the times between one event and the next.
    pub fn gaps(&self) -> Vec<u64> {
        self.take().windows(2).map(|pair| pair[1].1 - pair[0].1).collect()
    }

    /// Like `take`, but returns the times.
    pub fn times(&self) -> Vec<u64> {
        self.take().into_iter().map(|(_, at)| at).collect()
    }

    /// Like `take`, but returns what happened without the times.
    pub fn names(&self) -> Vec<String> {
        self.take().into_iter().map(|(what, _)| what).collect()
    }
}

/// What one attempt at a job does.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// Completes after this time.
    Work(Duration),
    Fail,
    Crash,
    /// Never ends.
    Hang,
}

/// A job: attempt n runs step n, and all attempts after the last step run the last step.
#[derive(Clone, Debug)]
pub struct Job(pub &'static str, pub Vec<Step>);

pub fn job(name: &'static str, steps: impl Into<Vec<Step>>) -> Job {
    Job(name, steps.into())
}

/// A job that completes at once.
pub fn quick(name: &'static str) -> Job {
    job(name, [Step::Work(Duration::ZERO)])
}

/// A worker that notes each attempt.
pub struct Scripted {
    timeline: Timeline,
    at: WorkerContext,
}

impl Worker for Scripted {
    type Job = Job;
    /// The number of the incarnation that completed the job.
    type Output = u32;
    type Error = &'static str;
    /// The timeline, and how long a worker takes to start.
    type Args = (Timeline, Duration);

    async fn init((timeline, time): &Self::Args, at: &WorkerContext) -> Result<Self, ExitReason> {
        sleep(*time).await;
        Ok(Self { timeline: timeline.clone(), at: at.clone() })
    }

    async fn work(&mut self, Job(name, steps): &Job, job: &JobContext<'_>) -> Result<u32, &'static str> {
        self.timeline.note(*name);
        let attempt = job.attempt() as usize - 1;
        match steps[attempt.min(steps.len() - 1)] {
            Step::Work(time) => sleep(time).await,
            Step::Fail => return Err("on purpose"),
            Step::Crash => panic!("on purpose"),
            Step::Hang => pending().await,
        }
        Ok(self.at.pid.incarnation())
    }
}

pub type ScriptedPool = Pool<Scripted>;
pub type Jobs = PoolHandle<Scripted>;

/// A running pool.
pub struct Running {
    pub app: App<SupervisorHandle>,
    pub jobs: Jobs,
    pub timeline: Timeline,
    pub system: System,
}

/// Starts a pool with these settings. Its timeline begins when its workers have started.
pub async fn start_pool(
    size: impl Into<PoolSize>,
    start_time: Duration,
    set: impl FnOnce(ScriptedPool) -> ScriptedPool,
) -> Running {
    let (system, timeline) = (System::new(), Timeline::new());
    let pool = set(Pool::new("pool", size, (timeline.clone(), start_time)));
    let jobs = pool.handle();
    let app = pool.start(&system).await.expect("the pool starts");
    Running { app, jobs, timeline, system }
}

impl Running {
    pub fn submit(&self, job: Job) -> JobHandle<Scripted> {
        self.jobs.submit(job).try_submit().expect("there is room")
    }

    /// Kills the worker of a slot.
    pub fn kill(&self, slot: usize) {
        let slot = slot.to_string();
        self.app.tree().at([slot.as_str()]).expect("it exists").handle.kill().expect("it runs");
    }

    /// Returns the incarnation of each worker, by slot.
    pub fn incarnations(&self, workers: usize) -> Vec<u32> {
        let tree = self.app.tree();
        let incarnation = |slot: usize| {
            tree.at([slot.to_string().as_str()])
                .expect("it exists")
                .handle
                .pid()
                .map_or(0, |pid| pid.incarnation())
        };
        (0..workers).map(incarnation).collect()
    }

    pub async fn close(self) {
        assert!(self.app.shutdown().await.is_clean());
    }
}

/// Returns a short description of the end of a job. A job that does not end fails the test.
pub async fn outcome(job: JobHandle<Scripted>) -> String {
    match tokio::time::timeout(24 * 60 * MINUTE, job).await.expect("the job ends") {
        Ok(incarnation) => format!("done by {incarnation}"),
        Err(JobError::Failed(failures)) => failures.iter().map(failure).collect::<Vec<_>>().join(", "),
        Err(JobError::Expired(_)) => "expired".to_owned(),
        Err(JobError::Cancelled(_)) => "cancelled".to_owned(),
        Err(JobError::Dropped(_)) => "dropped".to_owned(),
        Err(other) => format!("{other:?}"),
    }
}

fn failure(failure: &AttemptError<&'static str>) -> &'static str {
    match failure {
        AttemptError::Error(_) => "error",
        AttemptError::TimedOut => "timed out",
        AttemptError::WorkerEnded(ExitReason::Panicked(_)) => "panicked",
        AttemptError::WorkerEnded(ExitReason::Killed) => "killed",
        AttemptError::WorkerUnresponsive(_) => "unresponsive",
        _ => "other",
    }
}

/// What an incarnation of a service does.
#[derive(Clone, Debug)]
pub enum Life {
    /// Ends with this reason after this time.
    End(Duration, ExitReason),
    /// Runs until it is stopped.
    Run,
    /// Never becomes ready: its `init` does not return.
    NeverStarts,
    /// Hangs in its first message, which it sends itself.
    Hang,
    /// Hangs in a message after this time.
    HangAfter(Duration),
    /// Takes this long to stop.
    Stop(Duration),
    /// Never stops.
    NeverStops,
}

/// The messages of a service.
pub enum ServiceMsg {
    /// The probe.
    Ping(Reply<()>),
    Live,
}

/// A service that notes its starts and stops. Incarnation n lives life n, and all after the last
/// live the last.
pub struct Service {
    life: Life,
    args: ServiceArgs,
}

/// The name, the lives and the timeline of a service.
pub type ServiceArgs = (&'static str, Vec<Life>, Timeline);

impl Actor for Service {
    type Msg = ServiceMsg;
    type Args = ServiceArgs;

    async fn init(args: &ServiceArgs, ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        let (name, lives, timeline) = args;
        timeline.note(format!("start {name}"));
        let life = lives[(ctx.pid().incarnation() as usize - 1).min(lives.len() - 1)].clone();
        if matches!(life, Life::NeverStarts) {
            pending::<()>().await;
        }
        if let Life::End(time, _) | Life::HangAfter(time) = life {
            ctx.start_timer("live", time, ServiceMsg::Live);
        }
        if matches!(life, Life::Hang) {
            ctx.continue_with(ServiceMsg::Live);
        }
        Ok(Self { life, args: args.clone() })
    }

    async fn handle(&mut self, msg: ServiceMsg, _: &mut Context<Self>) -> Result<(), ExitReason> {
        match (msg, &self.life) {
            (ServiceMsg::Ping(reply), _) => reply.send(()),
            (ServiceMsg::Live, Life::End(_, reason)) => return Err(reason.clone()),
            (ServiceMsg::Live, _) => pending().await,
        }
        Ok(())
    }

    async fn terminate(&mut self, _: &ExitReason, _: &mut Context<Self>) {
        match self.life {
            Life::Stop(time) => sleep(time).await,
            Life::NeverStops => pending().await,
            _ => {}
        }
        self.args.2.note(format!("stop {}", self.args.0));
    }
}

pub fn service(name: &'static str, lives: impl Into<Vec<Life>>, timeline: &Timeline) -> Child<ServiceMsg> {
    Child::new::<Service>(name, (name, lives.into(), timeline.clone()))
}

pub fn failed() -> ExitReason {
    ExitReason::failed("on purpose")
}
