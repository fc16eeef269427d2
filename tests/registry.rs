//! The registry with supervision: names in a tree that crashes, backs off and restarts.

use std::time::Duration;

use perennial::prelude::*;
use perennial::{
    App, Backoff, CallError, LookupError, NamedCallError, NamedCastError, Registry, SendError,
    SupervisorHandle, Unsent, WaitError,
};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

const NAME: Name<Msg> = Name::new("name");

/// The same name with another message type.
const WRONG: Name<u64> = Name::new("name");

const MILLI: Duration = Duration::from_millis(1);

enum Msg {
    Crash,
    Identify(Reply<(u64, u32)>),
    /// Runs until the other end is dropped.
    Hold(oneshot::Receiver<()>),
}

struct Worker;

impl Actor for Worker {
    type Msg = Msg;
    type Args = ();

    async fn init((): &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self)
    }

    async fn handle(&mut self, msg: Msg, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Crash => return Err(ExitReason::failed("on purpose")),
            Msg::Identify(reply) => reply.send((ctx.pid().identity(), ctx.pid().incarnation())),
            Msg::Hold(until) => drop(until.await),
        }
        Ok(())
    }
}

fn worker(id: &'static str) -> Child<Msg> {
    Child::new::<Worker>(id, ())
}

/// Starts a tree with these children that tolerates any number of crashes.
async fn start<const N: usize>(system: &System, children: [Child<Msg>; N]) -> App<SupervisorHandle> {
    let tree = Supervisor::new("app").intensity(1_000_000, Duration::from_secs(1)).children(children);
    tree.start(system).await.expect("the tree starts")
}

/// Crashes the actor and waits until its next incarnation replies.
async fn crash(actor: &Address<Msg>) -> (u64, u32) {
    actor.cast(Msg::Crash).expect("the mailbox is open");
    actor.call(Msg::Identify).await.expect("the next incarnation replies")
}

/// Returns the reason and the delay of the pending restart, once the supervisor has published them.
async fn pending_restart(system: &System) -> (ExitReason, Duration) {
    for _ in 0..1_000 {
        let found = system.whereis_alive(NAME);
        if let Err(LookupError::Restarting { name, reason: Some(reason), retry_in: Some(time) }) = found {
            assert_eq!(name, "name");
            return (reason, time);
        }
        tokio::task::yield_now().await;
    }
    panic!("the supervisor published no restart");
}

#[tokio::test(start_paused = true)]
async fn name_queues_during_a_backoff_and_whereis_alive_reports_the_reason_and_the_delay() {
    let system = System::new();
    let backoff = Backoff::new(100 * MILLI, 10_000 * MILLI);
    let app = start(&system, [worker("a").named(NAME).backoff(backoff)]).await;
    let worker = system.whereis_alive(NAME).expect("an incarnation runs");
    for (incarnation, delay) in [(2, 100 * MILLI), (3, 200 * MILLI), (4, 400 * MILLI)] {
        worker.cast(Msg::Crash).expect("the mailbox is open");
        let (reason, retry_in) = pending_restart(&system).await;
        assert_eq!((reason.to_string().contains("on purpose"), retry_in), (true, delay));
        assert_eq!(system.whereis(NAME).ok().as_ref(), Some(&worker), "a lookup finds the pending actor");
        tokio::time::sleep(delay / 4).await;
        assert_eq!(pending_restart(&system).await.1, delay * 3 / 4, "the delay is counted from now");
        let begun = Instant::now();
        let (_, answered_by) = system.call_to(NAME, Msg::Identify).await.expect("the call is queued");
        assert_eq!((answered_by, begun.elapsed()), (incarnation, delay * 3 / 4));
        assert_eq!(system.whereis_alive(NAME).ok().as_ref(), Some(&worker));
    }
    assert!(app.shutdown().await.is_clean());
    assert!(matches!(system.whereis_alive(NAME), Err(LookupError::NotFound(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn name_handed_over_between_crashing_children_is_found_at_every_moment() {
    const LOOKUPS: usize = 200_000;
    let system = System::new();
    let (one, other) = (worker("one").named(NAME), worker("other"));
    let both = [one.address(), other.address()];
    let app = start(&system, [one, other]).await;
    let lookups = std::thread::spawn({
        let (system, both) = (system.clone(), both.clone());
        move || {
            (0..LOOKUPS).filter(|_| !system.whereis(NAME).is_ok_and(|found| both.contains(&found))).count()
        }
    });
    let registry = Registry::of(&system);
    let mut rounds = 0;
    while rounds < 10 || !lookups.is_finished() {
        // The actor may be between two incarnations meanwhile.
        let target = &both[rounds % 2];
        target.cast(Msg::Crash).expect("the mailbox is open");
        for turn in 0..1_000 {
            registry
                .hand_over(NAME, &both[turn % 2], &both[(turn + 1) % 2])
                .expect("the caller owns the name");
        }
        target.call(Msg::Identify).await.expect("the next incarnation replies");
        rounds += 1;
    }
    assert_eq!(lookups.join().expect("the task succeeds"), 0, "misses of {LOOKUPS} lookups");
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn handed_over_name_is_not_taken_back_by_a_restart_of_the_child_or_its_supervisor() {
    let system = System::new();
    let registry = Registry::of(&system);
    let (old, new) = (worker("old").named(NAME), worker("new"));
    let (old_address, new_address) = (old.address(), new.address());
    let inner = Supervisor::new("inner").intensity(0, Duration::from_secs(1)).child(old);
    let outer = Supervisor::new("app").intensity(1_000, Duration::from_secs(1));
    let app = outer.child(inner).child(new).start(&system).await.expect("the tree starts");
    registry.hand_over(NAME, &old_address, &new_address).expect("the caller owns the name");
    // The supervisor exceeds its intensity at the first crash, and is restarted.
    for incarnation in 2..5 {
        assert_eq!(crash(&old_address).await.1, incarnation);
        assert_eq!(system.whereis(NAME).ok().as_ref(), Some(&new_address));
        assert!(old_address.handle().info().names.is_empty());
    }
    crash(&new_address).await;
    assert_eq!(system.whereis(NAME).ok().as_ref(), Some(&new_address), "it is bound to the identity");
    assert!(app.shutdown().await.is_clean());
    assert!(registry.names().is_empty());
}

/// A child that is restarted by request, or with its supervisor, is opened anew. It does not get a
/// handed-over name back, as after a crash.
#[tokio::test(start_paused = true)]
async fn child_that_handed_its_name_over_restarts_without_it_and_gets_it_back_once_free() {
    let system = System::new();
    let registry = Registry::of(&system);
    let (old, new, last) = (worker("old").named(NAME), worker("new"), worker("last"));
    let [old_address, new_address, last_address] = [&old, &new, &last].map(Child::address);
    let inner_spec = Supervisor::new("inner").child(old);
    let inner = inner_spec.handle();
    let tree = Supervisor::new("app").child(inner_spec).child(new).child(last);
    let app = tree.start(&system).await.expect("the tree starts");
    registry.hand_over(NAME, &old_address, &new_address).expect("the caller owns the name");
    for holder in [&new_address, &last_address] {
        inner.terminate_child("old").await.expect("the child runs");
        inner.restart_child("old").await.expect("it starts without its name");
        assert!(
            old_address.call(Msg::Identify).await.is_ok() && old_address.handle().info().names.is_empty()
        );
        assert_eq!(system.whereis(NAME).ok().as_ref(), Some(holder));
        // The name is handed over again. It still counts as handed over by the first child.
        if *holder == new_address {
            registry.hand_over(NAME, &new_address, &last_address).expect("the caller owns the name");
        }
    }
    app.supervisor().terminate_child("inner").await.expect("the child runs");
    app.supervisor().restart_child("inner").await.expect("its child starts without its name");
    assert_eq!(system.whereis(NAME).ok().as_ref(), Some(&last_address));
    app.supervisor().terminate_child("last").await.expect("the child runs");
    assert!(matches!(system.whereis(NAME), Err(LookupError::NotFound(_))));
    inner.terminate_child("old").await.expect("the child runs");
    inner.restart_child("old").await.expect("the name is free");
    assert_eq!(system.whereis(NAME).ok().as_ref(), Some(&old_address));
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_child_whose_name_was_taken_by_another_does_not_start_without_it() {
    let system = System::new();
    let registry = Registry::of(&system);
    let (child, new_owner, other) = (worker("child").named(NAME), worker("new_owner"), worker("other"));
    let [child_address, new_owner_address, other_address] = [&child, &new_owner, &other].map(Child::address);
    let app = start(&system, [child, new_owner, other]).await;
    registry.hand_over(NAME, &child_address, &new_owner_address).expect("the caller owns the name");
    // The new owner has unbound the name, and a third actor has bound it.
    assert!(registry.unbind(NAME, &new_owner_address));
    registry.bind(NAME, &other_address).expect("the name is free");
    app.supervisor().terminate_child("child").await.expect("the child runs");
    assert!(app.supervisor().restart_child("child").await.is_err(), "its name is taken");
    assert!(registry.unbind(NAME, &other_address));
    app.supervisor().restart_child("child").await.expect("its name is free");
    assert_eq!(system.whereis(NAME).ok(), Some(child_address));
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn unbind_works_for_the_owner_only_and_lasts_across_restarts() {
    let system = System::new();
    let registry = Registry::of(&system);
    let (child, other) = (worker("a").named(NAME), worker("b"));
    let (owner, other_address) = (child.address(), other.address());
    let app = start(&system, [child, other]).await;
    assert!(!registry.unbind(NAME, &other_address));
    assert!(!registry.unbind(Name::<Msg>::new("another"), &owner));
    crash(&owner).await;
    assert_eq!(system.whereis(NAME).ok().as_ref(), Some(&owner), "a child keeps its name");
    assert!(registry.unbind(NAME, &owner));
    crash(&owner).await;
    assert!(matches!(system.whereis(NAME), Err(LookupError::NotFound(_))));
    registry.bind(NAME, &other_address).expect("the name is free");
    app.supervisor().terminate_child("a").await.expect("it exists");
    assert_eq!(system.whereis(NAME).ok(), Some(other_address), "it was unbound before");
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn wait_for_the_name_of_a_child_resolves_when_its_tree_starts_or_at_the_deadline() {
    let system = System::new();
    let begun = Instant::now();
    let late = system.wait_for(NAME, 5_000 * MILLI).await;
    assert_eq!((late, begun.elapsed()), (Err(WaitError::TimedOut("name".into())), 5_000 * MILLI));
    let waiting = |wanted: Duration| {
        let system = system.clone();
        tokio::spawn(async move { (system.wait_for(NAME, wanted).await, Instant::now()) })
    };
    let wrong = tokio::spawn({
        let system = system.clone();
        async move { system.wait_for(WRONG, 10_000 * MILLI).await }
    });
    let (early, patient) = (waiting(1_999 * MILLI), waiting(2_001 * MILLI));
    tokio::time::sleep(2_000 * MILLI).await;
    let child = worker("a").named(NAME);
    let address = child.address();
    let app = start(&system, [child]).await;
    assert!(matches!(early.await, Ok((Err(WaitError::TimedOut(_)), _))));
    let (found, when) = patient.await.expect("the waiting task succeeds");
    assert_eq!((found.as_ref(), when - begun), (Ok(&address), 7_000 * MILLI));
    let wrong = wrong.await.expect("the waiting task succeeds");
    assert!(
        matches!(&wrong, Err(WaitError::WrongType { wanted: "u64", found, .. }) if found.ends_with("Msg"))
    );
    // A bound name resolves at once, also between two incarnations. So does a wrong message type.
    assert_eq!(system.wait_for(NAME, Duration::ZERO).await.as_ref(), Ok(&address));
    assert!(matches!(system.wait_for(WRONG, Duration::MAX).await, Err(WaitError::WrongType { .. })));
    assert_eq!(begun.elapsed(), 7_000 * MILLI);
    assert!(app.shutdown().await.is_clean());
    let over = system.wait_for(NAME, MILLI).await;
    assert_eq!(over, Err(WaitError::TimedOut("name".into())));
}

#[tokio::test(start_paused = true)]
async fn metadata_survives_restarts_and_is_kept_until_the_name_is_free() {
    let system = System::new();
    let registry = Registry::of(&system);
    let other: Name<Msg> = Name::from(format!("shard/{}", 7));
    let (a, b) = (worker("a").named(NAME), worker("b").named(other.clone()));
    let (owner, other) = (a.address(), b.address());
    let app = start(&system, [b, a]).await;
    assert!(registry.set_metadata(NAME, &owner, "v1") && !registry.set_metadata(NAME, &other, "v2"));
    crash(&owner).await;
    assert_eq!(registry.metadata::<&str>("name").as_deref(), Some(&"v1"));
    assert!(registry.metadata::<String>("name").is_none(), "the type differs");
    assert!(registry.metadata::<&str>("shard/7").is_none(), "the other name has no metadata");
    assert_eq!(registry.names(), ["name", "shard/7"]);
    let listed = registry.entries();
    let listed: Vec<_> = listed.iter().map(|info| (&*info.name, &info.actor, info.messages)).collect();
    let messages = std::any::type_name::<Msg>();
    assert_eq!(listed, [("name", &owner.handle(), messages), ("shard/7", &other.handle(), messages)]);
    assert_eq!(registry.entries()[0].actor.label().as_deref(), Some("app/a"));
    app.supervisor().terminate_child("a").await.expect("it exists");
    assert_eq!(registry.names(), ["shard/7"]);
    app.supervisor().restart_child("a").await.expect("it starts again");
    assert_eq!(system.whereis(NAME).ok().as_ref(), Some(&owner), "the name is bound again");
    assert!(registry.metadata::<&str>("name").is_none(), "the metadata was removed with the name");
    assert!(app.shutdown().await.is_clean());
    assert!(registry.entries().is_empty());
}

#[tokio::test(start_paused = true)]
async fn failed_send_by_name_returns_the_message_for_every_cause() {
    let system = System::new();
    let unbound = system.cast_to(NAME, Msg::Crash);
    assert!(matches!(unbound, Err(NamedCastError::Lookup(LookupError::NotFound(_), Msg::Crash))));
    let small = worker("a").named(NAME).mailbox(MailboxConfig::bounded(1));
    let app = start(&system, [small]).await;
    let wrong = system.cast_to(WRONG, 7);
    assert!(matches!(wrong, Err(NamedCastError::Lookup(LookupError::WrongType { .. }, 7))));
    let wrong = system.call_to(Name::<Reply<()>>::new("name"), |reply| reply).await;
    assert!(matches!(wrong, Err(NamedCallError::Lookup(LookupError::WrongType { .. }))));
    let (resume, until) = oneshot::channel();
    system.cast_to(NAME, Msg::Hold(until)).expect("the mailbox has room");
    let full = system.cast_to(NAME, Msg::Crash);
    assert!(matches!(full, Err(NamedCastError::Send(SendError::Full(Unsent { message: Msg::Crash, .. })))));
    tokio::task::yield_now().await;
    system.cast_to(NAME, Msg::Crash).expect("the first message is in flight");
    let begun = Instant::now();
    let full = system.call_to(NAME, Msg::Identify).await;
    assert!(matches!(
        full,
        Err(NamedCallError::Call(CallError::NoRoom(Unsent { message: Msg::Identify(_), .. })))
    ));
    assert_eq!(begun.elapsed().as_secs(), 5);
    drop(resume);
    assert_eq!(system.call_to(NAME, Msg::Identify).await.expect("the mailbox has room again").1, 2);
    assert!(app.shutdown().await.is_clean());
}

/// An actor that uses each lookup and send by name.
struct Asker;

impl Actor for Asker {
    type Msg = Reply<[u32; 3]>;
    type Args = ();

    async fn init((): &(), ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        // It starts before the other actor. That name leads to the pending actor already.
        let Err(LookupError::Restarting { reason: None, retry_in: None, .. }) = ctx.whereis_alive(NAME)
        else {
            return Err(ExitReason::failed("expected a pending actor"));
        };
        assert_eq!(ctx.whereis(NAME)?, ctx.wait_for(NAME, Duration::ZERO).await?);
        Ok(Self)
    }

    async fn handle(&mut self, reply: Reply<[u32; 3]>, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        let found = ctx.wait_for(NAME, MILLI).await?;
        assert_eq!((ctx.whereis(NAME)?, ctx.whereis_alive(NAME)?), (found.clone(), found.clone()));
        let (_, first) = ctx.call_to(NAME, Msg::Identify).await?;
        ctx.cast_to(NAME, Msg::Crash)?;
        let (_, second) = ctx.call_to(NAME, Msg::Identify).await?;
        reply.send([first, second, found.call(Msg::Identify).await?.1]);
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn actor_looks_up_and_sends_by_name_like_a_system() {
    let system = System::new();
    let asker = Child::new::<Asker>("asker", ());
    let address = asker.address();
    let tree = Supervisor::new("app").child(asker).child(worker("a").named(NAME));
    let app = tree.start(&system).await.expect("the tree starts");
    assert_eq!(address.call(|reply| reply).await.ok(), Some([1, 2, 2]));
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn task_sends_by_name() {
    let system = System::new();
    let (sender, mut received) = mpsc::unbounded_channel();
    let task = Child::task("task", move |ctx| {
        let sender = sender.clone();
        async move {
            let (_, incarnation) = ctx.call_to(NAME, Msg::Identify).await?;
            sender.send(incarnation)?;
            ctx.stopped().await;
            Ok(())
        }
    });
    let tree = Supervisor::new("app").child(task).child(worker("a").named(NAME));
    let app = tree.start(&system).await.expect("the tree starts");
    assert_eq!(received.recv().await, Some(1));
    assert!(app.shutdown().await.is_clean());
}
