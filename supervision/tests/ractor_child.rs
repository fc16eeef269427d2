//! Ractor actors as children: queued messages, restarts, and the descendants of an actor.

use std::time::Duration;

use perennial_actors::{
    Actor, CallError, Context, DeadLetter, ExitReason, MailboxConfig, OverflowPolicy, ProcessState, Reply,
    System,
};
use perennial_registry::{Name, Whereis};
use perennial_supervision::{Child, Restart, Strategy, SupervisionStats, Supervisor};
use ractor::ActorStatus;
use tokio::time::Instant;

use crate::support::ractor_script::{Msg, Step, cast, notes, plain, scripted, start};

const SCRIPTED: Name<Msg> = Name::new("scripted");

#[tokio::test(start_paused = true)]
async fn the_address_and_the_name_lead_to_the_next_incarnation() {
    for step in [Step::Fail, Step::Panic, Step::Kill, Step::Stop(None)] {
        let child = plain("scripted").named(SCRIPTED);
        let (system, address) = (System::new(), child.address());
        let app = Supervisor::new("app").child(child).start(&system).await.expect("it starts");
        cast(&address, Msg::Note(1));
        assert_eq!(notes(&address).await, [1]);
        cast(&address, Msg::Do(step));
        let named = system.whereis(SCRIPTED).expect("a name has no gap");
        assert_eq!(notes(&named).await, Vec::<u32>::new(), "{step:?}: another incarnation has another state");
        assert_eq!(address.pid().map(|pid| pid.incarnation()), Some(2));
        assert_eq!(named.handle(), address.handle());
        assert!(app.shutdown().await.is_clean());
    }
}

#[tokio::test(start_paused = true)]
async fn what_waits_survives_a_crash_and_the_message_that_caused_it_is_on_the_books() {
    for (step, lost) in [(Step::Fail, 1), (Step::Panic, 1), (Step::Kill, 1), (Step::Stop(None), 0)] {
        let child = plain("scripted");
        let address = child.address();
        let (system, tree) = (System::new(), Supervisor::new("app").child(child));
        let mut dead = system.subscribe::<DeadLetter>();
        let app = tree.start(&system).await.expect("it starts");
        cast(&address, Msg::Do(step));
        (1..=5).for_each(|number| cast(&address, Msg::Note(number)));
        assert_eq!(notes(&address).await, [1, 2, 3, 4, 5], "{step:?}");
        // The answer comes before the message that asked for it is settled.
        tokio::task::yield_now().await;
        let accounts = address.counters();
        assert_eq!((accounts.handled, accounts.lost_in_flight, accounts.queued), (7 - lost, lost, 0));
        assert_eq!(dead.try_next().is_some(), lost == 1);
        assert!(app.shutdown().await.is_clean());
        assert_eq!(address.counters().dead_lettered, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_whose_message_is_never_handled_gets_the_reason() {
    let child = plain("scripted").restart(Restart::Temporary);
    let address = child.address();
    let app = start(Supervisor::new("app").child(child)).await;
    cast(&address, Msg::Do(Step::Hang));
    let (call, ()) = tokio::join!(address.call(Msg::Notes).into_future(), async {
        tokio::task::yield_now().await;
        address.kill().expect("it lives");
    });
    assert!(matches!(call, Err(CallError::Ended(ExitReason::Killed, _))), "{call:?}");
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn messages_wait_while_it_starts() {
    let (child, _journal) = scripted("scripted", |script| script.post_start = Step::Hang);
    let address = child.address();
    let app = start(Supervisor::new("app").child(child)).await;
    cast(&address, Msg::Note(1));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!((address.counters().queued, address.handle().busy_for().is_some()), (1, true));
    address.kill().expect("it lives");
    app.supervisor().terminate_child("scripted").await.expect("it is there");
    assert_eq!(address.counters().dead_lettered, 1);
    assert!(app.shutdown().await.is_clean());
}

/// A message that an actor sends to itself does not go through its mailbox, and is not counted.
#[tokio::test(start_paused = true)]
async fn messages_by_its_ractor_reference_are_on_no_books_and_disturb_none() {
    let child = plain("scripted");
    let address = child.address();
    let app = start(Supervisor::new("app").intensity(9, Duration::from_secs(1)).child(child)).await;
    (1..=4).for_each(|number| cast(&address, Msg::DoInOwnMessage(Step::Nothing, number)));
    assert_eq!(notes(&address).await, [1, 2, 3, 4]);
    tokio::task::yield_now().await;
    assert_eq!((address.counters().handled, address.counters().queued), (5, 0));
    // Of those that crash it, only the one that came by its own way is at fault.
    cast(&address, Msg::DoInOwnMessage(Step::Fail, 5));
    (6..=8).for_each(|number| cast(&address, Msg::Note(number)));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(notes(&address).await, [6, 7, 8]);
    tokio::task::yield_now().await;
    let accounts = address.counters();
    assert_eq!((accounts.handled, accounts.lost_in_flight, accounts.queued), (10, 0, 0));
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn an_actor_that_keeps_itself_busy_still_gets_its_mail() {
    let child = plain("scripted");
    let address = child.address();
    let app = start(Supervisor::new("app").child(child)).await;
    cast(&address, Msg::Spin);
    for number in 1..=3 {
        cast(&address, Msg::Note(number));
        assert_eq!(notes(&address).await.last(), Some(&number));
    }
    let began = Instant::now();
    assert!(app.shutdown().await.is_clean());
    assert_eq!(began.elapsed(), Duration::ZERO, "a stop comes before what it sends itself");
}

#[tokio::test(start_paused = true)]
async fn an_actor_that_stops_itself_handles_nothing_more_and_loses_nothing() {
    let child = plain("scripted");
    let address = child.address();
    let app = start(Supervisor::new("app").intensity(9, Duration::from_secs(1)).child(child)).await;
    for round in 0..5 {
        cast(&address, Msg::Note(round));
        cast(&address, Msg::Do(Step::Stop(None)));
        cast(&address, Msg::Note(round + 10));
        assert_eq!(notes(&address).await, [round + 10]);
    }
    tokio::task::yield_now().await;
    let accounts = address.counters();
    assert_eq!((accounts.handled, accounts.accepted, accounts.lost_in_flight), (20, 20, 0));
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn under_load_from_all_sides_every_message_is_accounted_for() {
    let (senders, each) = (4, 500);
    let child = plain("scripted").mailbox(MailboxConfig::bounded(16));
    let address = child.address();
    let app = start(Supervisor::new("app").intensity(9999, Duration::from_secs(1)).child(child)).await;
    let sending: Vec<_> = (0..senders)
        .map(|_| {
            let address = address.clone();
            tokio::spawn(async move {
                for number in 0..each {
                    let msg = match number % 50 {
                        7 => Msg::Do(Step::Fail),
                        17 => Msg::Do(Step::Stop(None)),
                        27 => Msg::DoInOwnMessage(Step::Fail, number),
                        37 => Msg::DoInOwnMessage(Step::Stop(None), number),
                        _ => Msg::Note(number),
                    };
                    address.send(msg).await.expect("it is permanent");
                }
            })
        })
        .collect();
    for sender in sending {
        sender.await.expect("it sends all");
    }
    notes(&address).await;
    assert!(app.shutdown().await.is_clean());
    let (accepted, failed) = (u64::from(senders * each) + 1, u64::from(senders * each / 50));
    let accounts = address.counters();
    assert_eq!((accounts.accepted, accounts.lost_in_flight), (accepted, failed), "{accounts:?}");
    assert_eq!((accounts.handled, accounts.dead_lettered), (accepted - failed, 0), "{accounts:?}");
}

#[tokio::test(start_paused = true)]
async fn the_restart_type_and_the_reason_decide_which_child_is_restarted() {
    for (restart, step, comes_back) in [
        (Restart::Permanent, Step::Stop(None), true),
        (Restart::Permanent, Step::Fail, true),
        (Restart::Transient, Step::Stop(None), false),
        (Restart::Transient, Step::Stop(Some("killed")), false),
        (Restart::Transient, Step::Kill, true),
        (Restart::Transient, Step::Panic, true),
        (Restart::Temporary, Step::Fail, false),
    ] {
        let child = plain("scripted").restart(restart);
        let address = child.address();
        let app = start(Supervisor::new("app").child(child)).await;
        cast(&address, Msg::Do(step));
        let answer = address.call(Msg::Notes).await;
        assert_eq!(answer.is_ok(), comes_back, "{restart:?} after {step:?}: {answer:?}");
        assert!(app.shutdown().await.is_clean());
    }
}

#[tokio::test(start_paused = true)]
async fn a_restart_that_does_not_start_is_tried_again_and_every_try_counts() {
    let (child, _journal) =
        scripted("scripted", |script| (script.pre_start, script.first_incarnation) = (Step::Fail, 2));
    let (system, address) = (System::new(), child.address());
    let tree = Supervisor::new("app").intensity(3, Duration::from_secs(1)).child(child);
    let app = tree.start(&system).await.expect("it starts");
    cast(&address, Msg::Do(Step::Fail));
    app.join().await;
    assert_eq!(SupervisionStats::of(&system).restarts, 3);
    assert_eq!(address.state(), ProcessState::Closed);
}

/// A perennial actor beside a scripted actor.
struct Neighbour;

impl Actor for Neighbour {
    type Msg = Reply<u32>;
    type Args = ();

    async fn init((): &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self)
    }

    async fn handle(&mut self, reply: Reply<u32>, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        reply.send(ctx.pid().incarnation());
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_strategy_makes_no_difference_between_ractor_actors_and_others() {
    for (strategy, incarnations) in
        [(Strategy::OneForOne, [1, 1]), (Strategy::RestForOne, [1, 2]), (Strategy::OneForAll, [2, 2])]
    {
        let (before, after) = (plain("before"), Child::new::<Neighbour>("after", ()));
        let ((middle, mut probe), first, last) =
            (scripted("middle", |_| ()), before.address(), after.address());
        let address = middle.address();
        let tree = Supervisor::new("app").strategy(strategy).child(before).child(middle).child(after);
        let app = start(tree).await;
        cast(&address, Msg::Do(Step::Fail));
        assert_eq!(notes(&address).await, Vec::<u32>::new());
        notes(&first).await;
        let last = last.call(|reply| reply).await.expect("it answers");
        let first = first.pid().map(|pid| pid.incarnation());
        assert_eq!((first, last), (Some(incarnations[0]), incarnations[1]), "{strategy:?}");
        assert_eq!(probe.since(), ["pre_start", "dropped", "pre_start"]);
        assert!(app.shutdown().await.is_clean());
    }
}

#[tokio::test(start_paused = true)]
async fn a_mailbox_may_drop_what_does_not_fit_as_any_other() {
    let mailbox = MailboxConfig::bounded(1).overflow(OverflowPolicy::DropOldest);
    let child = plain("scripted").mailbox(mailbox);
    let address = child.address();
    let app = start(Supervisor::new("app").child(child)).await;
    // It is rung for the first, and takes the one that is there when it comes to it.
    (1..=3).for_each(|number| cast(&address, Msg::Note(number)));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(notes(&address).await, [3]);
    tokio::task::yield_now().await;
    assert_eq!((address.counters().handled, address.counters().dead_lettered), (2, 2));
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_hangs_misses_its_deadline_and_its_watchdog() {
    let second = Duration::from_secs(1);
    for child in [plain("scripted").handler_deadline(second), plain("scripted").watchdog(second)] {
        let address = child.address();
        let app = start(Supervisor::new("app").child(child)).await;
        tokio::time::sleep(Duration::from_secs(60)).await;
        cast(&address, Msg::Do(Step::Hang));
        cast(&address, Msg::Note(1));
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(notes(&address).await, [1]);
        assert_eq!(address.pid().map(|pid| pid.incarnation()), Some(2));
        assert!(app.shutdown().await.is_clean());
    }
}

#[tokio::test(start_paused = true)]
async fn those_below_an_actor_are_gone_when_the_next_incarnation_starts() {
    for step in [Step::Fail, Step::Kill, Step::Stop(None)] {
        let (child, mut probe) = scripted("scripted", |_| ());
        let address = child.address();
        let app = start(Supervisor::new("app").child(child)).await;
        let below = address.call(Msg::Spawn).await.expect("it answers");
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(below.get_status(), ActorStatus::Running);
        cast(&address, Msg::Do(step));
        assert_eq!(notes(&address).await, Vec::<u32>::new());
        assert_eq!(below.get_status(), ActorStatus::Stopped, "{step:?}");
        let mut lines = probe.since();
        lines.retain(|line| line.starts_with("pre") || line.contains("below"));
        assert_eq!(lines, ["pre_start", "below: started", "below: dropped", "pre_start"], "{step:?}");
        assert!(app.shutdown().await.is_clean());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn those_below_an_actor_are_waited_for_also_if_they_are_slow_to_die() {
    let (child, mut probe) = scripted("scripted", |_| ());
    let address = child.address();
    let app = start(Supervisor::new("app").child(child)).await;
    let below = address.call(Msg::Spawn).await.expect("it answers");
    let (release, until) = std::sync::mpsc::channel::<()>();
    assert_eq!((probe.next().await, probe.next().await), ("pre_start".into(), "below: started".into()));
    below.send_message(until).expect("it lives");
    assert_eq!(probe.next().await, "below: blocks");
    cast(&address, Msg::Do(Step::Fail));
    for _ in 0..10_000 {
        tokio::task::yield_now().await;
    }
    assert!(probe.since().is_empty(), "it does not die, so nothing goes on");
    drop(release);
    assert_eq!(notes(&address).await, Vec::<u32>::new());
    assert_eq!(probe.since(), ["below: dropped", "dropped", "pre_start"]);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn what_its_own_children_do_is_told_to_the_actor_and_of_ours_it_hears_nothing() {
    let (child, mut probe) = scripted("scripted", |_| ());
    let address = child.address();
    let app = start(Supervisor::new("app").child(child)).await;
    let below = address.call(Msg::Spawn).await.expect("it answers");
    tokio::time::sleep(Duration::from_secs(1)).await;
    // The one of ours that rings for it is among those that it stops; another comes in its place.
    cast(&address, Msg::Do(Step::StopChildren));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(below.get_status(), ActorStatus::Stopped);
    (1..=3).for_each(|number| cast(&address, Msg::Note(number)));
    assert_eq!(notes(&address).await, [1, 2, 3]);
    let lines = probe.since();
    assert_eq!(lines, ["pre_start", "below: started", "below: terminated", "below: dropped"]);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_supervisor_that_is_killed_leaves_no_ractor_actor_behind() {
    let (child, mut probe) = scripted("scripted", |_| ());
    let address = child.address();
    let inner = Supervisor::new("inner").child(child);
    let handle = inner.handle();
    let app = start(Supervisor::new("app").child(inner)).await;
    let cell = address.call(Msg::Cell).await.expect("it answers");
    let below = address.call(Msg::Spawn).await.expect("it answers");
    tokio::time::sleep(Duration::from_secs(1)).await;
    cast(&address, Msg::Do(Step::Hang));
    cast(&address, Msg::Note(1));
    tokio::task::yield_now().await;
    handle.handle().kill().expect("it lives");
    assert_eq!(notes(&address).await, [1], "its supervisor comes back, and so does it");
    assert_eq!((cell.get_status(), below.get_status()), (ActorStatus::Stopped, ActorStatus::Stopped));
    let mut lines = probe.since();
    lines.retain(|line| !line.contains("below"));
    assert_eq!(lines, ["pre_start", "dropped", "pre_start"]);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn an_actor_is_linked_to_its_supervisor_as_ractor_sees_it() {
    let (first, second) = (plain("first"), plain("second"));
    let addresses = [first.address(), second.address()];
    let app = start(Supervisor::new("app").child(first).child(second)).await;
    let mut supervisors = Vec::new();
    for address in &addresses {
        let cell = address.call(Msg::Cell).await.expect("it answers");
        supervisors.extend(cell.try_get_supervisor());
        assert_eq!(cell.get_name(), None);
    }
    assert_eq!(supervisors.len(), 2);
    assert_eq!(supervisors[0], supervisors[1]);
    // One that ends does not take its supervisor with it, as ractor would have it.
    cast(&addresses[0], Msg::Do(Step::Panic));
    assert_eq!(notes(&addresses[0]).await, Vec::<u32>::new());
    assert_eq!(supervisors[0].get_status(), ActorStatus::Running);
    assert!(app.shutdown().await.is_clean());
}
