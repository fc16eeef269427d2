//! The attack: carries a plan out, and waits for everybody it has struck to come back.

use std::slice;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use perennial::{ActorHandle, App, SupervisionStats, SupervisorHandle, System};
use tokio::task::JoinSet;
use tokio::time;

use super::journal::Journal;
use super::plan::{Blow, Plan, Victim, Way};
use super::recovery::{Aftermath, Faults};
use super::target::Target;
use super::tree::Layout;

/// Whoever has not begun for so long is taken for gone.
const PATIENCE: Duration = Duration::from_secs(30);

/// An attack on a tree.
pub struct Injector {
    pub system: System,
    pub app: App<SupervisorHandle>,
    pub layout: Arc<Layout>,
    pub journal: Arc<Journal>,
    pub min_faults: u64,
    /// How many faults took effect, for the progress line.
    pub count: Arc<AtomicU64>,
}

/// What an attack has done.
#[derive(Debug, Default)]
pub struct Damage {
    pub faults: Faults,
    pub times: Vec<Duration>,
    /// Who did not come back.
    pub lost: Vec<String>,
}

type Blows = JoinSet<Option<Aftermath>>;

/// Those who share a trap.
type Group = fn(&Layout) -> &[Target];

impl Injector {
    /// Attacks until the work is done, the minimum reached and somebody has given up; or until somebody does not come back.
    pub async fn attack(self, plan: Plan) -> Damage {
        let (mut damage, mut blows) = (Damage::default(), Blows::new());
        for step in plan {
            self.wait(step.after, &mut damage, &mut blows).await;
            if !damage.lost.is_empty() || self.is_enough(&damage) {
                break;
            }
            match step.blow {
                Blow::Strike(victim, way) => self.strike(victim, way, &mut blows),
                Blow::NextFile(way) => self.set_trap(|all| &all.hashers, way, &mut blows),
                Blow::Wear => self.wear(&mut damage, &mut blows).await,
            }
        }
        // What nobody has stepped into, perhaps because nobody is there any more, did not take effect.
        self.layout.targets().for_each(|target| target.rig.trap.disarm());
        while let Some(aftermath) = blows.join_next().await.map(|blow| blow.ok().flatten()) {
            self.note(aftermath, &mut damage);
        }
        damage
    }

    fn is_enough(&self, damage: &Damage) -> bool {
        self.journal.is_complete() && damage.faults.total >= self.min_faults && self.escalations() > 0
    }

    fn escalations(&self) -> u64 {
        SupervisionStats::of(&self.system).escalations
    }

    /// Lets time pass, and notes who is back. Returns at once when all is done and enough is enough.
    async fn wait(&self, gap: Duration, damage: &mut Damage, blows: &mut Blows) {
        let over = time::sleep(gap);
        tokio::pin!(over);
        loop {
            let done = damage.faults.total >= self.min_faults && self.escalations() > 0;
            tokio::select! {
                () = &mut over => return,
                () = self.journal.completed(), if done => return,
                Some(blow) = blows.join_next() => self.note(blow.ok().flatten(), damage),
            }
            if !damage.lost.is_empty() {
                return;
            }
        }
    }

    fn note(&self, aftermath: Option<Aftermath>, damage: &mut Damage) {
        let Some(Aftermath { way, victim, back }) = aftermath else { return };
        damage.faults.count(way);
        self.count.store(damage.faults.total, Ordering::Relaxed);
        match back {
            Ok(time) => damage.times.push(time),
            Err(why) => damage.lost.push(format!("{victim} did not come back: {why}")),
        }
    }

    fn strike(&self, victim: Victim, way: Way, blows: &mut Blows) {
        match victim {
            Victim::Hasher(number) => self.strike_one_of(|all| &all.hashers, number, way, blows),
            Victim::Collector => self.strike_one_of(|all| slice::from_ref(&all.collector), 0, way, blows),
            Victim::Walker => self.strike_one_of(|all| slice::from_ref(&all.walker), 0, way, blows),
            Victim::Pool => self.kill_supervisor(&["indexing", "hashers"], |all| &all.hashers[0], blows),
            Victim::Indexing => self.kill_supervisor(&["indexing"], |all| &all.walker, blows),
        }
    }

    /// Lets one crash of those who share a trap.
    fn strike_one_of(&self, them: Group, number: usize, way: Way, blows: &mut Blows) {
        if way == Way::Kill {
            let layout = self.layout.clone();
            blows.spawn(async move {
                let victim = &them(&layout)[number];
                let handle = victim.handle()?;
                kill(&handle, victim, victim.name.clone()).await
            });
        } else {
            self.set_trap(them, way, blows);
            // Also if another trap is there already: nobody may have come by.
            them(&self.layout)[number].poke();
        }
    }

    /// Kills a supervisor. It is back when a worker below it is.
    fn kill_supervisor(&self, path: &[&str], worker: fn(&Layout) -> &Target, blows: &mut Blows) {
        let tree = self.app.tree();
        let Some(supervisor) = tree.at(path.iter().copied()) else { return };
        let (name, handle) = (supervisor.id.to_string(), supervisor.handle.clone());
        let layout = self.layout.clone();
        blows.spawn(async move { kill(&handle, worker(&layout), name).await });
    }

    /// Sets a trap, for whoever comes by first.
    fn set_trap(&self, them: Group, way: Way, blows: &mut Blows) {
        if !them(&self.layout)[0].rig.trap.arm(way) {
            return;
        }
        let layout = self.layout.clone();
        blows.spawn(async move {
            let them = them(&layout);
            let crash = them[0].rig.trap.sprung().await?;
            let victim = &them[crash.number];
            Some(wait_for(victim, victim.name.clone(), way, crash.incarnation, crash.at).await)
        });
    }

    /// Lets the hashers crash faster than their supervisor tolerates, until that gives up.
    async fn wear(&self, damage: &mut Damage, blows: &mut Blows) {
        let before = self.escalations();
        while self.escalations() == before && damage.lost.is_empty() {
            for hasher in 0..self.layout.hashers.len() {
                self.strike(Victim::Hasher(hasher), Way::Kill, blows);
            }
            while let Some(blow) = blows.try_join_next() {
                self.note(blow.ok().flatten(), damage);
            }
            if let Ok(Some(blow)) = time::timeout(Duration::from_millis(20), blows.join_next()).await {
                self.note(blow.ok().flatten(), damage);
            }
        }
    }
}

/// Kills somebody, unless the worker by whom it is known to be back has not come back from the time before.
async fn kill(who: &ActorHandle, worker: &Target, victim: String) -> Option<Aftermath> {
    if !worker.engage() {
        return None;
    }
    let before = worker.handle().and_then(|worker| worker.pid());
    let at = Instant::now();
    let aftermath = match before.filter(|_| who.kill().is_ok()) {
        Some(pid) => Some(wait_for(worker, victim, Way::Kill, pid.incarnation(), at).await),
        None => None,
    };
    worker.release();
    aftermath
}

/// Waits until a worker has begun in an incarnation after the one that crashed.
async fn wait_for(worker: &Target, victim: String, way: Way, crashed: u32, at: Instant) -> Aftermath {
    let back = match time::timeout(PATIENCE, worker.back_after(crashed)).await {
        Ok(back) => back.map(|()| at.elapsed()),
        Err(_) => Err(format!("it has not begun within {} s", PATIENCE.as_secs())),
    };
    Aftermath { way, victim, back }
}
