//! The attack: carries a plan out, and waits for everybody it has struck to come back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use perennial::{App, SupervisorHandle, System, Totals};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time;

use super::journal::Journal;
use super::plan::{Blow, Plan, Victim, Way};
use super::recovery::{Aftermath, Faults};
use super::target::Target;
use super::tree::Layout;

/// Whoever does not answer for so long is taken for gone.
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
    /// Who waits for a file to spring its trap.
    pub trapper: Option<AbortHandle>,
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

impl Injector {
    /// Attacks until the work is done, the minimum reached and somebody has given up; or until somebody does not come back.
    pub async fn attack(mut self, plan: Plan) -> Damage {
        let (mut damage, mut blows) = (Damage::default(), Blows::new());
        for step in plan {
            self.wait(step.after, &mut damage, &mut blows).await;
            if !damage.lost.is_empty() || self.is_enough(&damage) {
                break;
            }
            match step.blow {
                Blow::Strike(victim, way) => self.strike(victim, way, &mut blows),
                Blow::NextFile(way) => self.trap_next_file(way, &mut blows),
                Blow::Wear(crew) => self.wear(crew, &mut damage, &mut blows).await,
            }
        }
        // No file will spring a trap any more if all are done, or nobody is there to do them: it did not take effect.
        if self.layout.next_file.disarm() {
            self.trapper.take().inspect(AbortHandle::abort);
        }
        while let Some(aftermath) = blows.join_next().await.map(|blow| blow.ok().flatten()) {
            self.note(aftermath, &mut damage);
        }
        damage
    }

    fn is_enough(&self, damage: &Damage) -> bool {
        self.journal.is_complete() && damage.faults.total >= self.min_faults && self.escalations() > 0
    }

    fn escalations(&self) -> u64 {
        Totals::of(&self.system).escalations
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
        let layout = self.layout.clone();
        match victim {
            Victim::Hasher(number) => {
                drop(blows.spawn(strike_worker(layout, move |all| &all.hashers[number], way)))
            }
            Victim::Dispatcher => drop(blows.spawn(strike_worker(layout, |all| &all.dispatcher, way))),
            Victim::Collector => drop(blows.spawn(strike_worker(layout, |all| &all.collector, way))),
            Victim::Walker => drop(blows.spawn(strike_worker(layout, |all| &all.walker, way))),
            Victim::Crew(crew) => {
                self.kill_supervisor(format!("crews/crew-{crew}"), move |all| &all.hashers[crew], blows)
            }
            Victim::Crews => self.kill_supervisor("crews".to_owned(), |all| &all.hashers[0], blows),
            Victim::Intake => self.kill_supervisor("intake".to_owned(), |all| &all.dispatcher, blows),
        }
    }

    /// Kills a supervisor. It is back when a worker below it is.
    fn kill_supervisor(
        &self,
        path: String,
        worker: impl Fn(&Layout) -> &Target + Send + 'static,
        blows: &mut Blows,
    ) {
        let Some(supervisor) = self.app.tree().at(path.split('/')).map(|node| node.handle.clone()) else {
            return;
        };
        let layout = self.layout.clone();
        blows.spawn(async move {
            let worker = worker(&layout);
            let before = worker.pid().filter(|_| worker.engage())?;
            let at = Instant::now();
            if supervisor.kill().is_err() {
                worker.release();
                return None;
            }
            Some(wait_for(worker, path, Way::Kill, before.incarnation(), at).await)
        });
    }

    fn trap_next_file(&mut self, way: Way, blows: &mut Blows) {
        let layout = self.layout.clone();
        if !layout.next_file.arm(way) {
            return;
        }
        let trapper = blows.spawn(async move {
            let crash = layout.next_file.sprung().await;
            let Some(hasher) = layout.hashers.iter().find(|hasher| hasher.is(&crash.victim)) else {
                let back = Err("its name leads nowhere".to_owned());
                return Some(Aftermath { way, victim: "the hasher of the first file".to_owned(), back });
            };
            let name = hasher.name.clone();
            Some(wait_for(hasher, name, way, crash.pid.incarnation(), crash.at).await)
        });
        self.trapper = Some(trapper);
    }

    /// Lets a crew crash faster than its supervisor tolerates, until that gives up.
    async fn wear(&self, crew: usize, damage: &mut Damage, blows: &mut Blows) {
        let before = self.escalations();
        while self.escalations() == before && damage.lost.is_empty() {
            for hasher in self.layout.crew(crew) {
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

/// Lets a worker crash, unless it has not come back from the time before.
async fn strike_worker(
    layout: Arc<Layout>,
    worker: impl Fn(&Layout) -> &Target,
    way: Way,
) -> Option<Aftermath> {
    let worker = worker(&layout);
    if !worker.engage() {
        return None;
    }
    let crash = match way {
        Way::Kill => worker.pid().map(|pid| (pid, Instant::now())).filter(|_| worker.kill()),
        Way::Panic | Way::Error => spring(worker, way).await,
    };
    match crash {
        Some((pid, at)) => Some(wait_for(worker, worker.name.clone(), way, pid.incarnation(), at).await),
        None => {
            worker.release();
            None
        }
    }
}

/// Arms a worker's trap and waits until it steps into it.
async fn spring(worker: &Target, way: Way) -> Option<(perennial::Pid, Instant)> {
    if !worker.trap.arm(way) {
        return None;
    }
    worker.poke();
    match time::timeout(PATIENCE, worker.trap.sprung()).await {
        Ok(crash) => Some((crash.pid, crash.at)),
        Err(_) => {
            worker.trap.disarm();
            None
        }
    }
}

/// Waits until a worker answers in an incarnation after the one that crashed.
async fn wait_for(worker: &Target, victim: String, way: Way, crashed: u32, at: Instant) -> Aftermath {
    let back = match time::timeout(PATIENCE, worker.back_after(crashed)).await {
        Ok(back) => back.map(|()| at.elapsed()),
        Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
    };
    worker.release();
    Aftermath { way, victim, back }
}
