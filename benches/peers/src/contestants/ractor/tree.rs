//! Dynamic supervisors of ractor-supervisor, which restart one child at a time, each after 10 ms.
//!
//! Every worker has a name, because the supervisors find their children by name.

use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use ractor_supervisor::dynamic::{DynamicSupervisor, DynamicSupervisorMsg, DynamicSupervisorOptions};
use ractor_supervisor::{ChildSpec, Restart, SpawnFn};
use tokio::task::JoinHandle;

use crate::work::{Life, TOLERATED, Tally, Tree, WITHIN};

pub(super) enum Msg {
    Step,
    Crash,
}

struct Runner;

impl Actor for Runner {
    type Msg = Msg;
    type State = Life;
    type Arguments = Arc<Tally>;

    async fn pre_start(&self, _: ActorRef<Msg>, tally: Arc<Tally>) -> Result<Life, ActorProcessingErr> {
        Ok(Life::begin(tally))
    }

    async fn handle(&self, _: ActorRef<Msg>, msg: Msg, life: &mut Life) -> Result<(), ActorProcessingErr> {
        match msg {
            Msg::Step => life.step(),
            Msg::Crash => return Err("on purpose".into()),
        }
        Ok(())
    }
}

/// The supervisors.
pub(super) struct RactorTree {
    supervisors: Vec<(ActorRef<DynamicSupervisorMsg>, JoinHandle<()>)>,
    tally: Arc<Tally>,
}

impl Tree for RactorTree {
    type Worker = ActorRef<Msg>;

    async fn start(supervisors: u64, tally: Arc<Tally>) -> Result<Self> {
        let mut started = Vec::new();
        for place in 0..supervisors {
            let options = DynamicSupervisorOptions {
                max_children: None,
                max_restarts: usize::try_from(TOLERATED)?,
                max_window: WITHIN,
                reset_after: None,
            };
            let supervisor = DynamicSupervisor::spawn(format!("workers {place}"), options).await;
            started.push(supervisor.context("the supervisor did not start")?);
        }
        Ok(Self { supervisors: started, tally })
    }

    async fn start_workers(&self, supervisor: u64, count: u64) -> Result<Vec<ActorRef<Msg>>> {
        let (parent, _) = &self.supervisors[usize::try_from(supervisor)?];
        let mut started = Vec::with_capacity(usize::try_from(count)?);
        for place in 0..count {
            let id = format!("worker {supervisor}/{place}");
            let tally = self.tally.clone();
            let spawn = move |parent, id| {
                let tally = tally.clone();
                async move { Ok(DynamicSupervisor::spawn_linked(id, Runner, tally, parent).await?.0.get_cell()) }
            };
            let child = ChildSpec {
                id: id.clone(),
                // A worker that is stopped is not restarted.
                restart: Restart::Transient,
                spawn_fn: SpawnFn::new(spawn),
                backoff_fn: None,
                reset_after: None,
            };
            let result = DynamicSupervisor::spawn_child(parent.clone(), child).await;
            result.map_err(|failed| anyhow!("{failed}"))?;
            started.push(ActorRef::where_is(id).context("no actor has the name")?);
        }
        Ok(started)
    }

    fn cast<'a>(mut workers: impl Iterator<Item = &'a ActorRef<Msg>>) -> Result<()> {
        workers
            .try_for_each(|worker| ractor::cast!(worker, Msg::Step))
            .map_err(|refused| anyhow!("{refused}"))
    }

    fn crash<'a>(mut workers: impl Iterator<Item = &'a ActorRef<Msg>>) -> Result<()> {
        workers
            .try_for_each(|worker| ractor::cast!(worker, Msg::Crash))
            .map_err(|refused| anyhow!("{refused}"))
    }

    async fn stop(self, _: Vec<ActorRef<Msg>>) -> Result<()> {
        for (supervisor, end) in self.supervisors {
            supervisor.stop_children_and_wait(None, None).await;
            supervisor.stop(None);
            end.await.context("the supervisor panicked")?;
        }
        Ok(())
    }
}
