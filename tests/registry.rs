//! The registry with supervision, as its users have it: through a tree that crashes, backs off and is restarted.

use std::time::Duration;

use perennial::prelude::*;
use perennial::{
    App, Backoff, CallError, LookupError, NamedCallError, NamedCastError, Registry, SendError,
    SupervisorHandle, Unsent, WaitError,
};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

const NAME: Name<Msg> = Name::new("name");

/// Of another type.
const WRONG: Name<u64> = Name::new("name");

const MILLI: Duration = Duration::from_millis(1);

enum Msg {
    Crash,
    Who(Reply<(u64, u32)>),
    /// Is at this until the other end is dropped.
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
            Msg::Who(reply) => reply.send((ctx.pid().identity(), ctx.pid().incarnation())),
            Msg::Hold(until) => drop(until.await),
        }
        Ok(())
    }
}

fn worker(id: &'static str) -> Child<Msg> {
    Child::new::<Worker>(id, ())
}

/// A tree with these children, that takes any number of crashes.
async fn start<const N: usize>(system: &System, children: [Child<Msg>; N]) -> App<SupervisorHandle> {
    let tree = Supervisor::new("app").intensity(1_000_000, Duration::from_secs(1)).children(children);
    tree.start(system).await.expect("it starts")
}

/// Crashes it, and waits until its next incarnation answers.
async fn crash(actor: &Address<Msg>) -> (u64, u32) {
    actor.cast(Msg::Crash).expect("it is open");
    actor.call(Msg::Who).await.expect("the next one answers")
}

/// What is known of its outage, as soon as its supervisor has got to it.
async fn outage(system: &System) -> (ExitReason, Duration) {
    for _ in 0..1_000 {
        let found = system.whereis_alive(NAME);
        if let Err(LookupError::Restarting { name, reason: Some(reason), retry_in: Some(time) }) = found {
            assert_eq!(name, "name");
            return (reason, time);
        }
        tokio::task::yield_now().await;
    }
    panic!("its supervisor has said nothing");
}

#[tokio::test(start_paused = true)]
async fn name_queues_during_a_backoff_and_whereis_alive_reports_the_reason_and_the_delay()
 {
    let system = System::new();
    let backoff = Backoff::new(100 * MILLI, 10_000 * MILLI);
    let app = start(&system, [worker("a").named(NAME).backoff(backoff)]).await;
    let worker = system.whereis_alive(NAME).expect("it lives");
    for (incarnation, delay) in [(2, 100 * MILLI), (3, 200 * MILLI), (4, 400 * MILLI)] {
        worker.cast(Msg::Crash).expect("it is open");
        let (reason, retry_in) = outage(&system).await;
        assert_eq!((reason.to_string().contains("on purpose"), retry_in), (true, delay));
        assert_eq!(system.whereis(NAME).ok().as_ref(), Some(&worker), "others may wait for it");
        tokio::time::sleep(delay / 4).await;
        assert_eq!(outage(&system).await.1, delay * 3 / 4, "it is counted from now");
        let begun = Instant::now();
        let (_, answered_by) = system.call_to(NAME, Msg::Who).await.expect("it waits in the mailbox");
        assert_eq!((answered_by, begun.elapsed()), (incarnation, delay * 3 / 4));
        assert_eq!(system.whereis_alive(NAME).ok().as_ref(), Some(&worker));
    }
    assert!(app.shutdown().await.is_clean());
    assert!(matches!(system.whereis_alive(NAME), Err(LookupError::NotFound(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn name_handed_over_between_crashing_children_is_found_at_every_moment() {
    const LOOKS: usize = 200_000;
    let system = System::new();
    let (one, other) = (worker("one").named(NAME), worker("other"));
    let both = [one.address(), other.address()];
    let app = start(&system, [one, other]).await;
    let looking = std::thread::spawn({
        let (system, both) = (system.clone(), both.clone());
        move || (0..LOOKS).filter(|_| !system.whereis(NAME).is_ok_and(|found| both.contains(&found))).count()
    });
    let registry = Registry::of(&system);
    let mut rounds = 0;
    while rounds < 10 || !looking.is_finished() {
        // It may be between two incarnations meanwhile.
        let victim = &both[rounds % 2];
        victim.cast(Msg::Crash).expect("it is open");
        for turn in 0..1_000 {
            registry.hand_over(NAME, &both[turn % 2], &both[(turn + 1) % 2]).expect("it is its own");
        }
        victim.call(Msg::Who).await.expect("the next one answers");
        rounds += 1;
    }
    assert_eq!(looking.join().expect("it ends well"), 0, "misses of {LOOKS} looks");
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
    let app = outer.child(inner).child(new).start(&system).await.expect("it starts");
    registry.hand_over(NAME, &old_address, &new_address).expect("it is its own");
    // The supervisor gives up at the first crash, and is restarted.
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

/// By hand or with its supervisor, a child is opened anew; its name is not its own any more, as after a crash.
#[tokio::test(start_paused = true)]
async fn child_that_handed_its_name_over_restarts_without_it_and_gets_it_back_once_free() {
    let system = System::new();
    let registry = Registry::of(&system);
    let (old, new, last) = (worker("old").named(NAME), worker("new"), worker("last"));
    let [old_address, new_address, last_address] = [&old, &new, &last].map(Child::address);
    let inner_spec = Supervisor::new("inner").child(old);
    let inner = inner_spec.handle();
    let tree = Supervisor::new("app").child(inner_spec).child(new).child(last);
    let app = tree.start(&system).await.expect("it starts");
    registry.hand_over(NAME, &old_address, &new_address).expect("it is its own");
    for holder in [&new_address, &last_address] {
        inner.terminate_child("old").await.expect("it runs");
        inner.restart_child("old").await.expect("it starts without its name");
        assert!(old_address.call(Msg::Who).await.is_ok() && old_address.handle().info().names.is_empty());
        assert_eq!(system.whereis(NAME).ok().as_ref(), Some(holder));
        // Handed on, it is still one that the first child has handed over.
        if *holder == new_address {
            registry.hand_over(NAME, &new_address, &last_address).expect("it is its own");
        }
    }
    app.supervisor().terminate_child("inner").await.expect("it runs");
    app.supervisor().restart_child("inner").await.expect("its child starts without its name");
    assert_eq!(system.whereis(NAME).ok().as_ref(), Some(&last_address));
    app.supervisor().terminate_child("last").await.expect("it runs");
    assert!(matches!(system.whereis(NAME), Err(LookupError::NotFound(_))));
    inner.terminate_child("old").await.expect("it runs");
    inner.restart_child("old").await.expect("the name is free");
    assert_eq!(system.whereis(NAME).ok().as_ref(), Some(&old_address));
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_child_whose_name_was_taken_by_another_does_not_start_without_it() {
    let system = System::new();
    let registry = Registry::of(&system);
    let (child, taker, stranger) = (worker("child").named(NAME), worker("taker"), worker("stranger"));
    let [child_address, taker_address, stranger_address] = [&child, &taker, &stranger].map(Child::address);
    let app = start(&system, [child, taker, stranger]).await;
    registry.hand_over(NAME, &child_address, &taker_address).expect("it is its own");
    // The one that got it has given it up, and a third has it for itself.
    assert!(registry.unbind(NAME, &taker_address));
    registry.bind(NAME, &stranger_address).expect("the name is free");
    app.supervisor().terminate_child("child").await.expect("it runs");
    assert!(app.supervisor().restart_child("child").await.is_err(), "its name is taken");
    assert!(registry.unbind(NAME, &stranger_address));
    app.supervisor().restart_child("child").await.expect("its name is free");
    assert_eq!(system.whereis(NAME).ok(), Some(child_address));
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn unbind_works_for_the_owner_only_and_lasts_across_restarts() {
    let system = System::new();
    let registry = Registry::of(&system);
    let (child, stranger) = (worker("a").named(NAME), worker("b"));
    let (owner, stranger_address) = (child.address(), stranger.address());
    let app = start(&system, [child, stranger]).await;
    assert!(!registry.unbind(NAME, &stranger_address));
    assert!(!registry.unbind(Name::<Msg>::new("another"), &owner));
    crash(&owner).await;
    assert_eq!(system.whereis(NAME).ok().as_ref(), Some(&owner), "a child keeps its name");
    assert!(registry.unbind(NAME, &owner));
    crash(&owner).await;
    assert!(matches!(system.whereis(NAME), Err(LookupError::NotFound(_))));
    registry.bind(NAME, &stranger_address).expect("the name is free");
    app.supervisor().terminate_child("a").await.expect("it is there");
    assert_eq!(system.whereis(NAME).ok(), Some(stranger_address), "it had given it up");
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
    let (found, when) = patient.await.expect("it waits well");
    assert_eq!((found.as_ref(), when - begun), (Ok(&address), 7_000 * MILLI));
    let wrong = wrong.await.expect("it waits well");
    assert!(
        matches!(&wrong, Err(WaitError::WrongType { wanted: "u64", found, .. }) if found.ends_with("Msg"))
    );
    // It is there, also between two incarnations; and of the wrong type at once.
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
    let (owner, stranger) = (a.address(), b.address());
    let app = start(&system, [b, a]).await;
    assert!(registry.set_metadata(NAME, &owner, "v1") && !registry.set_metadata(NAME, &stranger, "v2"));
    crash(&owner).await;
    assert_eq!(registry.metadata::<&str>("name").as_deref(), Some(&"v1"));
    assert!(registry.metadata::<String>("name").is_none(), "it is of another type");
    assert!(registry.metadata::<&str>("shard/7").is_none(), "of another name nothing was said");
    assert_eq!(registry.names(), ["name", "shard/7"]);
    let listed = registry.entries();
    let listed: Vec<_> = listed.iter().map(|info| (&*info.name, &info.actor, info.messages)).collect();
    let messages = std::any::type_name::<Msg>();
    assert_eq!(listed, [("name", &owner.handle(), messages), ("shard/7", &stranger.handle(), messages)]);
    assert_eq!(registry.entries()[0].actor.label().as_deref(), Some("app/a"));
    app.supervisor().terminate_child("a").await.expect("it is there");
    assert_eq!(registry.names(), ["shard/7"]);
    app.supervisor().restart_child("a").await.expect("it starts again");
    assert_eq!(system.whereis(NAME).ok().as_ref(), Some(&owner), "it has its name again");
    assert!(registry.metadata::<&str>("name").is_none(), "what was said went with the name");
    assert!(app.shutdown().await.is_clean());
    assert!(registry.entries().is_empty());
}

#[tokio::test(start_paused = true)]
async fn failed_send_by_name_returns_the_message_for_every_cause() {
    let system = System::new();
    let nobody = system.cast_to(NAME, Msg::Crash);
    assert!(matches!(nobody, Err(NamedCastError::Lookup(LookupError::NotFound(_), Msg::Crash))));
    let small = worker("a").named(NAME).mailbox(MailboxConfig::bounded(1));
    let app = start(&system, [small]).await;
    let wrong = system.cast_to(WRONG, 7);
    assert!(matches!(wrong, Err(NamedCastError::Lookup(LookupError::WrongType { .. }, 7))));
    let wrong = system.call_to(Name::<Reply<()>>::new("name"), |reply| reply).await;
    assert!(matches!(wrong, Err(NamedCallError::Lookup(LookupError::WrongType { .. }))));
    let (go_on, until) = oneshot::channel();
    system.cast_to(NAME, Msg::Hold(until)).expect("it has room");
    let full = system.cast_to(NAME, Msg::Crash);
    assert!(matches!(full, Err(NamedCastError::Send(SendError::Full(Unsent { message: Msg::Crash, .. })))));
    tokio::task::yield_now().await;
    system.cast_to(NAME, Msg::Crash).expect("the first is in hand");
    let begun = Instant::now();
    let full = system.call_to(NAME, Msg::Who).await;
    assert!(matches!(
        full,
        Err(NamedCallError::Call(CallError::NoRoom(Unsent { message: Msg::Who(_), .. })))
    ));
    assert_eq!(begun.elapsed().as_secs(), 5);
    drop(go_on);
    assert_eq!(system.call_to(NAME, Msg::Who).await.expect("it has room again").1, 2);
    assert!(app.shutdown().await.is_clean());
}

/// Reaches another by its name, in each of these ways.
struct Asker;

impl Actor for Asker {
    type Msg = Reply<[u32; 3]>;
    type Args = ();

    async fn init((): &(), ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        // It starts before the other, whose name leads to where it will be.
        let Err(LookupError::Restarting { reason: None, retry_in: None, .. }) = ctx.whereis_alive(NAME)
        else {
            return Err(ExitReason::failed("it does not live yet"));
        };
        assert_eq!(ctx.whereis(NAME)?, ctx.wait_for(NAME, Duration::ZERO).await?);
        Ok(Self)
    }

    async fn handle(&mut self, reply: Reply<[u32; 3]>, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        let found = ctx.wait_for(NAME, MILLI).await?;
        assert_eq!((ctx.whereis(NAME)?, ctx.whereis_alive(NAME)?), (found.clone(), found.clone()));
        let (_, first) = ctx.call_to(NAME, Msg::Who).await?;
        ctx.cast_to(NAME, Msg::Crash)?;
        let (_, second) = ctx.call_to(NAME, Msg::Who).await?;
        reply.send([first, second, found.call(Msg::Who).await?.1]);
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn actor_looks_up_and_sends_by_name_like_a_system() {
    let system = System::new();
    let asker = Child::new::<Asker>("asker", ());
    let address = asker.address();
    let tree = Supervisor::new("app").child(asker).child(worker("a").named(NAME));
    let app = tree.start(&system).await.expect("it starts");
    assert_eq!(address.call(|reply| reply).await.ok(), Some([1, 2, 2]));
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn task_sends_by_name() {
    let system = System::new();
    let (tell, mut told) = mpsc::unbounded_channel();
    let task = Child::task("task", move |ctx| {
        let tell = tell.clone();
        async move {
            let (_, incarnation) = ctx.call_to(NAME, Msg::Who).await?;
            tell.send(incarnation)?;
            ctx.stopped().await;
            Ok(())
        }
    });
    let tree = Supervisor::new("app").child(task).child(worker("a").named(NAME));
    let app = tree.start(&system).await.expect("it starts");
    assert_eq!(told.recv().await, Some(1));
    assert!(app.shutdown().await.is_clean());
}
