//! Dynamic supervisors of perennial below an ordinary one, with the default mailbox.

use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow, ensure};
use perennial::{
    Actor, Address, App, Child, ChildFactory, Context, DynamicSupervisor, ExitReason, Supervisor,
    SupervisorHandle, System,
};

use crate::work::{Life, TOLERATED, Tally, Tree, WITHIN};

pub(super) enum Msg {
    Step,
    Crash,
}

struct Runner(Life);

impl Actor for Runner {
    type Msg = Msg;
    type Args = Arc<Tally>;

    async fn init(tally: &Arc<Tally>, _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self(Life::begin(tally.clone())))
    }

    async fn handle(&mut self, msg: Msg, _: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Step => self.0.step(),
            Msg::Crash => return Err("on purpose".into()),
        }
        Ok(())
    }
}

/// A running tree.
pub(super) struct PerennialTree {
    app: App<SupervisorHandle>,
    workers: Vec<ChildFactory<Arc<Tally>, Msg>>,
    tally: Arc<Tally>,
}

impl Tree for PerennialTree {
    type Worker = Address<Msg>;

    async fn start(supervisors: u64, tally: Arc<Tally>) -> Result<Self> {
        let mut tree = Supervisor::new("app");
        let mut workers = Vec::new();
        for place in 0..supervisors {
            let supervisor = DynamicSupervisor::new(format!("workers {place}")).intensity(TOLERATED, WITHIN);
            workers.push(supervisor.handle().template(|tally| Child::new::<Runner>("worker", tally)));
            tree = tree.child(supervisor);
        }
        let app = tree.start(&System::new()).await.context("the tree did not start")?;
        Ok(Self { app, workers, tally })
    }

    async fn start_workers(&self, supervisor: u64, count: u64) -> Result<Vec<Address<Msg>>> {
        let workers = &self.workers[usize::try_from(supervisor)?];
        let mut started = Vec::with_capacity(usize::try_from(count)?);
        for _ in 0..count {
            let worker = workers.start_child(self.tally.clone()).await;
            started.push(worker.map_err(|failed| anyhow!("{failed}"))?);
        }
        Ok(started)
    }

    fn cast<'a>(mut workers: impl Iterator<Item = &'a Address<Msg>>) -> Result<()> {
        workers.try_for_each(|worker| worker.cast(Msg::Step)).map_err(|refused| anyhow!("{refused}"))
    }

    fn crash<'a>(mut workers: impl Iterator<Item = &'a Address<Msg>>) -> Result<()> {
        workers.try_for_each(|worker| worker.cast(Msg::Crash)).map_err(|refused| anyhow!("{refused}"))
    }

    async fn stop(self, _: Vec<Address<Msg>>) -> Result<()> {
        ensure!(self.app.shutdown().await.is_clean(), "a child did not stop in time");
        Ok(())
    }
}
