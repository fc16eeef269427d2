//! Keys that any number of incarnations have: Elixir's `Registry` with duplicate keys.

use perennial_actors::{Address, Context, System};
use perennial_registry::{DuplicateKeys, RegisterError};

use crate::support::{ManagedActor, Msg, ScriptedActor, kill, pid, run_step, scripted_actor};

type Keys = DuplicateKeys<&'static str, Msg, u32>;

async fn register(
    keys: &Keys,
    actor: &Address<Msg>,
    key: &'static str,
    values: impl IntoIterator<Item = u32>,
) {
    for value in values {
        let keys = keys.clone();
        let registered = run_step(actor, move |ctx| keys.register(ctx, key, value)).await;
        registered.expect("a duplicate key");
    }
}

fn values(keys: &Keys, key: &'static str) -> Vec<u32> {
    keys.lookup(&key).into_iter().map(|entry| entry.value).collect()
}

#[tokio::test(start_paused = true)]
async fn c153_unregister_removes_both_entries_of_an_actor() {
    let (system, keys) = (System::new(), Keys::new());
    let (one, other) = (scripted_actor(&system).await, scripted_actor(&system).await);
    register(&keys, &one, "key", [1, 1]).await;
    register(&keys, &other, "key", [2]).await;
    register(&keys, &one, "key", [3]).await;
    assert_eq!(values(&keys, "key"), [1, 1, 2, 3], "in the order in which they were registered");
    let owners: Vec<_> = keys.lookup(&"key").into_iter().map(|entry| (entry.pid, entry.address)).collect();
    assert_eq!(owners[2], (pid(&other), other.clone()));
    assert_eq!((keys.keys_of(pid(&one)), keys.len()), (vec!["key"; 3], 1));
    let keys_then = keys.clone();
    assert_eq!(run_step(&one, move |ctx| keys_then.unregister(ctx, &"key")).await, [1, 1, 3]);
    assert_eq!((values(&keys, "key"), keys.keys_of(pid(&one))), (vec![2], vec![]));
}

#[tokio::test(start_paused = true)]
async fn c154_dispatch_runs_nothing_for_an_unregistered_key() {
    let (system, keys) = (System::new(), Keys::new());
    let mut runs = Vec::new();
    assert!(!keys.dispatch(&"key", |entries| runs.push(entries.len())));
    let one = scripted_actor(&system).await;
    register(&keys, &one, "key", [1, 2]).await;
    assert!(keys.dispatch(&"key", |entries| runs.push(entries.len())));
    kill(&one).await;
    assert!(!keys.dispatch(&"key", |entries| runs.push(entries.len())));
    assert_eq!(runs, [2], "once, with all entries");
}

#[tokio::test(start_paused = true)]
async fn unregister_match_removes_matching_entries_of_the_caller_only() {
    let (system, keys) = (System::new(), Keys::new());
    let (one, other) = (scripted_actor(&system).await, scripted_actor(&system).await);
    register(&keys, &one, "key", [1, 2, 3, 4]).await;
    register(&keys, &other, "key", [2, 4]).await;
    register(&keys, &one, "another", [2]).await;
    assert_eq!(keys.count_match(&"key", |value| value % 2 == 0), 4);
    let keys_then = keys.clone();
    let unregistered =
        run_step(&one, move |ctx| keys_then.unregister_match(ctx, &"key", |value| value % 2 == 0));
    assert_eq!(unregistered.await, [2, 4]);
    assert_eq!((values(&keys, "key"), values(&keys, "another")), (vec![1, 3, 2, 4], vec![2]));
    assert_eq!(keys.keys_of(pid(&one)), ["key", "key", "another"]);
    let mut all = keys.select(|key, entry| (entry.pid == pid(&one)).then_some((key, entry.value)));
    all.sort_unstable();
    assert_eq!(all, [("another", 2), ("key", 1), ("key", 3)]);
}

/// More than eight owners use the list of the incarnation instead of a scan.
#[tokio::test(start_paused = true)]
async fn unregister_removes_only_the_callers_entries_of_a_key_with_many_owners() {
    let (system, keys) = (System::new(), Keys::new());
    let mut owners = Vec::new();
    for value in 0..40 {
        owners.push(scripted_actor(&system).await);
        register(&keys, &owners[value as usize], "key", [value, 100 + value]).await;
        register(&keys, &owners[value as usize], "another", [value]).await;
    }
    for owner in owners.iter().step_by(2) {
        let keys = keys.clone();
        assert_eq!(run_step(owner, move |ctx| keys.unregister(ctx, &"key")).await.len(), 2);
    }
    for owner in owners.iter().skip(1).step_by(4) {
        kill(owner).await;
    }
    let left: Vec<u32> = (3..40).step_by(4).flat_map(|value| [value, 100 + value]).collect();
    assert_eq!(values(&keys, "key"), left);
    assert_eq!(values(&keys, "another").len(), 30);
    owners
        .iter()
        .filter(|owner| owner.pid().is_some())
        .for_each(|owner| owner.kill().expect("an incarnation runs"));
    for owner in &owners {
        owner.monitor().await;
    }
    assert!(keys.is_empty());
}

#[tokio::test(start_paused = true)]
async fn c159_end_removes_own_entries_and_a_restart_registers_again() {
    let (system, keys) = (System::new(), Keys::new());
    let other = scripted_actor(&system).await;
    register(&keys, &other, "key", [0]).await;
    let keys_then = keys.clone();
    let init = move |ctx: &mut Context<ScriptedActor>| {
        let value = ctx.pid().incarnation();
        keys_then.register(ctx, "key", value).expect("an incarnation runs");
        keys_then.register(ctx, "own", value).expect("an incarnation runs");
    };
    let mut managed = ManagedActor::start(&system, init).await;
    assert_eq!((values(&keys, "key"), keys.len()), (vec![0, 1], 2));
    managed.crash().await;
    assert_eq!((values(&keys, "key"), values(&keys, "own"), keys.len()), (vec![0], vec![], 1));
    managed.start_next().await;
    assert_eq!((values(&keys, "key"), values(&keys, "own")), (vec![0, 2], vec![2]));
}

#[tokio::test(start_paused = true)]
async fn ended_owner_is_skipped_before_its_entries_are_removed() {
    let (system, keys) = (System::new(), Keys::new());
    let (owner, (sender, seen)) = (scripted_actor(&system).await, tokio::sync::oneshot::channel());
    let keys_then = keys.clone();
    owner.handle().on_end(pid(&owner), move |_| {
        let ran = keys_then.dispatch(&"key", |_| ());
        sender
            .send((values(&keys_then, "key"), keys_then.count_match(&"key", |_| true), ran))
            .expect("the step waits");
    });
    register(&keys, &owner, "key", [1, 2]).await;
    kill(&owner).await;
    assert_eq!(seen.await, Ok((vec![], 0, false)));
    assert!(keys.is_empty());
}

#[tokio::test(start_paused = true)]
async fn closure_for_a_key_may_use_the_keys() {
    let (system, keys) = (System::new(), Keys::new());
    let one = scripted_actor(&system).await;
    register(&keys, &one, "key", [1, 2]).await;
    assert!(keys.dispatch(&"key", |entries| assert_eq!(keys.lookup(&"key").len(), entries.len())));
    assert_eq!(keys.count_match(&"key", |_| keys.len() == 1), 2);
    assert_eq!(keys.select(|key, _| Some(keys.lookup(&key).len())), [2, 2]);
    let keys_then = keys.clone();
    let unregistered = run_step(&one, move |ctx| {
        let keys = &keys_then;
        keys.unregister_match(ctx, &"key", |value| keys.count_match(&"key", |other| other > value) == 1)
    });
    assert_eq!(unregistered.await, [1]);
}

#[tokio::test(start_paused = true)]
async fn incarnation_without_its_mailbox_registers_nothing() {
    let (system, keys) = (System::new(), Keys::new());
    let keys_then = keys.clone();
    let managed = ManagedActor::start(&system, |_| ()).await;
    let (identity, was) = (managed.identity.clone(), pid(&managed.address));
    let (sender, result) = tokio::sync::oneshot::channel();
    let act = Msg::Do(Box::new(move |_, ctx| {
        assert!(identity.abandon(was));
        sender.send(keys_then.register(ctx, "key", 5)).expect("the test waits");
    }));
    managed.address.cast(act).expect("the mailbox is open");
    assert!(matches!(result.await, Ok(Err(RegisterError::Ended(5)))));
    assert!(keys.is_empty() && keys.keys_of(was).is_empty());
}
