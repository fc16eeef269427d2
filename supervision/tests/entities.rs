//! An actor for every key: starts, passivation, failures, limits.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use perennial_actors::{Actor, Address, CallError, Context, ExitReason, Reply, System};
use perennial_supervision::entities::{Entities, EntitiesHandle, EntityError};
use perennial_supervision::{App, Backoff, Supervisor, SupervisorHandle};

/// What all incarnations have in common.
#[derive(Clone, Default)]
struct Shared {
    /// The keys of the incarnations in the order in which they started.
    starts: Arc<Mutex<Vec<String>>>,
    /// The keys whose start fails.
    poisoned: Arc<Mutex<Vec<String>>>,
}

impl Shared {
    fn starts(&self) -> Vec<String> {
        self.starts.lock().expect("no test panics with it").clone()
    }

    fn poison(&self, key: &str) {
        self.poisoned.lock().expect("no test panics with it").push(key.to_owned());
    }
}

/// Counts in memory.
struct Counter {
    count: u64,
}

enum Msg {
    Add(u64),
    Get(Reply<u64>),
    Fail,
    Hang,
}

impl Actor for Counter {
    type Msg = Msg;
    type Args = (String, Shared);

    async fn init((key, shared): &Self::Args, _: &mut Context<Self>) -> Result<Self, ExitReason> {
        shared.starts.lock().expect("no test panics with it").push(key.clone());
        if shared.poisoned.lock().expect("no test panics with it").contains(key) {
            return Err(ExitReason::failed("poisoned"));
        }
        Ok(Self { count: 0 })
    }

    async fn handle(&mut self, msg: Msg, _: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Add(number) => self.count += number,
            Msg::Get(reply) => reply.send(self.count),
            Msg::Fail => return Err(ExitReason::failed("told to")),
            Msg::Hang => std::future::pending().await,
        }
        Ok(())
    }
}

type Counters = Entities<String, Counter>;
type Handle = EntitiesHandle<String, Counter>;

fn counters(shared: &Shared) -> Counters {
    let shared = shared.clone();
    Entities::new("counters", move |key: &String| (key.clone(), shared.clone()))
}

async fn start(counters: Counters) -> (Handle, App<SupervisorHandle>) {
    let handle = counters.handle();
    let app = Supervisor::new("app").child(counters).start(&System::new()).await.expect("it starts");
    (handle, app)
}

fn address(handle: &Handle, key: &str) -> Address<Msg> {
    handle.address(&key.to_owned()).expect("there is room")
}

async fn get(handle: &Handle, key: &str) -> u64 {
    address(handle, key).call(Msg::Get).await.expect("it answers")
}

#[tokio::test(start_paused = true)]
async fn first_message_starts_an_entity_and_idleness_passivates_it() {
    let shared = Shared::default();
    let (handle, app) = start(counters(&shared).idle_after(Duration::from_secs(10))).await;
    let held = address(&handle, "a");
    assert_eq!(shared.starts(), Vec::<String>::new(), "an address starts nothing");
    held.cast(Msg::Add(2)).expect("it is open");
    assert_eq!(held.call(Msg::Get).await.expect("it answers"), 2);
    assert_eq!(held.handle().label().as_deref(), Some("app/counters/a"));
    live(&handle, 0).await;
    assert_eq!(held.call(Msg::Get).await.expect("it is started again"), 0, "it begins anew");
    assert_eq!(shared.starts(), ["a", "a"]);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn entity_that_is_used_is_not_passivated() {
    let shared = Shared::default();
    let (handle, app) = start(counters(&shared).idle_after(Duration::from_secs(10))).await;
    let held = address(&handle, "a");
    for _ in 0..20 {
        held.cast(Msg::Add(1)).expect("it is open");
        tokio::time::sleep(Duration::from_secs(6)).await;
    }
    assert_eq!(held.call(Msg::Get).await.expect("it answers"), 20);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn least_recently_used_entity_makes_room() {
    let shared = Shared::default();
    let (handle, app) = start(counters(&shared).max_live(3).idle_after(None)).await;
    for key in ["a", "b", "c", "a", "d"] {
        address(&handle, key).cast(Msg::Add(1)).expect("it is open");
        get(&handle, key).await;
    }
    assert_eq!(get(&handle, "a").await, 2, "it was used after b");
    assert_eq!(get(&handle, "c").await, 1);
    assert_eq!(get(&handle, "b").await, 0, "it made room");
    assert!(handle.stats().live <= 3);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn poisoned_key_waits_for_its_own_delay_and_harms_no_other() {
    let shared = Shared::default();
    shared.poison("bad");
    let backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));
    let (handle, app) = start(counters(&shared).backoff(backoff)).await;
    let bad = address(&handle, "bad");
    bad.cast(Msg::Add(1)).expect("it is open");
    for number in 0..100_u64 {
        let key = number.to_string();
        assert_eq!(get(&handle, &key).await, 0);
    }
    tokio::time::sleep(Duration::from_secs(16)).await;
    let starts = shared.starts().iter().filter(|key| *key == "bad").count();
    assert_eq!(starts, 5, "at 0, 1, 3, 7 and 15 s");
    shared.poisoned.lock().expect("no test panics with it").clear();
    bad.cast(Msg::Add(1)).expect("it is open");
    tokio::time::sleep(Duration::from_secs(16)).await;
    assert_eq!(bad.call(Msg::Get).await.expect("it is healthy"), 2, "what waited is handled");
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn handler_that_fails_loses_its_message_and_keeps_the_others() {
    let shared = Shared::default();
    let (handle, app) = start(counters(&shared)).await;
    let held = address(&handle, "a");
    for message in [Msg::Add(1), Msg::Fail, Msg::Add(5)] {
        held.cast(message).expect("it is open");
    }
    assert_eq!(held.call(Msg::Get).await.expect("it is started again"), 5);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn entity_that_is_given_up_tells_its_callers_and_begins_with_a_new_identity() {
    let shared = Shared::default();
    shared.poison("bad");
    let (handle, app) = start(counters(&shared).give_up_after(3)).await;
    let bad = address(&handle, "bad");
    let error = bad.call(Msg::Get).await.expect_err("it never starts");
    assert!(matches!(error, CallError::Ended(..)), "{error:?}");
    assert_eq!(shared.starts().len(), 3);
    assert!(bad.cast(Msg::Add(1)).is_err(), "its address is closed");
    shared.poisoned.lock().expect("no test panics with it").clear();
    assert_eq!(get(&handle, "bad").await, 0);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn entity_that_nothing_refers_to_is_freed() {
    let shared = Shared::default();
    let (handle, app) = start(counters(&shared).idle_after(Duration::from_secs(1))).await;
    let held = address(&handle, "held");
    for key in ["a", "b", "held"] {
        get(&handle, key).await;
    }
    live(&handle, 0).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(handle.stats().known, 1, "its address is held");
    drop(held);
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(handle.stats().known, 0);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn key_beyond_the_limit_is_refused() {
    let shared = Shared::default();
    let (handle, app) = start(counters(&shared).max_keys(2)).await;
    let _held = [address(&handle, "a"), address(&handle, "b")];
    assert_eq!(handle.address(&"c".to_owned()).err(), Some(EntityError::TooMany));
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn there_are_no_addresses_before_the_start_and_none_after_the_end() {
    let shared = Shared::default();
    let counters = counters(&shared);
    let handle = counters.handle();
    assert_eq!(handle.address(&"a".to_owned()).err(), Some(EntityError::Unstarted));
    let app = Supervisor::new("app").child(counters).start(&System::new()).await.expect("it starts");
    let held = address(&handle, "a");
    held.cast(Msg::Add(1)).expect("it is open");
    assert!(app.shutdown().await.is_clean());
    while handle.address(&"a".to_owned()).err() != Some(EntityError::Closed) {
        tokio::task::yield_now().await;
    }
    while held.cast(Msg::Add(1)).is_ok() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn shutdown_stops_each_entity_and_kills_one_that_hangs() {
    let shared = Shared::default();
    let (handle, app) = start(counters(&shared).stop_timeout(Duration::from_secs(2))).await;
    let hanging = address(&handle, "hanging");
    get(&handle, "a").await;
    let monitor = address(&handle, "a").monitor();
    hanging.cast(Msg::Hang).expect("it is open");
    get(&handle, "b").await;
    let hung = hanging.monitor();
    assert!(app.shutdown().await.is_clean());
    assert_eq!(monitor.await.reason, ExitReason::shutdown());
    assert_eq!(hung.await.reason, ExitReason::Killed);
}

#[tokio::test(start_paused = true)]
async fn driver_that_is_restarted_goes_on_with_the_same_entities() {
    let (shared, system) = (Shared::default(), System::new());
    let counters = counters(&shared).idle_after(Duration::from_secs(10));
    let handle = counters.handle();
    let app = Supervisor::new("app").child(counters).start(&system).await.expect("it starts");
    let held = address(&handle, "a");
    held.cast(Msg::Add(3)).expect("it is open");
    assert_eq!(held.call(Msg::Get).await.expect("it answers"), 3);
    let driver = app.supervisor().which_children().await.expect("it runs")[0].pid.expect("it runs");
    let driver = system.actor(driver).expect("it runs");
    let killed = driver.monitor();
    driver.kill().expect("it runs");
    assert_eq!(killed.await.reason, ExitReason::Killed);
    assert_eq!(held.call(Msg::Get).await.expect("it runs on"), 3);
    assert_eq!(get(&handle, "b").await, 0, "others are started");
    live(&handle, 0).await;
    assert_eq!(held.call(Msg::Get).await.expect("it is started again"), 0);
    assert!(app.shutdown().await.is_clean());
}

/// A key whose `Display` panics.
#[derive(Clone)]
struct Panicking;

impl std::fmt::Display for Panicking {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        panic!("no text")
    }
}

#[tokio::test(start_paused = true)]
async fn code_of_the_user_that_panics_is_a_typed_error_or_a_failure() {
    let entities = Entities::<Panicking, Counter>::new("bad keys", |_| unreachable!("no key has a text"));
    let handle = entities.handle();
    let app = Supervisor::new("app").child(entities).start(&System::new()).await.expect("it starts");
    assert_eq!(handle.address(&Panicking).err(), Some(EntityError::KeyPanicked));
    assert!(app.shutdown().await.is_clean());

    let entities = Entities::<String, Counter>::new("bad args", |_| panic!("no arguments")).give_up_after(1);
    let handle = entities.handle();
    let app = Supervisor::new("app").child(entities).start(&System::new()).await.expect("it starts");
    let error = address(&handle, "a").call(Msg::Get).await.expect_err("it does not start");
    assert!(matches!(error, CallError::Ended(..)), "{error:?}");
    assert!(app.shutdown().await.is_clean());
}

/// Waits until this many incarnations are left.
async fn live(handle: &Handle, expected: usize) {
    while handle.stats().live != expected {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
