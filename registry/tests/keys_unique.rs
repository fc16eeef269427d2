//! Keys that one incarnation has at a time: Elixir's `Registry` with unique keys.

use std::sync::mpsc;

use perennial_actors::{Address, Context, System};
use perennial_registry::{KeyChange, KeyEntry, RegisterError, UniqueKeys};
use tokio::sync::oneshot;

use crate::support::{ManagedActor, Msg, ScriptedActor, kill, pid, run_step, scripted_actor};

type Keys = UniqueKeys<&'static str, Msg, u32>;

/// Registers a key for the actor.
async fn register(
    keys: &Keys,
    actor: &Address<Msg>,
    key: &'static str,
    value: u32,
) -> Result<(), RegisterError<u32>> {
    let keys = keys.clone();
    run_step(actor, move |ctx| keys.register(ctx, key, value)).await
}

/// Returns the owner of a key and its value.
fn owner(keys: &Keys, key: &'static str) -> Option<(Address<Msg>, u32)> {
    let KeyEntry { pid, address, value, .. } = keys.lookup(&key)?;
    assert_eq!(address.pid(), Some(pid));
    assert_eq!(keys.whereis(&key), Some(address.clone()));
    Some((address, value))
}

#[tokio::test(start_paused = true)]
async fn c149_second_registration_reports_the_owner_also_to_the_owner() {
    let (system, keys) = (System::new(), Keys::new());
    let (one, other) = (scripted_actor(&system).await, scripted_actor(&system).await);
    register(&keys, &one, "key", 1).await.expect("the key is free");
    for (actor, value) in [(&other, 2), (&one, 3)] {
        let refused = register(&keys, actor, "key", value).await;
        let Err(RegisterError::AlreadyRegistered { pid: owner, value: back }) = refused else {
            panic!("expected AlreadyRegistered, got {refused:?}");
        };
        assert_eq!((owner, back), (pid(&one), value));
    }
    assert_eq!(owner(&keys, "key"), Some((one.clone(), 1)));
    assert_eq!((keys.keys_of(pid(&one)), keys.keys_of(pid(&other))), (vec!["key"], vec![]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c150_successor_registers_before_the_old_entry_is_removed_and_keeps_the_key() {
    let (system, keys) = (System::new(), Keys::new());
    let (old, new) = (scripted_actor(&system).await, scripted_actor(&system).await);
    let (sender, ended) = oneshot::channel();
    let (clean_up, blocked) = mpsc::channel::<()>();
    // Added before the hook of the keys, so it runs before that one and blocks it.
    let set = old.handle().on_end(pid(&old), move |_| {
        sender.send(()).expect("the test waits");
        let _ = blocked.recv();
    });
    assert!(set);
    register(&keys, &old, "key", 1).await.expect("the key is free");
    let mut listener = keys.subscribe();
    let (was, down) = (pid(&old), old.monitor());
    old.kill().expect("an incarnation runs");
    ended.await.expect("the actor ends");
    assert_eq!((owner(&keys, "key"), keys.select(|key, _| Some(key))), (None, vec![]));
    register(&keys, &new, "key", 2).await.expect("the old owner has ended");
    assert_eq!(owner(&keys, "key"), Some((new.clone(), 2)));
    drop(clean_up);
    down.await;
    assert_eq!(owner(&keys, "key"), Some((new.clone(), 2)));
    assert_eq!(keys.len(), 1);
    let result = [listener.try_next(), listener.try_next()].map(Option::unwrap);
    assert!(matches!(&result[0], KeyChange::Unregistered { key, pid } if **key == "key" && *pid == was));
    assert!(
        matches!(&result[1], KeyChange::Registered { key, pid: by } if **key == "key" && *by == pid(&new))
    );
    assert!(listener.try_next().is_none(), "it is unregistered once");
}

#[tokio::test(start_paused = true)]
async fn ended_owner_is_skipped_before_its_entries_are_removed() {
    let (system, keys) = (System::new(), Keys::new());
    let owner = scripted_actor(&system).await;
    let (sender, seen) = oneshot::channel();
    let keys_then = keys.clone();
    owner.handle().on_end(pid(&owner), move |_| {
        let looked = (keys_then.lookup(&"key").is_some(), keys_then.whereis(&"key").is_some());
        sender.send((looked, keys_then.select(|key, _| Some(key)))).expect("the test waits");
    });
    register(&keys, &owner, "key", 1).await.expect("the key is free");
    kill(&owner).await;
    assert_eq!(seen.await, Ok(((false, false), vec![])));
    assert!(keys.is_empty());
}

#[tokio::test(start_paused = true)]
async fn c151_a_value_is_changed_by_its_owner_only() {
    let (system, keys) = (System::new(), Keys::new());
    let (one, other) = (scripted_actor(&system).await, scripted_actor(&system).await);
    register(&keys, &one, "key", 1).await.expect("the key is free");
    let update = |actor: Address<Msg>| {
        let keys = keys.clone();
        async move { run_step(&actor, move |ctx| keys.update(ctx, &"key", |old| old + 10)).await }
    };
    assert_eq!(update(other).await, None);
    assert_eq!(owner(&keys, "key"), Some((one.clone(), 1)));
    assert_eq!(update(one.clone()).await, Some(1), "the old value is returned");
    assert_eq!(owner(&keys, "key"), Some((one.clone(), 11)));
    let keys_then = keys.clone();
    assert_eq!(run_step(&one, move |ctx| keys_then.update(ctx, &"no key", |old| *old)).await, None);
}

#[tokio::test(start_paused = true)]
async fn c152_unregister_keeps_a_key_of_another_owner() {
    let (system, keys) = (System::new(), Keys::new());
    let (one, other) = (scripted_actor(&system).await, scripted_actor(&system).await);
    register(&keys, &one, "key", 1).await.expect("the key is free");
    let unregister = |actor: Address<Msg>| {
        let keys = keys.clone();
        async move { run_step(&actor, move |ctx| keys.unregister(ctx, &"key")).await }
    };
    assert_eq!(unregister(other.clone()).await, None);
    assert_eq!(owner(&keys, "key"), Some((one.clone(), 1)));
    assert_eq!(unregister(one.clone()).await, Some(1));
    assert_eq!((owner(&keys, "key"), keys.len()), (None, 0));
    register(&keys, &other, "key", 2).await.expect("the key is free again");
    kill(&one).await;
    assert_eq!(owner(&keys, "key"), Some((other, 2)), "it was unregistered before");
}

#[tokio::test(start_paused = true)]
async fn c159_all_keys_of_an_actor_are_removed_before_its_end_is_notified() {
    let (system, keys) = (System::new(), Keys::new());
    let (one, other) = (scripted_actor(&system).await, scripted_actor(&system).await);
    for (value, key) in (0..).zip(["c", "a", "b"]) {
        register(&keys, &one, key, value).await.expect("the key is free");
    }
    register(&keys, &other, "d", 3).await.expect("the key is free");
    let keys_then = keys.clone();
    assert_eq!(run_step(&one, move |ctx| keys_then.unregister(ctx, &"a")).await, Some(1));
    assert_eq!(keys.keys_of(pid(&one)), ["c", "b"], "in the order in which it registered them");
    let mut all = keys.select(|key, entry| (entry.value != 2).then_some((key, entry.value)));
    all.sort_unstable();
    assert_eq!((all, keys.len(), keys.is_empty()), (vec![("c", 0), ("d", 3)], 3, false));
    let was = pid(&one);
    kill(&one).await;
    assert_eq!((keys.keys_of(was), keys.len()), (vec![], 1));
    assert_eq!([owner(&keys, "c"), owner(&keys, "b")], [None, None]);
    assert_eq!(owner(&keys, "d"), Some((other, 3)));
}

#[tokio::test(start_paused = true)]
async fn a_restarted_actor_registers_again_and_finds_its_key_free() {
    let (system, keys) = (System::new(), Keys::new());
    let keys_then = keys.clone();
    let init = move |ctx: &mut Context<ScriptedActor>| {
        let value = ctx.pid().incarnation();
        keys_then.register(ctx, "key", value).expect("the previous owner has ended");
    };
    let mut managed = ManagedActor::start(&system, init).await;
    for incarnation in 1..10 {
        assert_eq!(owner(&keys, "key"), Some((managed.address.clone(), incarnation)));
        managed.crash().await;
        assert_eq!((owner(&keys, "key"), keys.len()), (None, 0), "the key belonged to the incarnation");
        managed.start_next().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn abandoned_incarnation_registers_nothing_and_removes_no_key_of_the_next() {
    let (system, keys) = (System::new(), Keys::new());
    let keys_then = keys.clone();
    let init = move |ctx: &mut Context<ScriptedActor>| {
        let value = ctx.pid().incarnation();
        keys_then.register(ctx, "key", value).expect("the previous incarnation has no key");
    };
    let mut managed = ManagedActor::start(&system, init).await;
    let (resume, until) = mpsc::channel::<()>();
    let (begin, begun) = oneshot::channel();
    let (sender, result) = oneshot::channel();
    let keys_then = keys.clone();
    // The step blocks its thread, so the actor cannot be killed.
    let hang = Msg::Do(Box::new(move |_, ctx| {
        begin.send(()).expect("the test waits");
        let _ = until.recv();
        let refused = [keys_then.register(ctx, "key", 8), keys_then.register(ctx, "another", 9)];
        let took = (keys_then.unregister(ctx, &"key"), keys_then.update(ctx, &"key", |old| old + 1));
        sender.send((refused, took)).expect("the test waits");
    }));
    managed.address.cast(hang).expect("the mailbox is open");
    begun.await.expect("the step begins");
    assert!(managed.identity.abandon(pid(&managed.address)));
    managed.start_next().await;
    resume.send(()).expect("the step waits");
    let (refused, took) = result.await.expect("the step continues");
    assert!(matches!(refused, [Err(RegisterError::Ended(8)), Err(RegisterError::Ended(9))]), "{refused:?}");
    assert_eq!(took, (None, None));
    assert_eq!((owner(&keys, "key"), keys.len()), (Some((managed.address.clone(), 2)), 1));
}

#[tokio::test(start_paused = true)]
async fn closure_for_a_key_may_use_the_keys() {
    let (system, keys) = (System::new(), Keys::new());
    let one = scripted_actor(&system).await;
    register(&keys, &one, "key", 1).await.expect("the key is free");
    let keys_then = keys.clone();
    let updated = run_step(&one, move |ctx| {
        let keys = &keys_then;
        let old = keys.update(ctx, &"key", |old| {
            old + keys.lookup(&"key").map_or(0, |entry| entry.value) + keys.len() as u32
        });
        let seen = keys.select(|key, entry| Some((key, entry.value, keys.lookup(&key).is_some())));
        (old, seen)
    });
    assert_eq!(updated.await, (Some(1), vec![("key", 3, true)]));
}
