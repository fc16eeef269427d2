//! Elixir's `PartitionSupervisor`, case by case.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use perennial_actors::{CallError, ExitReason, System};
use perennial_supervision::{
    App, ChildError, PartitionKey, PartitionSupervisor, Partitions, ResizeError, Restart, SpecError,
    Strategy, SupervisionStats,
};

use crate::support::worker::{
    HOUR, InitStep, Log, Msg, SECOND, Script, crash, end, incarnation, quiet, refused, shown, start,
    tolerant, worker,
};

fn several(max: usize) -> NonZeroUsize {
    NonZeroUsize::new(max).expect("it is not zero")
}

/// As many workers as there may be, which tell their number.
fn partitioned(max: usize) -> PartitionSupervisor<Msg> {
    let child = |number: usize| worker(number.to_string(), &Log::default());
    PartitionSupervisor::new("parts", several(max), child).intensity(1_000_000, SECOND)
}

async fn running(max: usize) -> (System, App<Partitions<Msg>>, Partitions<Msg>) {
    let (system, supervisor) = (System::new(), partitioned(max));
    let partitions = supervisor.handle();
    let app = supervisor.start(&system).await.expect("it starts");
    (system, app, partitions)
}

/// Returns the number of the partition that a key selects, as the partition itself reports it.
async fn leads_to(partitions: &Partitions<Msg>, key: &(impl PartitionKey + ?Sized)) -> usize {
    let address = partitions.address(key).expect("there are partitions");
    address.call(Msg::Id).await.expect("it answers").parse().expect("it is a number")
}

async fn listed(app: &App<Partitions<Msg>>) -> Vec<String> {
    shown(&app.supervisor().which_children().await.expect("it lives"))
}

#[tokio::test(start_paused = true)]
async fn c167_a_key_leads_to_the_partition_of_its_number_also_after_a_restart() {
    let (system, app, partitions) = running(3).await;
    for (key, partition) in [(3, 0), (-1, 1), (0, 0), (1, 1), (2, 2), (-2, 2), (-3, 0), (100, 1)] {
        assert_eq!(leads_to(&partitions, &key).await, partition, "{key}");
    }
    let first = partitions.address(&-1_i64).expect("there is one").clone();
    assert_eq!(partitions.address(&1_u8), Some(&first), "the same key leads to the same child");
    end(&first, ExitReason::failed("on purpose")).await;
    assert_eq!((leads_to(&partitions, &-1_i64).await, incarnation(&first).await), (1, 2));
    assert_eq!(partitions.address(&-1_i64), Some(&first));
    assert_eq!(SupervisionStats::of(&system).restarts, 1);
    assert_eq!(listed(&app).await, ["2 running", "1 running", "0 running"]);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn c168_a_resize_changes_how_many_run_and_where_keys_lead_and_not_how_many_there_are() {
    let (_, app, partitions) = running(4).await;
    for size in [4, 2, 3, 1, 4] {
        partitions.resize(size).await.expect("it does");
        let counts = app.supervisor().count_children().await.expect("it lives");
        assert_eq!((counts.specs, counts.active, counts.workers), (4, size, 4));
        assert_eq!(partitions.addresses().len(), size);
        for key in 0..9_usize {
            assert_eq!(leads_to(&partitions, &key).await, key % size, "key {key} of {size}");
        }
    }
    let all = partitions.addresses().to_vec();
    partitions.resize(0).await.expect("it does");
    assert_eq!(app.supervisor().count_children().await.expect("it lives").active, 0);
    assert!(partitions.address(&7_u32).is_none() && partitions.addresses().is_empty());
    assert!(all.iter().all(|address| address.cast(crash()).is_err()), "no incarnation is due");
    let more = partitions.resize(5).await.expect_err("it was made for four");
    assert!(matches!(more, ResizeError::TooMany { max: 4 }), "{more}");
    assert!(partitions.addresses().is_empty(), "nothing has changed");
    partitions.resize(4).await.expect("it does");
    assert_eq!(partitions.addresses(), all, "they are the same ones");
    assert!(app.shutdown().await.is_clean());
    let gone = partitions.resize(2).await.expect_err("it is gone");
    assert!(matches!(gone, ResizeError::Child { partition: 0, error: ChildError::ShuttingDown }), "{gone}");
}

/// So that a wrong number of children cannot be the same as no resize at all.
#[tokio::test(start_paused = true)]
async fn there_are_as_many_partitions_after_a_restart_of_their_supervisor() {
    for (strategy, size) in [(Strategy::OneForOne, 2), (Strategy::OneForAll, 2), (Strategy::OneForOne, 0)] {
        let supervisor = partitioned(4).strategy(strategy);
        let partitions = supervisor.handle();
        let (_, app) = start(tolerant("app").child(supervisor)).await;
        partitions.resize(size).await.expect("it does");
        partitions.handle().kill().expect("it lives");
        quiet().await;
        let counts = partitions.count_children().await.expect("it lives");
        assert_eq!((counts.specs, counts.active), (4, size), "{strategy:?}");
        for key in 0..size {
            assert_eq!(leads_to(&partitions, &key).await, key);
        }
        // A restart of the group restarts a partition that was stopped by request, but not one
        // beyond the target number.
        if let Some(first) = partitions.address(&0_u8) {
            end(first, ExitReason::Killed).await;
            quiet().await;
        }
        assert_eq!(partitions.count_children().await.expect("it lives").active, size);
        partitions.resize(4).await.expect("it does");
        assert_eq!(leads_to(&partitions, &3_u8).await, 3);
        assert!(app.shutdown().await.is_clean());
    }
}

#[tokio::test(start_paused = true)]
async fn a_partition_that_does_not_start_is_told_of_and_no_key_leads_to_it() {
    let fails = Arc::new(AtomicBool::new(false));
    let (flag, log) = (fails.clone(), Log::default());
    let child = move |number: usize| {
        let flag = flag.clone();
        let init = move |_| {
            if number == 2 && flag.load(Ordering::Relaxed) { InitStep::Fail } else { InitStep::Succeed }
        };
        Script::new(number.to_string(), &log).with_init(init).child()
    };
    let supervisor = PartitionSupervisor::new("parts", several(4), child);
    let (system, partitions) = (System::new(), supervisor.handle());
    let app = supervisor.start(&system).await.expect("it starts");
    partitions.resize(1).await.expect("it does");
    fails.store(true, Ordering::Relaxed);
    let failed = partitions.resize(4).await.expect_err("it fails");
    assert_eq!(failed.to_string(), "partition 2: the child did not start: failed: no such luck");
    for key in 0..8_u8 {
        let address = partitions.address(&key).expect("there are partitions");
        assert_eq!(incarnation(address).await, if address == &partitions.addresses()[0] { 1 } else { 2 });
    }
    fails.store(false, Ordering::Relaxed);
    partitions.resize(4).await.expect("it does");
    assert_eq!(leads_to(&partitions, &2_u8).await, 2);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn callers_are_answered_or_told_while_partitions_come_and_go() {
    const CALLERS: u64 = 16;
    const CALLS: u64 = 200;
    let (system, app, partitions) = running(8).await;
    let callers: Vec<_> = (0..CALLERS)
        .map(|caller| {
            let partitions = partitions.clone();
            tokio::spawn(async move {
                let mut answered = 0;
                for n in 0..CALLS {
                    let address =
                        partitions.address(&(caller * CALLS + n)).expect("there is one at least").clone();
                    // Others get in between the look and the call.
                    tokio::task::yield_now().await;
                    match address.call(Msg::Incarnation).await {
                        Ok(_) => answered += 1,
                        Err(CallError::Closed(_) | CallError::Ended(_, _)) => {}
                        Err(error) => panic!("neither answered nor told: {error}"),
                    }
                }
                answered
            })
        })
        .collect();
    for size in (0..60).map(|n| 1 + n * 5 % 8) {
        partitions.resize(size).await.expect("it does");
        assert_eq!(partitions.addresses().len(), size);
        tokio::task::yield_now().await;
    }
    let mut answered = 0;
    for caller in callers {
        answered += caller.await.expect("it ends well");
    }
    assert!(answered > CALLERS * CALLS / 2, "{answered} were answered");
    partitions.resize(8).await.expect("it does");
    assert_eq!(app.supervisor().count_children().await.expect("it lives").active, 8);
    assert!(app.shutdown().await.is_clean());
    assert!(system.counters().is_balanced());
}

/// Only a key whose partition was removed is refused.
#[tokio::test(start_paused = true)]
async fn a_caller_is_always_answered_while_more_partitions_start() {
    let (_, app, partitions) = running(8).await;
    partitions.resize(1).await.expect("it does");
    let done = Arc::new(AtomicBool::new(false));
    let (over, keys) = (done.clone(), partitions.clone());
    let caller = tokio::spawn(async move {
        let mut calls = 0_u64;
        while !over.load(Ordering::Relaxed) {
            let address = keys.address(&calls).expect("there is one at least").clone();
            tokio::task::yield_now().await;
            address.call(Msg::Incarnation).await.expect("a selected partition runs");
            calls += 1;
        }
        calls
    });
    for size in 2..=8 {
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        partitions.resize(size).await.expect("it does");
    }
    done.store(true, Ordering::Relaxed);
    assert!(caller.await.expect("it ends well") > 20);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn two_that_resize_at_once_do_so_one_after_the_other() {
    let (_, app, partitions) = running(6).await;
    for (one, other) in [(2, 5), (6, 1), (0, 3)] {
        let (a, b) = tokio::join!(partitions.resize(one), partitions.resize(other));
        a.and(b).expect("both do");
        let active = app.supervisor().count_children().await.expect("it lives").active;
        assert_eq!((partitions.addresses().len(), active), (other, other), "the last counts");
    }
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn partitions_are_children_like_others_and_their_supervisor_too() {
    let supervisor = partitioned(2).restart(Restart::Transient).intensity(0, HOUR);
    let partitions = supervisor.handle();
    assert!(supervisor.check().is_ok());
    let first = partitions.address(&0_u8).expect("there are partitions").clone();
    assert!(first.cast(crash()).is_err(), "no incarnation is due yet");
    let (_, app) = start(tolerant("app").child(supervisor)).await;
    assert_eq!(app.tree().at(["parts", "1"]).expect("it is there").pid, partitions.addresses()[1].pid());
    end(&first, ExitReason::failed("on purpose")).await;
    quiet().await;
    assert!(first.cast(crash()).is_err(), "it gave up, and is transient");
    assert_eq!(refused(partitions.which_children().await), "the supervisor has ended or is shutting down");
    let wrong = partitioned(2).intensity(1, std::time::Duration::ZERO);
    assert!(matches!(wrong.check(), Err(SpecError::ZeroPeriod { .. })));
    let significant = PartitionSupervisor::new("parts", several(1), |_| {
        worker("a", &Log::default()).restart(Restart::Transient).significant()
    });
    assert!(
        matches!(significant.check(), Err(SpecError::SignificantForNothing { .. })),
        "it never shuts down by itself"
    );
    assert!(app.shutdown().await.is_clean());
}

/// Whatever is changed here changes where the keys of running systems lead.
#[test]
fn the_number_of_a_key_is_the_same_everywhere_and_always() {
    assert_eq!((0_u8.number(), 255_u8.number(), (-128_i8).number(), 127_i8.number()), (0, 255, 128, 127));
    assert_eq!((u16::MAX.number(), i16::MIN.number()), (65_535, 32_768));
    assert_eq!((u32::MAX.number(), i32::MIN.number()), (4_294_967_295, 2_147_483_648));
    assert_eq!((u64::MAX.number(), i64::MIN.number()), (u64::MAX, 9_223_372_036_854_775_808));
    assert_eq!((7_usize.number(), (-7_isize).number()), (7, 7));
    // The published test values of FNV-1a.
    for (text, number) in [
        ("", 0xcbf2_9ce4_8422_2325),
        ("a", 0xaf63_dc4c_8601_ec8c),
        ("b", 0xaf63_df4c_8601_f1a5),
        ("foobar", 0x8594_4171_f739_67e8),
    ] {
        assert_eq!(text.number(), number, "{text:?}");
        assert_eq!(text.to_owned().number(), number);
        assert_eq!(text.as_bytes().number(), number);
        assert_eq!((&&text).number(), number);
    }
}
