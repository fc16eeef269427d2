//! Names: bound to an identity, handed finished without a gap, waited for, and used to send.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use perennial_actors::host::Identity;
use perennial_actors::{CallError, MailboxConfig, Reply, SendError, System, Unsent};
use perennial_registry::{
    BindError, HandOverError, LookupError, Name, NameChange, NamedCallError, NamedCastError, Registry,
    WaitError, Whereis,
};
use tokio::time::Instant;

use crate::support;
use crate::support::{ManagedActor, Msg, kill, received, scripted_actor, scripted_actor_with};

const NAME: Name<Msg> = Name::new("name");

/// The same name with another message type.
const COUNTER: Name<u64> = Name::new("name");

const LONG: Duration = Duration::from_secs(3600);

fn is_free(system: &System) -> bool {
    matches!(system.whereis(NAME), Err(LookupError::NotFound(name)) if name == "name")
}

#[tokio::test(start_paused = true)]
async fn name_outlives_every_incarnation_and_messages_sent_meanwhile_are_queued() {
    let system = System::new();
    let (mut managed, other) = (ManagedActor::start(&system, |_| ()).await, scripted_actor(&system).await);
    Registry::of(&system).bind(NAME, &managed.address).expect("the name is free");
    for number in 1..10 {
        managed.crash().await;
        let taken = Registry::of(&system).bind(NAME, &other);
        assert_eq!(taken, Err(BindError::Taken("name".into())), "its owner is pending");
        assert_eq!(system.whereis(NAME).expect("its owner is pending"), managed.address);
        system.cast_to(NAME, Msg::Number(number)).expect("the mailbox is open");
        managed.start_next().await;
        assert_eq!(received(&system.whereis(NAME).expect("an incarnation runs")).await, [number]);
    }
    managed.crash().await;
    managed.identity.close(&perennial_actors::ExitReason::Normal);
    assert!(is_free(&system));
}

#[tokio::test(start_paused = true)]
async fn unbind_works_for_the_owner_of_the_name_only() {
    let (system, registry) = (System::new(), Registry::default());
    let (one, other) = (scripted_actor(&system).await, scripted_actor(&system).await);
    assert!(!registry.unbind(NAME, &one));
    registry.bind(NAME, &one).expect("the name is free");
    assert!(!registry.unbind(NAME, &other));
    assert_eq!(
        (registry.whereis(NAME).ok(), one.handle().info().names),
        (Some(one.clone()), vec!["name".into()])
    );
    assert!(registry.unbind(NAME, &one) && !registry.unbind(NAME, &one));
    assert!(registry.whereis(NAME).is_err() && one.handle().info().names.is_empty());
    registry.bind(NAME, &other).expect("the name is free again");
    kill(&one).await;
    assert_eq!(registry.whereis(NAME).ok(), Some(other), "it was unregistered before");
}

#[tokio::test(start_paused = true)]
async fn c113_ended_actor_has_no_name_and_gets_none() {
    let system = System::new();
    let registry = Registry::of(&system);
    let one = scripted_actor(&system).await;
    let names = ["b", "a", "c"].map(Name::<Msg>::new);
    names.iter().for_each(|name| registry.bind(name, &one).expect("the name is free"));
    assert_eq!(registry.names(), ["a", "b", "c"]);
    let entries = registry.entries();
    assert!(entries.iter().all(|entry| entry.actor == one.handle() && entry.messages.ends_with("Msg")));
    assert!(entries.iter().map(|entry| &*entry.name).eq(["a", "b", "c"]));
    kill(&one).await;
    assert!(registry.names().is_empty() && registry.entries().is_empty());
    assert_eq!(one.handle().info().names, [""; 0]);
    assert_eq!(registry.bind(NAME, &one), Err(BindError::Ended("name".into())));
}

#[tokio::test(start_paused = true)]
async fn c114_name_of_an_ending_actor_can_be_bound() {
    let system = System::new();
    let registry = Registry::of(&system);
    let (old, new) = (scripted_actor(&system).await, scripted_actor(&system).await);
    let (sender, mut result) = tokio::sync::mpsc::unbounded_channel();
    let (registry_then, heir) = (registry.clone(), new.clone());
    // Added before the hook of the name, so it runs before that one.
    old.handle().on_close(move || sender.send(registry_then.bind(NAME, &heir)).expect("the test waits"));
    registry.bind(NAME, &old).expect("the name is free");
    let mut listener = system.subscribe::<NameChange>();
    kill(&old).await;
    assert_eq!(result.recv().await, Some(Ok(())));
    assert_eq!((system.whereis(NAME).ok(), registry.names().len()), (Some(new.clone()), 1));
    let (freed, bound) = (listener.try_next(), listener.try_next());
    assert!(matches!(freed, Some(NameChange::Unregistered { actor, .. }) if actor == old.handle()));
    assert!(matches!(bound, Some(NameChange::Registered { actor, .. }) if actor == new.handle()));
    assert!(listener.try_next().is_none(), "the name is freed once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handed_over_name_is_bound_at_every_moment() {
    let system = System::new();
    let (one, other) = (scripted_actor(&system).await, scripted_actor(&system).await);
    let registry = Registry::of(&system);
    registry.bind(NAME, &one).expect("the name is free");
    let finished = Arc::new(AtomicBool::new(false));
    let looking = std::thread::spawn({
        let (system, finished, both) = (system.clone(), finished.clone(), [one.clone(), other.clone()]);
        move || {
            let mut lookups = 0_u64;
            while !finished.load(Ordering::Relaxed) {
                lookups += 1;
                assert!(both.contains(&system.whereis(NAME).expect("the name is bound")));
            }
            lookups
        }
    });
    for _ in 0..20_000 {
        registry.hand_over(NAME, &one, &other).expect("the caller owns it");
        registry.hand_over(NAME, &other, &one).expect("the caller owns it");
    }
    finished.store(true, Ordering::Relaxed);
    assert!(looking.join().expect("the thread succeeds") > 0);
    assert_eq!(one.handle().info().names, ["name"]);
    assert!(other.handle().info().names.is_empty());
}

#[tokio::test(start_paused = true)]
async fn hand_over_requires_the_owner_and_a_running_target() {
    let (system, registry) = (System::new(), Registry::default());
    let (one, other, dead) =
        (scripted_actor(&system).await, scripted_actor(&system).await, scripted_actor(&system).await);
    kill(&dead).await;
    let not_owner = Err(HandOverError::NotOwner("name".into()));
    assert_eq!(registry.hand_over(NAME, &one, &other), not_owner, "no actor is registered");
    registry.bind(NAME, &one).expect("the name is free");
    assert_eq!(registry.hand_over(NAME, &other, &one), not_owner);
    assert_eq!(registry.hand_over(NAME, &other, &other), not_owner);
    assert_eq!(registry.hand_over(NAME, &one, &dead), Err(HandOverError::Ended("name".into())));
    assert_eq!(registry.whereis(NAME).ok(), Some(one.clone()), "the binding is unchanged");
    assert_eq!(registry.hand_over(NAME, &one, &one), Ok(()));
    assert_eq!(one.handle().info().names, ["name"]);
    assert_eq!(registry.hand_over(NAME, &one, &other), Ok(()));
    kill(&one).await;
    assert_eq!(
        registry.whereis(NAME).ok(),
        Some(other.clone()),
        "the end of the old owner keeps the binding"
    );
    kill(&other).await;
    assert!(registry.names().is_empty());
}

#[tokio::test(start_paused = true)]
async fn hand_over_rejects_an_actor_of_another_system() {
    let (registry, elsewhere) = (Registry::default(), System::new());
    let (one, stranger) = (scripted_actor(&System::new()).await, scripted_actor(&elsewhere).await);
    registry.bind(NAME, &one).expect("the name is free");
    let other_system = Err(HandOverError::OtherSystem("name".into()));
    assert_eq!(registry.hand_over(NAME, &one, &stranger), other_system);
    assert_eq!(registry.whereis(NAME).ok(), Some(one.clone()), "the binding is unchanged");
    assert_eq!((one.handle().info().names, stranger.handle().info().names), (vec!["name".into()], vec![]));
    kill(&stranger).await;
    assert_eq!(registry.hand_over(NAME, &one, &stranger), Err(HandOverError::Ended("name".into())));
}

#[tokio::test(start_paused = true)]
async fn metadata_is_set_by_the_owner_only_and_removed_with_the_name() {
    let (system, registry) = (System::new(), Registry::default());
    let (one, other) = (scripted_actor(&system).await, scripted_actor(&system).await);
    assert!(!registry.set_metadata(NAME, &one, 1_u32), "the name is unbound");
    registry.bind(NAME, &one).expect("the name is free");
    assert!(registry.metadata::<u32>("name").is_none());
    assert!(registry.set_metadata(NAME, &one, 1_u32) && !registry.set_metadata(NAME, &other, 2_u32));
    assert_eq!(registry.metadata::<u32>("name").as_deref(), Some(&1));
    assert!(registry.metadata::<String>("name").is_none(), "the metadata has another type");
    registry.hand_over(NAME, &one, &other).expect("the caller owns it");
    assert_eq!(registry.metadata::<u32>("name").as_deref(), Some(&1), "metadata belongs to the name");
    assert!(registry.set_metadata(NAME, &other, "two".to_owned()));
    assert_eq!(registry.metadata::<String>("name").as_deref().map(String::as_str), Some("two"));
    kill(&other).await;
    registry.bind(NAME, &one).expect("the name is free again");
    assert!(registry.metadata::<String>("name").is_none());
}

/// A value that uses the registry when it is dropped.
struct Reentrant(Registry);

impl Drop for Reentrant {
    fn drop(&mut self) {
        assert!(self.0.names().len() <= 1);
    }
}

#[tokio::test(start_paused = true)]
async fn metadata_is_dropped_under_no_lock() {
    let (system, registry) = (System::new(), Registry::default());
    let (one, other) = (scripted_actor(&system).await, scripted_actor(&system).await);
    let reentrant = || Reentrant(registry.clone());
    assert!(!registry.set_metadata(NAME, &one, reentrant()));
    registry.bind(NAME, &one).expect("the name is free");
    assert!(!registry.set_metadata(NAME, &other, reentrant()));
    assert!(registry.set_metadata(NAME, &one, reentrant()) && registry.set_metadata(NAME, &one, reentrant()));
    registry.hand_over(NAME, &one, &other).expect("the caller owns it");
    assert!(registry.unbind(NAME, &other));
    registry.bind(NAME, &one).expect("the name is free again");
    assert!(registry.set_metadata(NAME, &one, reentrant()));
    kill(&one).await;
    assert!(registry.names().is_empty());
}

#[tokio::test(start_paused = true)]
async fn wait_for_resolves_as_soon_as_the_name_is_bound() {
    let system = System::new();
    let one = scripted_actor(&system).await;
    let waiting = tokio::spawn({
        let system = system.clone();
        async move { (system.wait_for(NAME, LONG).await, Instant::now()) }
    });
    let begun = Instant::now();
    tokio::time::sleep(Duration::from_secs(1)).await;
    // Another name is bound before.
    Registry::of(&system).bind(Name::<Msg>::new("another"), &one).expect("the name is free");
    tokio::time::sleep(Duration::from_secs(1)).await;
    Registry::of(&system).bind(NAME, &one).expect("the name is free");
    let (found, when) = waiting.await.expect("the waiting task succeeds");
    assert_eq!((found, when - begun), (Ok(one.clone()), Duration::from_secs(2)));
    assert_eq!(system.wait_for(NAME, Duration::ZERO).await, Ok(one), "the name is bound");
}

#[tokio::test(start_paused = true)]
async fn wait_for_fails_on_timeout_and_on_another_message_type() {
    let system = System::new();
    let begun = Instant::now();
    let late = system.wait_for(NAME, Duration::from_secs(5)).await;
    assert_eq!((late, begun.elapsed()), (Err(WaitError::TimedOut("name".into())), Duration::from_secs(5)));
    let waiting = tokio::spawn({
        let system = system.clone();
        async move { system.wait_for(COUNTER, LONG).await }
    });
    tokio::task::yield_now().await;
    let one = scripted_actor(&system).await;
    Registry::of(&system).bind(NAME, &one).expect("the name is free");
    let wrong = waiting.await.expect("the waiting task succeeds").expect_err("the message type differs");
    let WaitError::WrongType { wanted, found, .. } = wrong else { panic!("not {wrong}") };
    assert!(wanted == "u64" && found.ends_with("Msg"));
    assert_eq!(begun.elapsed(), Duration::from_secs(5), "at once");
}

#[tokio::test(start_paused = true)]
async fn dropped_wait_for_loses_nothing() {
    let system = System::new();
    let one = scripted_actor(&system).await;
    let other = tokio::spawn({
        let system = system.clone();
        async move { system.wait_for(NAME, LONG).await }
    });
    for _ in 0..3 {
        let timed_out = tokio::time::timeout(Duration::from_secs(1), system.wait_for(NAME, LONG)).await;
        assert!(timed_out.is_err());
    }
    Registry::of(&system).bind(NAME, &one).expect("the name is free");
    assert_eq!(system.wait_for(NAME, LONG).await, Ok(one.clone()));
    assert_eq!(other.await.expect("the waiting task succeeds"), Ok(one));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_wait_for_is_woken_by_its_binding() {
    let system = System::new();
    let one = scripted_actor(&system).await;
    for number in 0..2_000 {
        let name: Name<Msg> = Name::from(format!("name {number}"));
        let waiting = tokio::spawn({
            let (system, name) = (system.clone(), name.clone());
            async move { system.wait_for(name, LONG).await }
        });
        Registry::of(&system).bind(&name, &one).expect("the name is free");
        assert_eq!(waiting.await.expect("the waiting task succeeds").as_ref(), Ok(&one));
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_by_name_has_the_type_of_the_message() {
    let system = System::new();
    let unsent = system.cast_to(NAME, Msg::Number(1)).expect_err("no actor is registered");
    assert_eq!(unsent.to_string(), r#"no actor is registered as "name" (message type Msg)"#);
    let unanswered =
        system.call_to(NAME, |_: Reply<u32>| Msg::Number(1)).await.expect_err("no actor is registered");
    assert_eq!(unanswered.to_string(), r#"no actor is registered as "name" (message type Msg)"#);
}

#[tokio::test(start_paused = true)]
async fn c118_failed_cast_by_name_returns_the_message() {
    let system = System::new();
    let number = |error: NamedCastError<Msg>| match error {
        NamedCastError::Lookup(_, Msg::Number(number)) => number,
        NamedCastError::Send(
            SendError::Full(Unsent { message: Msg::Number(number), .. })
            | SendError::Closed(Unsent { message: Msg::Number(number), .. }),
        ) => number,
        error => panic!("not {error}"),
    };
    let nowhere = system.cast_to(NAME, Msg::Number(1)).expect_err("no actor is registered");
    assert_eq!(nowhere.to_string(), r#"no actor is registered as "name" (message type Msg)"#);
    assert_eq!(number(nowhere), 1);
    let small = scripted_actor_with(&system, MailboxConfig::bounded(1)).await;
    Registry::of(&system).bind(NAME, &small).expect("the name is free");
    let wrong = system.cast_to(COUNTER, 7).expect_err("the message type differs");
    assert!(matches!(wrong, NamedCastError::Lookup(LookupError::WrongType { .. }, 7)));
    system.cast_to(NAME, Msg::Number(2)).expect("the mailbox has room");
    let full = system.cast_to(NAME, Msg::Number(3)).expect_err("the mailbox is full");
    assert!(matches!(full, NamedCastError::Send(SendError::Full(_))));
    assert_eq!((number(full), received(&small).await), (3, vec![2]));
}

/// Between the end of an actor and the hook that frees its name, the name leads to a closed actor.
#[tokio::test(start_paused = true)]
async fn c118_ended_actor_rejects_messages_by_name_and_returns_them() {
    let system = System::new();
    let (one, (sender, result)) = (scripted_actor(&system).await, tokio::sync::oneshot::channel());
    let then = system.clone();
    // Added before the hook of the name, so it runs before that one.
    one.handle().on_close(move || {
        let cast = then.cast_to(NAME, Msg::Number(1));
        let cast = matches!(
            cast,
            Err(NamedCastError::Send(SendError::Closed(Unsent { message: Msg::Number(1), .. })))
        );
        let mut call = std::pin::pin!(then.call_to(NAME, |_: Reply<()>| Msg::Number(2)));
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        let Poll::Ready(Err(NamedCallError::Call(call))) = call.as_mut().poll(&mut cx) else {
            panic!("the call must fail at once")
        };
        let call = matches!(call.into_inner(), Some(Msg::Number(2)));
        let alive = matches!(then.whereis_alive(NAME), Err(LookupError::NotFound(_)));
        sender.send([cast, call, alive]).expect("the test waits");
    });
    Registry::of(&system).bind(NAME, &one).expect("the name is free");
    kill(&one).await;
    assert_eq!(result.await, Ok([true; 3]));
}

#[tokio::test(start_paused = true)]
async fn call_by_name_returns_the_reply_or_the_error() {
    let system = System::new();
    let ask = |reply: Reply<usize>| {
        Msg::Do(Box::new(move |actor: &mut support::ScriptedActor, _: &mut _| {
            reply.send(actor.received.len())
        }))
    };
    let nowhere = system.call_to(NAME, ask).await;
    assert!(matches!(nowhere, Err(NamedCallError::Lookup(LookupError::NotFound(_)))));
    let one = scripted_actor(&system).await;
    Registry::of(&system).bind(NAME, &one).expect("the name is free");
    one.cast(Msg::Number(1)).expect("the mailbox has room");
    assert_eq!(system.call_to(NAME, ask).await.expect("the actor answers"), 1);
    let failed = system.call_to(NAME, |_: Reply<()>| Msg::Crash).await;
    assert!(matches!(failed, Err(NamedCallError::Call(CallError::Ended(_, _)))), "{failed:?}");
    assert!(is_free(&system));
}

#[tokio::test(start_paused = true)]
async fn whereis_alive_reports_a_restart() {
    let system = System::new();
    let mut managed = ManagedActor::start(&system, |_| ()).await;
    assert!(matches!(system.whereis_alive(NAME), Err(LookupError::NotFound(_))));
    Registry::of(&system).bind(NAME, &managed.address).expect("the name is free");
    assert_eq!(system.whereis_alive(NAME).expect("an incarnation runs"), managed.address);
    assert!(matches!(system.whereis_alive(COUNTER), Err(LookupError::WrongType { .. })));
    managed.crash().await;
    let Err(LookupError::Restarting { name, reason, retry_in }) = system.whereis_alive(NAME) else {
        panic!("no incarnation runs");
    };
    assert!(name == "name" && reason.is_none() && retry_in.is_none(), "no details are published");
    managed.start_next().await;
    assert_eq!(system.whereis_alive(NAME).expect("an incarnation runs"), managed.address);
}

#[tokio::test(start_paused = true)]
async fn a_call_by_name_is_a_value_with_a_timeout_of_its_own() {
    let system = System::new();
    let begun = Instant::now();
    let identity = Identity::<Reply<u8>>::new(MailboxConfig::default());
    identity.open(&system, || "never started".into());
    const SILENT: Name<Reply<u8>> = Name::new("silent");
    Registry::of(&system).bind(SILENT, &identity.address()).expect("the name is free");
    let call = tokio::spawn(system.call_to(SILENT, |reply| reply).timeout(Duration::from_secs(1)));
    let error = call.await.expect("no panic").expect_err("no incarnation answers");
    assert!(matches!(error, NamedCallError::Call(CallError::TimedOut(_))));
    assert_eq!(begun.elapsed().as_secs(), 1);
    let blocking = system.call_to(SILENT, |reply| reply).blocking();
    assert!(matches!(blocking, Err(NamedCallError::Call(CallError::InAsyncContext(_)))));
    let nowhere = system.call_to(Name::<Reply<u8>>::new("nowhere"), |reply| reply).no_timeout();
    assert!(matches!(nowhere.await, Err(NamedCallError::Lookup(LookupError::NotFound(_)))));
}
