//! A child finds its supervisor, whatever that is, and neither keeps the other for ever.

use std::num::NonZeroUsize;
use std::sync::{Arc, OnceLock, Weak};

use perennial_actors::{Actor, Address, Context, ExitReason, Reply, System};
use perennial_supervision::pool::{JobContext, Pool, WeakPoolHandle, Worker, WorkerContext};
use perennial_supervision::{
    Child, ChildStart, DynamicHandle, DynamicSupervisor, PartitionSupervisor, Partitions, Restart,
    Supervised, Supervisor, SupervisorHandle, WeakPartitions,
};

enum Msg {
    /// Starts a sibling of this id.
    Beget(&'static str, Reply<Option<ChildStart>>),
    /// Replies with the number of children that its supervisor counts, itself included.
    Count(Reply<Option<usize>>),
    /// Keeps its supervisor in its state.
    Keep,
    Crash,
}

/// Asks its supervisor.
struct Kid {
    token: Arc<()>,
    kept: (Option<SupervisorHandle>, Option<DynamicHandle>),
}

impl Actor for Kid {
    type Msg = Msg;
    type Args = Arc<()>;

    async fn init(token: &Arc<()>, _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self { token: token.clone(), kept: (None, None) })
    }

    async fn handle(&mut self, msg: Msg, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        let (of_ids, of_pids) = (ctx.supervisor(), ctx.dynamic_supervisor());
        assert!(of_ids.is_none() || of_pids.is_none());
        match msg {
            Msg::Beget(id, reply) => {
                let child = kid(id, &self.token).restart(Restart::Temporary);
                let started = match (of_ids, of_pids) {
                    (Some(supervisor), _) => supervisor.start_child(child).await.ok(),
                    (None, Some(supervisor)) => supervisor.start_child(child).await.ok(),
                    (None, None) => None,
                };
                reply.send(started);
            }
            Msg::Count(reply) => reply.send(match (of_ids, of_pids) {
                (Some(supervisor), _) => supervisor.count_children().await.ok().map(|all| all.specs),
                (None, Some(supervisor)) => supervisor.count_children().await.ok().map(|all| all.specs),
                (None, None) => None,
            }),
            Msg::Keep => self.kept = (of_ids, of_pids),
            Msg::Crash => return Err(ExitReason::failed("on purpose")),
        }
        Ok(())
    }
}

fn kid(id: impl Into<Arc<str>>, token: &Arc<()>) -> Child<Msg> {
    Child::new::<Kid>(id, token.clone())
}

async fn count(address: &Address<Msg>) -> Option<usize> {
    address.call(Msg::Count).await.expect("it answers")
}

/// A value that all children share, by which the test sees that one is left.
fn token() -> (Arc<()>, Weak<()>) {
    let token = Arc::new(());
    let weak = Arc::downgrade(&token);
    (token, weak)
}

/// Lets everything else run, also what drops things.
async fn settle() {
    tokio::time::sleep(std::time::Duration::from_millis(1)).await;
}

#[tokio::test(start_paused = true)]
async fn a_child_starts_a_sibling_by_its_supervisor_and_all_of_it_is_freed_in_the_end() {
    let (token, left) = token();
    let elder = kid("elder", &token);
    let address = elder.address();
    let inner = Supervisor::new("inner").child(elder);
    let handle = inner.handle().downgrade();
    let app = Supervisor::new("app").child(inner).start(&System::new()).await.expect("it starts");
    let started = address.call(|reply| Msg::Beget("younger", reply)).await.expect("it answers");
    assert!(matches!(started, Some(ChildStart::Started(_))));
    assert_eq!(count(&address).await, Some(2));
    assert!(app.tree().at(["inner", "younger"]).is_some());
    // In its state it may keep a full handle, which goes with that.
    address.cast(Msg::Keep).expect("it is open");
    assert_eq!(count(&address).await, Some(2));
    let upgraded = handle.upgrade().expect("the tree is there");
    assert_eq!(upgraded.count_children().await.expect("it lives").specs, 2);
    drop(upgraded);
    assert!(app.shutdown().await.is_clean());
    drop((app, token, address));
    settle().await;
    assert!(handle.upgrade().is_none());
    assert!(left.upgrade().is_none());
}

#[tokio::test(start_paused = true)]
async fn its_supervisor_is_the_same_through_restarts_of_both() {
    let (token, _) = token();
    let child = kid("a", &token);
    let address = child.address();
    let inner = Supervisor::new("inner").child(child).child(kid("b", &token));
    let handle = inner.handle();
    let app = Supervisor::new("app").child(inner).start(&System::new()).await.expect("it starts");
    address.cast(Msg::Crash).expect("it is open");
    assert_eq!(count(&address).await, Some(2));
    let down = handle.handle().monitor();
    handle.handle().kill().expect("it lives");
    down.await;
    assert_eq!(count(&address).await, Some(2));
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn the_supervisor_of_a_child_may_be_a_dynamic_one() {
    let (token, left) = token();
    let sessions = DynamicSupervisor::new("sessions");
    let handle = sessions.handle().downgrade();
    let app = sessions.start(&System::new()).await.expect("it starts");
    let first = kid("session", &token);
    let address = first.address();
    app.supervisor().start_child(first).await.expect("it starts");
    let second = address.call(|reply| Msg::Beget("session", reply)).await.expect("it answers");
    assert!(matches!(second, Some(ChildStart::Started(_))));
    address.cast(Msg::Keep).expect("it is open");
    assert_eq!(count(&address).await, Some(2));
    assert!(handle.upgrade().is_some());
    assert!(app.shutdown().await.is_clean());
    drop((app, token, address));
    settle().await;
    assert!(handle.upgrade().is_none());
    assert!(left.upgrade().is_none());
}

/// A partition that finds its siblings by what its args lead to, without keeping them.
struct Part;

impl Actor for Part {
    type Msg = Reply<Option<usize>>;
    type Args = (Arc<OnceLock<WeakPartitions<Self::Msg>>>, Arc<()>);

    async fn init(_: &Self::Args, _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self)
    }

    async fn handle(&mut self, reply: Self::Msg, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        let supervisor = ctx.supervisor().ok_or(ExitReason::NoProcess)?;
        reply.send(supervisor.count_children().await.ok().map(|all| all.active));
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn the_supervisor_of_a_child_may_be_one_of_partitions() {
    let (token, left) = token();
    let kept: Arc<OnceLock<WeakPartitions<Reply<Option<usize>>>>> = Arc::default();
    let three = NonZeroUsize::new(3).expect("it is not zero");
    let tree = {
        let (kept, token) = (kept.clone(), token.clone());
        PartitionSupervisor::new("parts", three, move |number| {
            Child::new::<Part>(number.to_string(), (kept.clone(), token.clone()))
        })
    };
    kept.set(tree.handle().downgrade()).expect("it is empty");
    let app = tree.start(&System::new()).await.expect("it starts");
    let partitions: Partitions<_> = kept.get().and_then(WeakPartitions::upgrade).expect("it is there");
    let address = partitions.address(&1_u32).expect("there are three").clone();
    assert_eq!(address.call(|reply| reply).await.expect("it answers"), Some(3));
    drop((partitions, address));
    assert!(app.shutdown().await.is_clean());
    drop((app, token));
    settle().await;
    assert!(kept.get().and_then(WeakPartitions::upgrade).is_none());
    assert!(left.upgrade().is_none());
}

/// Splits a job in two and submits both halves to its own pool.
struct Splitter {
    pool: Arc<OnceLock<WeakPoolHandle<Self>>>,
    _token: Arc<()>,
}

impl Worker for Splitter {
    type Job = u32;
    type Output = u32;
    type Error = ExitReason;
    type Args = (Arc<OnceLock<WeakPoolHandle<Self>>>, Arc<()>);

    async fn init((pool, token): &Self::Args, _: &WorkerContext) -> Result<Self, ExitReason> {
        Ok(Self { pool: pool.clone(), _token: token.clone() })
    }

    async fn work(&mut self, job: &u32, _: &JobContext<'_>) -> Result<u32, ExitReason> {
        let pool = self.pool.get().and_then(WeakPoolHandle::upgrade).ok_or(ExitReason::NoProcess)?;
        if *job > 1 {
            for half in [job / 2, job - job / 2] {
                pool.submit(half).detach().await?;
            }
        }
        Ok(*job)
    }
}

#[tokio::test(start_paused = true)]
async fn a_worker_reaches_its_pool_without_keeping_it() {
    let (token, left) = token();
    let kept = Arc::default();
    let pool = Pool::<Splitter>::new("splitters", 2, (Arc::clone(&kept), token.clone()));
    let jobs = pool.handle();
    kept.set(jobs.downgrade()).expect("it is empty");
    let app = pool.start(&System::new()).await.expect("it starts");
    jobs.submit(8).detach().await.expect("it is open");
    jobs.drain().await;
    assert_eq!(jobs.stats().completed, 15);
    assert!(app.shutdown().await.is_clean());
    drop((app, jobs, token));
    settle().await;
    assert!(kept.get().and_then(WeakPoolHandle::upgrade).is_none());
    assert!(left.upgrade().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_task_finds_its_supervisor_too() {
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let task = Child::task("task", move |ctx| {
        let tell = tell.clone();
        async move {
            let supervisor = ctx.supervisor().ok_or(ExitReason::NoProcess)?;
            assert!(ctx.dynamic_supervisor().is_none());
            let counted = supervisor.count_children().await?;
            tell.send(counted.specs).map_err(ExitReason::failed)?;
            ctx.stopped().await;
            Ok(())
        }
    });
    let (token, _) = token();
    let tree = Supervisor::new("app").child(task).child(kid("a", &token));
    let app = tree.start(&System::new()).await.expect("it starts");
    assert_eq!(told.recv().await, Some(2));
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn an_actor_outside_a_tree_has_no_supervisor() {
    let (token, _) = token();
    let alone = System::new().spawn::<Kid>(token).await.expect("it starts");
    assert_eq!(count(&alone).await, None);
    let started = alone.call(|reply| Msg::Beget("a", reply)).await.expect("it answers");
    assert!(started.is_none());
}
