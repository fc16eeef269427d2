//! Names: bound to an identity, handed over without a gap, waited for, and used to send.

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
use support::{Hosted, Msg, heard, kill, puppet, puppet_with};
use tokio::time::Instant;

mod support;

const NAME: Name<Msg> = Name::new("name");

/// Of another type.
const COUNTER: Name<u64> = Name::new("name");

const LONG: Duration = Duration::from_secs(3600);

fn is_free(system: &System) -> bool {
    matches!(system.whereis(NAME), Err(LookupError::NotFound(name)) if name == "name")
}

#[tokio::test(start_paused = true)]
async fn a_name_outlives_every_incarnation_and_what_is_sent_meanwhile_waits() {
    let system = System::new();
    let (mut hosted, other) = (Hosted::start(&system, |_| ()).await, puppet(&system).await);
    Registry::of(&system).bind(NAME, &hosted.address).expect("the name is free");
    for said in 1..10 {
        hosted.crash().await;
        let taken = Registry::of(&system).bind(NAME, &other);
        assert_eq!(taken, Err(BindError::Taken("name".into())), "its owner is due");
        assert_eq!(system.whereis(NAME).expect("it is due"), hosted.address);
        system.cast_to(NAME, Msg::Heard(said)).expect("it is open");
        hosted.start_next().await;
        assert_eq!(heard(&system.whereis(NAME).expect("it lives")).await, [said]);
    }
    hosted.crash().await;
    hosted.identity.close(&perennial_actors::ExitReason::Normal);
    assert!(is_free(&system));
}

#[tokio::test(start_paused = true)]
async fn a_name_is_given_up_by_who_bears_it_and_by_nobody_else() {
    let (system, registry) = (System::new(), Registry::default());
    let (one, other) = (puppet(&system).await, puppet(&system).await);
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
    assert_eq!(registry.whereis(NAME).ok(), Some(other), "it had given it up");
}

#[tokio::test(start_paused = true)]
async fn c113_an_actor_that_has_ended_bears_no_name_and_gets_none() {
    let system = System::new();
    let registry = Registry::of(&system);
    let one = puppet(&system).await;
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
async fn c114_a_name_whose_actor_is_just_ending_makes_room() {
    let system = System::new();
    let registry = Registry::of(&system);
    let (old, new) = (puppet(&system).await, puppet(&system).await);
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let (registry_then, heir) = (registry.clone(), new.clone());
    // Set before the one of the name, so it runs before it.
    old.handle().on_close(move || tell.send(registry_then.bind(NAME, &heir)).expect("the test waits"));
    registry.bind(NAME, &old).expect("the name is free");
    let mut listener = system.subscribe::<NameChange>();
    kill(&old).await;
    assert_eq!(told.recv().await, Some(Ok(())));
    assert_eq!((system.whereis(NAME).ok(), registry.names().len()), (Some(new.clone()), 1));
    let (freed, bound) = (listener.try_next(), listener.try_next());
    assert!(matches!(freed, Some(NameChange::Unregistered { actor, .. }) if actor == old.handle()));
    assert!(matches!(bound, Some(NameChange::Registered { actor, .. }) if actor == new.handle()));
    assert!(listener.try_next().is_none(), "it is freed once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_is_handed_over_leads_somewhere_at_every_moment() {
    let system = System::new();
    let (one, other) = (puppet(&system).await, puppet(&system).await);
    let registry = Registry::of(&system);
    registry.bind(NAME, &one).expect("the name is free");
    let over = Arc::new(AtomicBool::new(false));
    let looking = std::thread::spawn({
        let (system, over, both) = (system.clone(), over.clone(), [one.clone(), other.clone()]);
        move || {
            let mut lookups = 0_u64;
            while !over.load(Ordering::Relaxed) {
                lookups += 1;
                assert!(both.contains(&system.whereis(NAME).expect("it is handed over")));
            }
            lookups
        }
    });
    for _ in 0..20_000 {
        registry.hand_over(NAME, &one, &other).expect("it is its own");
        registry.hand_over(NAME, &other, &one).expect("it is its own");
    }
    over.store(true, Ordering::Relaxed);
    assert!(looking.join().expect("it never missed") > 0);
    assert_eq!(one.handle().info().names, ["name"]);
    assert!(other.handle().info().names.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_name_is_handed_over_by_who_bears_it_to_one_that_has_not_ended() {
    let (system, registry) = (System::new(), Registry::default());
    let (one, other, dead) = (puppet(&system).await, puppet(&system).await, puppet(&system).await);
    kill(&dead).await;
    let not_owner = Err(HandOverError::NotOwner("name".into()));
    assert_eq!(registry.hand_over(NAME, &one, &other), not_owner, "nobody has it");
    registry.bind(NAME, &one).expect("the name is free");
    assert_eq!(registry.hand_over(NAME, &other, &one), not_owner);
    assert_eq!(registry.hand_over(NAME, &other, &other), not_owner);
    assert_eq!(registry.hand_over(NAME, &one, &dead), Err(HandOverError::Ended("name".into())));
    assert_eq!(registry.whereis(NAME).ok(), Some(one.clone()), "it leads where it led");
    assert_eq!(registry.hand_over(NAME, &one, &one), Ok(()));
    assert_eq!(one.handle().info().names, ["name"]);
    assert_eq!(registry.hand_over(NAME, &one, &other), Ok(()));
    kill(&one).await;
    assert_eq!(registry.whereis(NAME).ok(), Some(other.clone()), "its end does not touch it");
    kill(&other).await;
    assert!(registry.names().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_name_is_not_handed_over_to_an_actor_of_another_system() {
    let (registry, elsewhere) = (Registry::default(), System::new());
    let (one, stranger) = (puppet(&System::new()).await, puppet(&elsewhere).await);
    registry.bind(NAME, &one).expect("the name is free");
    let other_system = Err(HandOverError::OtherSystem("name".into()));
    assert_eq!(registry.hand_over(NAME, &one, &stranger), other_system);
    assert_eq!(registry.whereis(NAME).ok(), Some(one.clone()), "it leads where it led");
    assert_eq!((one.handle().info().names, stranger.handle().info().names), (vec!["name".into()], vec![]));
    kill(&stranger).await;
    assert_eq!(registry.hand_over(NAME, &one, &stranger), Err(HandOverError::Ended("name".into())));
}

#[tokio::test(start_paused = true)]
async fn what_is_said_of_a_name_is_said_by_its_owner_and_goes_with_the_name() {
    let (system, registry) = (System::new(), Registry::default());
    let (one, other) = (puppet(&system).await, puppet(&system).await);
    assert!(!registry.set_metadata(NAME, &one, 1_u32), "it is nobody's");
    registry.bind(NAME, &one).expect("the name is free");
    assert!(registry.metadata::<u32>("name").is_none());
    assert!(registry.set_metadata(NAME, &one, 1_u32) && !registry.set_metadata(NAME, &other, 2_u32));
    assert_eq!(registry.metadata::<u32>("name").as_deref(), Some(&1));
    assert!(registry.metadata::<String>("name").is_none(), "it is of another type");
    registry.hand_over(NAME, &one, &other).expect("it is its own");
    assert_eq!(registry.metadata::<u32>("name").as_deref(), Some(&1), "it is said of the name");
    assert!(registry.set_metadata(NAME, &other, "two".to_owned()));
    assert_eq!(registry.metadata::<String>("name").as_deref().map(String::as_str), Some("two"));
    kill(&other).await;
    registry.bind(NAME, &one).expect("the name is free again");
    assert!(registry.metadata::<String>("name").is_none());
}

/// Something that uses the registry when it is dropped, as what users make may do.
struct Nosy(Registry);

impl Drop for Nosy {
    fn drop(&mut self) {
        assert!(self.0.names().len() <= 1);
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_said_of_a_name_is_dropped_under_no_lock() {
    let (system, registry) = (System::new(), Registry::default());
    let (one, other) = (puppet(&system).await, puppet(&system).await);
    let nosy = || Nosy(registry.clone());
    assert!(!registry.set_metadata(NAME, &one, nosy()));
    registry.bind(NAME, &one).expect("the name is free");
    assert!(!registry.set_metadata(NAME, &other, nosy()));
    assert!(registry.set_metadata(NAME, &one, nosy()) && registry.set_metadata(NAME, &one, nosy()));
    registry.hand_over(NAME, &one, &other).expect("it is its own");
    assert!(registry.unbind(NAME, &other));
    registry.bind(NAME, &one).expect("the name is free again");
    assert!(registry.set_metadata(NAME, &one, nosy()));
    kill(&one).await;
    assert!(registry.names().is_empty());
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_name_gets_it_as_soon_as_it_is_bound() {
    let system = System::new();
    let one = puppet(&system).await;
    let waiting = tokio::spawn({
        let system = system.clone();
        async move { (system.wait_for(NAME, LONG).await, Instant::now()) }
    });
    let begun = Instant::now();
    tokio::time::sleep(Duration::from_secs(1)).await;
    // Something else is bound, and unbound, before.
    Registry::of(&system).bind(Name::<Msg>::new("another"), &one).expect("the name is free");
    tokio::time::sleep(Duration::from_secs(1)).await;
    Registry::of(&system).bind(NAME, &one).expect("the name is free");
    let (found, when) = waiting.await.expect("it waits well");
    assert_eq!((found, when - begun), (Ok(one.clone()), Duration::from_secs(2)));
    assert_eq!(system.wait_for(NAME, Duration::ZERO).await, Ok(one), "it is there");
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_name_hears_when_it_is_in_vain() {
    let system = System::new();
    let begun = Instant::now();
    let late = system.wait_for(NAME, Duration::from_secs(5)).await;
    assert_eq!((late, begun.elapsed()), (Err(WaitError::TimedOut("name".into())), Duration::from_secs(5)));
    let waiting = tokio::spawn({
        let system = system.clone();
        async move { system.wait_for(COUNTER, LONG).await }
    });
    tokio::task::yield_now().await;
    let one = puppet(&system).await;
    Registry::of(&system).bind(NAME, &one).expect("the name is free");
    let wrong = waiting.await.expect("it waits well").expect_err("it takes other messages");
    let WaitError::WrongType { wanted, found, .. } = wrong else { panic!("not {wrong}") };
    assert!(wanted == "u64" && found.ends_with("Msg"));
    assert_eq!(begun.elapsed(), Duration::from_secs(5), "at once");
}

#[tokio::test(start_paused = true)]
async fn who_stops_waiting_for_a_name_loses_nothing() {
    let system = System::new();
    let one = puppet(&system).await;
    let other = tokio::spawn({
        let system = system.clone();
        async move { system.wait_for(NAME, LONG).await }
    });
    for _ in 0..3 {
        let given_up = tokio::time::timeout(Duration::from_secs(1), system.wait_for(NAME, LONG)).await;
        assert!(given_up.is_err());
    }
    Registry::of(&system).bind(NAME, &one).expect("the name is free");
    assert_eq!(system.wait_for(NAME, LONG).await, Ok(one.clone()));
    assert_eq!(other.await.expect("it waits well"), Ok(one));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_who_waits_for_a_name_sleeps_through_its_binding() {
    let system = System::new();
    let one = puppet(&system).await;
    for number in 0..2_000 {
        let name: Name<Msg> = Name::from(format!("name {number}"));
        let waiting = tokio::spawn({
            let (system, name) = (system.clone(), name.clone());
            async move { system.wait_for(name, LONG).await }
        });
        Registry::of(&system).bind(&name, &one).expect("the name is free");
        assert_eq!(waiting.await.expect("it waits well").as_ref(), Ok(&one));
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_by_name_has_the_type_of_the_message() {
    let system = System::new();
    let unsent = system.cast_to(NAME, Msg::Heard(1)).expect_err("no actor is registered");
    assert_eq!(unsent.to_string(), r#"no actor is registered as "name" (message type Msg)"#);
    let unanswered =
        system.call_to(NAME, |_: Reply<u32>| Msg::Heard(1)).await.expect_err("no actor is registered");
    assert_eq!(unanswered.to_string(), r#"no actor is registered as "name" (message type Msg)"#);
}

#[tokio::test(start_paused = true)]
async fn c118_a_message_that_cannot_be_sent_through_a_name_comes_back() {
    let system = System::new();
    let said = |error: NamedCastError<Msg>| match error {
        NamedCastError::Lookup(_, Msg::Heard(said)) => said,
        NamedCastError::Send(
            SendError::Full(Unsent { message: Msg::Heard(said), .. })
            | SendError::Closed(Unsent { message: Msg::Heard(said), .. }),
        ) => said,
        error => panic!("not {error}"),
    };
    let nowhere = system.cast_to(NAME, Msg::Heard(1)).expect_err("nobody has it");
    assert_eq!(nowhere.to_string(), r#"no actor is registered as "name" (message type Msg)"#);
    assert_eq!(said(nowhere), 1);
    let small = puppet_with(&system, MailboxConfig::bounded(1)).await;
    Registry::of(&system).bind(NAME, &small).expect("the name is free");
    let wrong = system.cast_to(COUNTER, 7).expect_err("it takes other messages");
    assert!(matches!(wrong, NamedCastError::Lookup(LookupError::WrongType { .. }, 7)));
    system.cast_to(NAME, Msg::Heard(2)).expect("it has room");
    let full = system.cast_to(NAME, Msg::Heard(3)).expect_err("it is full");
    assert!(matches!(full, NamedCastError::Send(SendError::Full(_))));
    assert_eq!((said(full), heard(&small).await), (3, vec![2]));
}

/// Between the end of an actor and the hook that frees its name, the name leads to nobody.
#[tokio::test(start_paused = true)]
async fn c118_whoever_has_just_ended_takes_nothing_and_gives_it_back() {
    let system = System::new();
    let (one, (tell, told)) = (puppet(&system).await, tokio::sync::oneshot::channel());
    let then = system.clone();
    // Set before the one of the name, so it runs before it.
    one.handle().on_close(move || {
        let cast = then.cast_to(NAME, Msg::Heard(1));
        let cast = matches!(
            cast,
            Err(NamedCastError::Send(SendError::Closed(Unsent { message: Msg::Heard(1), .. })))
        );
        let mut call = std::pin::pin!(then.call_to(NAME, |_: Reply<()>| Msg::Heard(2)));
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        let Poll::Ready(Err(NamedCallError::Call(call))) = call.as_mut().poll(&mut cx) else {
            panic!("there is nobody to wait for")
        };
        let call = matches!(call.into_inner(), Some(Msg::Heard(2)));
        let alive = matches!(then.whereis_alive(NAME), Err(LookupError::NotFound(_)));
        tell.send([cast, call, alive]).expect("the test waits");
    });
    Registry::of(&system).bind(NAME, &one).expect("the name is free");
    kill(&one).await;
    assert_eq!(told.await, Ok([true; 3]));
}

#[tokio::test(start_paused = true)]
async fn a_call_through_a_name_is_answered_or_says_why_not() {
    let system = System::new();
    let ask = |reply: Reply<usize>| {
        Msg::Do(Box::new(move |puppet: &mut support::Puppet, _: &mut _| reply.send(puppet.heard.len())))
    };
    let nowhere = system.call_to(NAME, ask).await;
    assert!(matches!(nowhere, Err(NamedCallError::Lookup(LookupError::NotFound(_)))));
    let one = puppet(&system).await;
    Registry::of(&system).bind(NAME, &one).expect("the name is free");
    one.cast(Msg::Heard(1)).expect("it has room");
    assert_eq!(system.call_to(NAME, ask).await.expect("it answers"), 1);
    let failed = system.call_to(NAME, |_: Reply<()>| Msg::Crash).await;
    assert!(matches!(failed, Err(NamedCallError::Call(CallError::Ended(_, _)))), "{failed:?}");
    assert!(is_free(&system));
}

#[tokio::test(start_paused = true)]
async fn who_asks_for_one_that_lives_is_told_that_it_is_being_restarted() {
    let system = System::new();
    let mut hosted = Hosted::start(&system, |_| ()).await;
    assert!(matches!(system.whereis_alive(NAME), Err(LookupError::NotFound(_))));
    Registry::of(&system).bind(NAME, &hosted.address).expect("the name is free");
    assert_eq!(system.whereis_alive(NAME).expect("it lives"), hosted.address);
    assert!(matches!(system.whereis_alive(COUNTER), Err(LookupError::WrongType { .. })));
    hosted.crash().await;
    let Err(LookupError::Restarting { name, reason, retry_in }) = system.whereis_alive(NAME) else {
        panic!("it does not live");
    };
    assert!(name == "name" && reason.is_none() && retry_in.is_none(), "nobody has said more");
    hosted.start_next().await;
    assert_eq!(system.whereis_alive(NAME).expect("it lives"), hosted.address);
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
