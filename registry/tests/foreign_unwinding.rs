//! One key or value panics while others are in scope: each of the others is dropped under a guard,
//! or the process would abort. The panic itself propagates to the caller.

use std::cell::Cell;
use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use perennial_actors::System;
use perennial_registry::{DuplicateKeys, UniqueKeys};

use crate::support::{Msg, run_step, scripted_actor};

thread_local! {
    /// The countdown of each operation: the number of calls before the one that panics.
    static CLONE: Cell<u32> = const { Cell::new(u32::MAX) };
    static HASH: Cell<u32> = const { Cell::new(u32::MAX) };
    static EQ: Cell<u32> = const { Cell::new(u32::MAX) };
    static DROP: Cell<bool> = const { Cell::new(false) };
}

type Countdown = std::thread::LocalKey<Cell<u32>>;

/// Panics without calling the panic hook.
fn fail() {
    resume_unwind(Box::new("on purpose"))
}

fn count_down(left: &'static Countdown) {
    let calls = left.get();
    left.set(calls.saturating_sub(1));
    if calls == 0 {
        fail();
    }
}

/// A key or a value whose operations panic if the test says so.
#[derive(Debug)]
struct Frail(u32);

impl Clone for Frail {
    fn clone(&self) -> Self {
        count_down(&CLONE);
        Self(self.0)
    }
}

impl PartialEq for Frail {
    fn eq(&self, other: &Self) -> bool {
        count_down(&EQ);
        self.0 == other.0
    }
}

impl Eq for Frail {}

impl Hash for Frail {
    fn hash<H: Hasher>(&self, state: &mut H) {
        count_down(&HASH);
        self.0.hash(state);
    }
}

impl Drop for Frail {
    fn drop(&mut self) {
        if DROP.get() {
            fail();
        }
    }
}

/// Runs `code` while every drop of a frail value panics and a countdown runs. Returns `true` if it
/// panicked.
fn fails(left: &'static Countdown, calls: u32, code: impl FnOnce()) -> bool {
    left.set(calls);
    DROP.set(true);
    let done = catch_unwind(AssertUnwindSafe(code));
    DROP.set(false);
    left.set(u32::MAX);
    done.is_err()
}

#[tokio::test(start_paused = true)]
async fn values_cloned_before_a_panicking_clone_are_dropped_one_by_one() {
    let system = System::new();
    let actor = scripted_actor(&system).await;
    let (unique, duplicate): (UniqueKeys<Frail, Msg, Frail>, DuplicateKeys<Frail, Msg, Frail>) =
        Default::default();
    let (unique_then, duplicate_then) = (unique.clone(), duplicate.clone());
    run_step(&actor, move |ctx| {
        for number in 0..3 {
            unique_then.register(ctx, Frail(number), Frail(number)).expect("the name is free");
            duplicate_then.register(ctx, Frail(7), Frail(number)).expect("an incarnation runs");
        }
    })
    .await;
    let (pid, key) = (actor.pid().expect("an incarnation runs"), Frail(7));
    for calls in [1, 2] {
        assert!(fails(&CLONE, calls, || drop(unique.keys_of(pid))), "keys of an actor");
        let forget = |key, entry| {
            // Both would panic, one while the other unwinds.
            std::mem::forget((key, entry));
            Some(())
        };
        assert!(fails(&CLONE, calls, || drop(unique.select(forget))), "selected");
        assert!(fails(&CLONE, calls, || drop(duplicate.lookup(&key))), "looked up");
        let run = |_| unreachable!("nothing is found");
        assert!(
            fails(&CLONE, calls, || {
                let _ = duplicate.dispatch(&key, run);
            }),
            "dispatched"
        );
    }
    let beside = Frail(0);
    let pick = move |key, entry| {
        std::mem::forget((key, entry));
        Some(beside.0)
    };
    assert!(fails(&CLONE, 0, || drop(unique.select(pick))), "select with a closure");
    let fail_then = |_: &Frail| {
        fail();
        true
    };
    assert!(
        fails(&CLONE, u32::MAX, || {
            let _ = duplicate.count_match(&key, fail_then);
        }),
        "counted"
    );
    assert_eq!((unique.len(), duplicate.len()), (3, 1));
}

#[tokio::test(start_paused = true)]
async fn values_of_a_registration_or_update_are_dropped_one_by_one_when_the_key_panics() {
    let system = System::new();
    let actor = scripted_actor(&system).await;
    let keys: UniqueKeys<Frail, Msg, Frail> = UniqueKeys::default();
    let then = keys.clone();
    run_step(&actor, move |ctx| {
        then.register(ctx, Frail(1), Frail(1)).expect("the name is free");
        for (left, calls) in [(&HASH, 0), (&EQ, 0)] {
            assert!(fails(left, calls, || drop(then.register(ctx, Frail(1), Frail(2)))), "registered");
            let (key, value) = (Frail(1), Frail(3));
            assert!(fails(left, calls, || drop(then.update(ctx, &key, |_| value))), "changed");
        }
        let (key, value) = (Frail(1), Frail(3));
        assert!(fails(&CLONE, 0, || drop(then.update(ctx, &key, |_| value))), "changed");
        let fail_then = |_: &Frail| {
            fail();
            Frail(4)
        };
        assert!(fails(&CLONE, u32::MAX, || drop(then.update(ctx, &key, fail_then))), "changed");
        assert_eq!(then.lookup(&key).map(|entry| entry.value.0), Some(1), "the value is unchanged");
    })
    .await;
    assert_eq!(keys.len(), 1);
}
