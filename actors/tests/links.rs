//! Links: mutual, at most one between two actors, and the effect of an exit on the other end. OTP
//! cases 101 to 109 and 115.

use perennial_actors::{
    DeadLetter, DeadLetterReason, ExitReason, NoProcessError, Pid, SendError, System, Unsent,
};

use crate::support::parent::hosted;
use crate::support::scripted::{Msg, TestProbe, scripted, trapper, why};

fn bad() -> ExitReason {
    ExitReason::failed("bad")
}

/// An exit signal as the probe reports it.
fn exit(of: &TestProbe, reason: &str) -> (Option<Pid>, String) {
    (Some(of.pid), reason.to_owned())
}

#[tokio::test(start_paused = true)]
async fn a_link_is_seen_from_both_ends() {
    let system = System::new();
    let (one, other, stranger) = (scripted(&system).await, scripted(&system).await, scripted(&system).await);
    one.links(&other).await;
    assert_eq!((one.info().links, other.info().links), (vec![other.pid], vec![one.pid]));
    assert!(stranger.info().links.is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_exit_of_either_end_of_a_link_ends_the_other_end() {
    for maker_ends in [true, false] {
        let system = System::new();
        let (maker, other) = (scripted(&system).await, scripted(&system).await);
        maker.links(&other).await;
        let (ending, left) = if maker_ends { (maker, other) } else { (other, maker) };
        let end = left.address.monitor();
        ending.ends(bad()).await;
        assert_eq!(why(end).await, "failed: bad");
    }
}

#[tokio::test(start_paused = true)]
async fn c101_a_normal_end_does_not_end_a_linked_actor_and_the_link_is_gone() {
    let system = System::new();
    let (one, other) = (scripted(&system).await, scripted(&system).await);
    one.links(&other).await;
    other.ends(ExitReason::Normal).await;
    assert!(one.lives().await);
    assert_eq!(one.info().links, []);
}

#[tokio::test(start_paused = true)]
async fn c101_a_normal_exit_is_delivered_to_a_linked_actor_that_traps() {
    let system = System::new();
    let (mut one, other) = (trapper(&system).await, scripted(&system).await);
    one.links(&other).await;
    other.ends(ExitReason::Normal).await;
    assert_eq!(one.exits().await, [exit(&other, "normal")]);
    assert_eq!(one.info().links, []);
}

#[tokio::test(start_paused = true)]
async fn c103_a_kill_is_seen_as_killed_at_the_other_end_of_a_link_also_if_the_victim_traps() {
    let system = System::new();
    let (mut one, victim) = (trapper(&system).await, trapper(&system).await);
    one.links(&victim).await;
    let down = victim.address.monitor();
    victim.address.kill().expect("it lives");
    assert_eq!(why(down).await, "killed");
    assert_eq!(one.exits().await, [exit(&victim, "killed")]);
}

/// The other end gets an exit signal with the reason `Killed`. It can be trapped: it is no kill.
#[tokio::test(start_paused = true)]
async fn c103_a_kill_goes_along_links_as_an_exit_that_can_be_trapped() {
    let system = System::new();
    let (mut last, middle, victim) =
        (trapper(&system).await, scripted(&system).await, scripted(&system).await);
    last.links(&middle).await;
    middle.links(&victim).await;
    let down = middle.address.monitor();
    victim.address.kill().expect("it lives");
    assert_eq!(why(down).await, "killed");
    assert_eq!(last.exits().await, [exit(&middle, "killed")]);
}

#[tokio::test(start_paused = true)]
async fn c104_killed_returned_by_an_actor_can_be_trapped_by_a_linked_actor() {
    let system = System::new();
    let (mut one, other) = (trapper(&system).await, scripted(&system).await);
    one.links(&other).await;
    other.ends(ExitReason::Killed).await;
    assert_eq!(one.exits().await, [exit(&other, "killed")]);
}

#[tokio::test(start_paused = true)]
async fn c105_a_shutdown_ends_a_linked_actor_with_the_same_note() {
    let system = System::new();
    let (one, other) = (scripted(&system).await, scripted(&system).await);
    one.links(&other).await;
    let down = one.address.monitor();
    other.ends(ExitReason::shutdown_with("done")).await;
    assert_eq!(why(down).await, "shutdown: done");
}

#[tokio::test(start_paused = true)]
async fn c106_a_cascade_ends_all_linked_actors_with_the_same_reason() {
    let system = System::new();
    let mut chain = Vec::new();
    for _ in 0..10 {
        chain.push(scripted(&system).await);
    }
    for pair in chain.windows(2) {
        pair[0].links(&pair[1]).await;
    }
    let downs: Vec<_> = chain.iter().map(|each| each.address.monitor()).collect();
    chain[9].ends(bad()).await;
    for down in downs {
        assert_eq!(why(down).await, "failed: bad");
    }
}

#[tokio::test(start_paused = true)]
async fn c106_a_cascade_around_a_ring_ends_and_stops_at_an_actor_that_traps() {
    let system = System::new();
    let (mut trapper, one, other) =
        (trapper(&system).await, scripted(&system).await, scripted(&system).await);
    trapper.links(&one).await;
    one.links(&other).await;
    other.links(&trapper).await;
    let down = one.address.monitor();
    other.ends(bad()).await;
    assert_eq!(why(down).await, "failed: bad");
    let mut exits = trapper.exits().await;
    exits.sort();
    assert_eq!(exits, [exit(&one, "failed: bad"), exit(&other, "failed: bad")]);
    assert_eq!(trapper.info().links, []);
}

#[tokio::test(start_paused = true)]
async fn c107_a_link_to_a_dead_actor_is_an_error_if_exits_are_not_trapped() {
    let system = System::new();
    let (one, dead) = (scripted(&system).await, scripted(&system).await);
    dead.ends(ExitReason::Normal).await;
    let handle = dead.handle();
    assert_eq!(one.does(move |ctx| ctx.link(&handle)).await, Err(NoProcessError));
    assert!(one.lives().await, "the actor decides what the error means");
    assert_eq!(one.info().links, []);
}

#[tokio::test(start_paused = true)]
async fn c107_a_link_to_a_dead_actor_is_an_exit_signal_if_exits_are_trapped() {
    let system = System::new();
    let (mut one, dead) = (trapper(&system).await, scripted(&system).await);
    dead.ends(ExitReason::Normal).await;
    one.links(&dead).await;
    assert_eq!(one.exits().await, [exit(&dead, "no process")]);
    assert_eq!(one.info().links, []);
}

#[tokio::test(start_paused = true)]
async fn c108_linking_twice_from_either_end_makes_one_link() {
    let system = System::new();
    let (mut one, other) = (trapper(&system).await, scripted(&system).await);
    one.links(&other).await;
    one.links(&other).await;
    other.links(&one).await;
    assert_eq!((one.info().links, other.info().links), (vec![other.pid], vec![one.pid]));
    other.ends(bad()).await;
    assert_eq!(one.exits().await, [exit(&other, "failed: bad")]);
}

#[tokio::test(start_paused = true)]
async fn c108_one_unlink_removes_a_link_that_was_made_twice() {
    for unlinker_made_it in [true, false] {
        let system = System::new();
        let (mut one, other) = (trapper(&system).await, scripted(&system).await);
        one.links(&other).await;
        one.links(&other).await;
        if unlinker_made_it {
            one.unlinks(&other).await
        } else {
            other.unlinks(&one).await
        }
        assert_eq!((one.info().links, other.info().links), (vec![], vec![]));
        other.ends(bad()).await;
        assert_eq!(one.exits().await, []);
    }
}

#[tokio::test(start_paused = true)]
async fn c109_after_an_unlink_neither_end_gets_an_exit_signal() {
    for unlinker_ends in [true, false] {
        let system = System::new();
        let (one, other) = (trapper(&system).await, trapper(&system).await);
        one.links(&other).await;
        one.unlinks(&other).await;
        let (ending, mut left) = if unlinker_ends { (one, other) } else { (other, one) };
        ending.ends(bad()).await;
        assert_eq!(left.exits().await, []);
    }
}

#[tokio::test(start_paused = true)]
async fn c109_a_queued_exit_signal_stays_after_an_unlink() {
    let system = System::new();
    let (mut one, (identity, other)) = (trapper(&system).await, hosted(&system));
    let (handle, pid) = (identity.address().handle(), other.pid());
    one.does(move |ctx| {
        ctx.link(&handle).expect("it lives");
        other.end(bad());
        ctx.unlink(&handle);
    })
    .await;
    assert_eq!(one.exits().await, [(Some(pid), "failed: bad".into())]);
}

#[tokio::test(start_paused = true)]
async fn an_unlink_without_a_link_does_nothing() {
    let system = System::new();
    let (one, linked, stranger) = (scripted(&system).await, scripted(&system).await, scripted(&system).await);
    one.links(&linked).await;
    one.unlinks(&stranger).await;
    one.unlinks(&one).await;
    assert_eq!(one.info().links, [linked.pid]);
}

#[tokio::test(start_paused = true)]
async fn actors_of_two_systems_cannot_be_linked() {
    let (here, there) = (scripted(&System::new()).await, scripted(&System::new()).await);
    assert_eq!(here.pid, there.pid, "pids tell apart what is in one system");
    let other = there.handle();
    assert_eq!(here.does(move |ctx| ctx.link(&other)).await, Err(NoProcessError));
    assert_eq!((here.info().links, there.info().links), (vec![], vec![]));
}

#[tokio::test(start_paused = true)]
async fn a_link_to_itself_is_no_link() {
    let system = System::new();
    let one = scripted(&system).await;
    one.links(&one).await;
    assert_eq!(one.info().links, []);
    assert!(one.lives().await);
}

#[tokio::test(start_paused = true)]
async fn c115_a_killed_actor_handles_no_queued_message_and_is_reported_dead() {
    let system = System::new();
    let mut dead_letters = system.subscribe::<DeadLetter>();
    let victim = trapper(&system).await;
    let asked: Vec<_> = (0..1000)
        .map(|_| Msg::Do(Box::new(|_| panic!("it is not handled"))))
        .map(|message| victim.address.cast(message).is_ok())
        .collect();
    assert!(asked.iter().all(|accepted| *accepted));
    let down = victim.address.monitor();
    victim.address.kill().expect("it lives");
    assert_eq!(why(down).await, "killed");
    assert_eq!((victim.address.pid(), victim.address.kill()), (None, Err(NoProcessError)));
    let letters: Vec<_> = std::iter::from_fn(|| dead_letters.try_next()).collect();
    assert_eq!(letters.len(), 1000);
    assert!(
        letters.iter().all(|letter| matches!(letter.reason, DeadLetterReason::Unhandled(ExitReason::Killed)))
    );
}

#[tokio::test(start_paused = true)]
async fn c115_an_exit_of_a_link_comes_before_queued_messages_too() {
    let system = System::new();
    let (one, (identity, other)) = (scripted(&system).await, hosted(&system));
    let (handle, address, down) = (identity.address().handle(), one.address.clone(), one.address.monitor());
    one.does(move |ctx| {
        ctx.link(&handle).expect("it lives");
        for _ in 0..1000 {
            assert!(address.cast(Msg::Do(Box::new(|_| panic!("it is not handled")))).is_ok());
        }
        other.end(bad());
    })
    .await;
    assert_eq!(why(down).await, "failed: bad");
    assert_eq!(one.address.counters().dead_lettered, 1000);
    assert!(matches!(one.address.cast(Msg::Hang), Err(SendError::Closed(Unsent { message: Msg::Hang, .. }))));
}
