//! Monitors: one notification that an actor has ended, with the reason; for actors and for plain
//! code.
//!
//! ```text
//! cargo run --release --example monitors
//! ```

#[macro_use]
#[path = "support/output.rs"]
mod output;

use std::collections::HashMap;
use std::error::Error;

use perennial::{Actor, Address, Context, ExitReason, MonitorId, Reply, Signal, System};

/// Does a job, which succeeds or fails.
struct Worker;

enum Job {
    Finish,
    Panic,
}

impl Actor for Worker {
    type Msg = Job;
    type Args = ();

    async fn init(_: &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self)
    }

    async fn handle(&mut self, job: Job, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        match job {
            Job::Finish => ctx.stop(ExitReason::Normal),
            Job::Panic => panic!("a bug"),
        }
        Ok(())
    }
}

/// The name of a worker and the reason of its end.
type Ends = Vec<(&'static str, ExitReason)>;

/// Monitors workers and records how they ended.
struct Observer {
    watched: HashMap<MonitorId, &'static str>,
    ended: Ends,
    waiting: Option<(usize, Reply<Ends>)>,
}

enum Ask {
    Watch(&'static str, Address<Job>, Reply<()>),
    /// Answered when this number of workers has ended.
    Ended(usize, Reply<Ends>),
}

impl Actor for Observer {
    type Msg = Ask;
    type Args = ();

    async fn init(_: &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self { watched: HashMap::new(), ended: Vec::new(), waiting: None })
    }

    async fn handle(&mut self, ask: Ask, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        match ask {
            Ask::Watch(name, worker, done) => {
                self.watched.insert(ctx.monitor(&worker.handle()), name);
                done.send(());
            }
            Ask::Ended(count, reply) => self.waiting = Some((count, reply)),
        }
        self.answer();
        Ok(())
    }

    async fn signal(&mut self, signal: Signal, _: &mut Context<Self>) -> Result<(), ExitReason> {
        if let Signal::Down { monitor, down } = signal {
            let name = self.watched.remove(&monitor).unwrap_or("a stranger");
            self.ended.push((name, down.reason));
        }
        self.answer();
        Ok(())
    }
}

impl Observer {
    fn answer(&mut self) {
        if let Some((_, reply)) = self.waiting.take_if(|(count, _)| *count <= self.ended.len()) {
            reply.send(self.ended.clone());
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let system = System::new();
    let observer = system.spawn::<Observer>(()).await?;

    // In plain code a monitor is a future. This one exists before the actor runs.
    let (good, good_down) = system.spawn::<Worker>(()).label("good").detach_monitored()?;
    let (bad, bad_down) = system.spawn::<Worker>(()).label("bad").detach_monitored()?;
    observer.call(|done| Ask::Watch("good", good.clone(), done)).await?;
    observer.call(|done| Ask::Watch("bad", bad.clone(), done)).await?;

    good.cast(Job::Finish)?;
    assert!(matches!(good_down.await.reason, ExitReason::Normal));
    bad.cast(Job::Panic)?;
    assert!(matches!(bad_down.await.reason, ExitReason::Panicked(_)));

    // Monitors are told one after the other: the observer may learn of an end later than this task.
    observer.call(|reply| Ask::Ended(2, reply)).await?;

    // A monitor always resolves, also if the actor ended long ago.
    observer.call(|done| Ask::Watch("late", good.clone(), done)).await?;

    let ended = observer.call(|reply| Ask::Ended(3, reply)).await?;
    for (name, reason) in &ended {
        print_line!("{name}: {reason}");
    }
    let names: Vec<_> = ended.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["good", "bad", "late"]);
    assert!(matches!(ended[2].1, ExitReason::NoProcess));
    Ok(())
}
