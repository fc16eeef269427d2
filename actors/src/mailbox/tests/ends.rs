//! Incarnations come and go, the mailbox stays; what each of them may still do with it.

use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use super::checked::{Back, Became, Checked, Got, accounts, bounded, failed};
use crate::control::ControlSignal;
use crate::exit::ExitReason;
use crate::mailbox::{AttachRefused, ExitHook, Interest, Mailbox, MailboxConfig, ParkResult};

fn hook() -> ExitHook {
    ExitHook { name: None, incarnation: None, run: Box::new(|_| {}) }
}

#[test]
fn nobody_attaches_to_a_closed_mailbox_and_only_one_to_an_open_one() {
    let queue = Checked::new(MailboxConfig::default());
    assert_eq!(queue.attach(), Err(AttachRefused::Closed));
    queue.open();
    assert_eq!(queue.attach(), Ok(1));
    assert_eq!(queue.attach(), Err(AttachRefused::Attached));
    assert_eq!((queue.served_by(), queue.is_closed()), (Some(1), false));
}

#[test]
fn to_open_what_is_open_changes_nothing() {
    let queue = Checked::with_messages(MailboxConfig::default(), [1]);
    queue.open();
    assert_eq!(queue.served_by(), Some(1));
    assert_eq!(queue.drain(1), [1]);
}

#[test]
fn messages_queue_while_nobody_serves_but_somebody_is_due() {
    let queue = Checked::new(MailboxConfig::default());
    queue.open();
    assert!(queue.push(1).is_ok());
    assert_eq!(queue.attach(), Ok(1));
    assert_eq!(queue.drain(1), [1]);
}

#[test]
fn the_rest_of_a_batch_goes_back_to_the_front() {
    let queue = Checked::with_messages(MailboxConfig::default(), [1, 2, 3]);
    assert_eq!(queue.next(1), Got::Message(1));
    assert!(queue.push(4).is_ok());
    let leftover = queue.detach(1, &failed()).expect("it was served");
    assert!(leftover.lost_in_flight && leftover.dead.is_empty());
    assert_eq!(queue.attach(), Ok(2));
    assert_eq!(queue.drain(2), [2, 3, 4]);
    assert_eq!(accounts(&queue), [4, 3, 1, 0, 0]);
}

#[test]
fn a_message_in_hand_is_lost_by_an_abnormal_end_and_handled_by_a_clean_one() {
    for (reason, handled, lost) in [
        (failed(), 0, 1),
        (ExitReason::Killed, 0, 1),
        (ExitReason::Normal, 1, 0),
        (ExitReason::shutdown(), 1, 0),
    ] {
        let queue = Checked::with_messages(MailboxConfig::default(), [1]);
        assert_eq!(queue.next(1), Got::Message(1));
        let leftover = queue.detach(1, &reason).expect("it was served");
        assert_eq!(leftover.lost_in_flight, lost == 1, "{reason}");
        assert_eq!(accounts(&queue), [1, handled, lost, 0, 0], "{reason}");
    }
}

#[test]
fn an_end_with_empty_hands_loses_nothing() {
    let queue = Checked::with_messages(MailboxConfig::default(), [1, 2]);
    assert_eq!(queue.next(1), Got::Message(1));
    queue.ack(1);
    assert!(!queue.detach(1, &failed()).expect("it was served").lost_in_flight);
    assert_eq!(accounts(&queue), [2, 1, 0, 0, 1]);
}

#[test]
fn a_mailbox_that_discards_buries_what_waits() {
    let queue = Checked::with_messages(MailboxConfig::default().discard_on_restart(), [1, 2, 3]);
    assert_eq!(queue.next(1), Got::Message(1));
    assert!(queue.push(4).is_ok());
    let leftover = queue.detach(1, &failed()).expect("it was served");
    assert_eq!((leftover.lost_in_flight, leftover.dead.into()), (true, vec![2, 3, 4]));
    // The next one begins with an empty mailbox, as open as before.
    assert!(queue.push(5).is_ok());
    assert_eq!(queue.attach(), Ok(2));
    assert_eq!(queue.drain(2), [5]);
    assert_eq!(accounts(&queue), [5, 1, 1, 3, 0]);
}

#[test]
fn whoever_comes_second_finds_nothing_to_end() {
    let queue = Checked::with_messages(MailboxConfig::default(), [1]);
    assert!(queue.detach(1, &failed()).is_some());
    assert!(queue.detach(1, &failed()).is_none());
    assert_eq!(queue.attach(), Ok(2));
    assert!(queue.detach(1, &failed()).is_none(), "that was another incarnation");
    assert_eq!(queue.served_by(), Some(2));
    assert!(queue.close(&failed()).is_some());
    assert!(queue.close(&failed()).is_none());
}

#[test]
fn what_a_stuck_incarnation_had_taken_goes_to_the_next() {
    let queue = Checked::with_messages(MailboxConfig::default(), [1, 2, 3]);
    assert_eq!(queue.next(1), Got::Message(1));
    assert!(queue.detach(1, &ExitReason::Killed).expect("it was served").lost_in_flight);
    assert_eq!(queue.attach(), Ok(2));
    assert_eq!(queue.next(2), Got::Message(2));
    assert_eq!(queue.next(1), Got::Detached);
    assert_eq!(queue.drain(2), [3]);
    assert_eq!(accounts(&queue), [3, 2, 1, 0, 0]);
}

/// Incarnation 1 was abandoned; 2 has message 2 in hand, and 3 waits.
fn taken_over() -> Checked {
    let queue = Checked::with_messages(MailboxConfig::default(), [1, 2, 3]);
    assert_eq!(queue.next(1), Got::Message(1));
    assert!(queue.detach(1, &ExitReason::Killed).is_some());
    assert_eq!(queue.attach(), Ok(2));
    assert_eq!(queue.next(2), Got::Message(2));
    queue
}

#[test]
fn an_abandoned_incarnation_can_settle_nothing_of_the_next() {
    let queue = taken_over();
    queue.ack(1);
    assert_eq!(queue.next(1), Got::Detached);
    assert_eq!(accounts(&queue), [3, 0, 1, 0, 2]);
    assert!(queue.detach(2, &failed()).expect("it was served").lost_in_flight);
    assert_eq!(accounts(&queue), [3, 0, 2, 0, 1]);
}

#[test]
fn an_abandoned_incarnation_takes_no_signal_of_the_next() {
    let queue = taken_over();
    assert!(queue.stop("for you"));
    assert!(queue.take_signal(1, |_| true).is_none());
    assert_eq!(queue.next(1), Got::Detached);
    assert_eq!(queue.next(2), Got::Signal("shutdown: for you".into()));
}

#[test]
fn an_abandoned_incarnation_cannot_sleep_any_more() {
    let queue = taken_over();
    assert_eq!(queue.sleep_inside(1, Interest::Kill), ParkResult::Over);
    assert_eq!(queue.sleep_inside(2, Interest::Kill), ParkResult::Asleep);
}

#[test]
fn an_abandoned_incarnation_cannot_sleep_in_the_bed_of_the_next() {
    let queue = taken_over();
    assert_eq!(queue.drain(2), [3]);
    // Now 2 sleeps over its mailbox, and what 1 is pending for is not that.
    assert_eq!(queue.sleep_inside(1, Interest::Kill), ParkResult::Over);
}

#[test]
fn an_abandoned_incarnation_does_not_say_that_the_next_goes_on() {
    let queue = taken_over();
    assert_eq!(queue.drain(2), [3]);
    queue.mark_ending(2);
    queue.mark_ending(1);
    assert_eq!(queue.became(2), Became::Open, "2 is still on its way out");
}

#[test]
fn an_incarnation_that_sleeps_hears_that_its_mailbox_was_taken_away() {
    let enders: [fn(&Checked) -> Vec<std::task::Waker>; 2] = [
        |queue| queue.detach(1, &ExitReason::Killed).expect("it was served").wakers,
        |queue| queue.close(&ExitReason::Normal).expect("it was open").wakers,
    ];
    for end in enders {
        let queue = Checked::served(MailboxConfig::default());
        assert_eq!(queue.next(1), Got::Nothing);
        end(&queue).into_iter().for_each(std::task::Waker::wake);
        assert_eq!((queue.rung(), queue.next(1)), (1, Got::Detached));
    }
}

#[test]
fn a_closed_mailbox_that_is_opened_again_is_the_same() {
    let queue = Checked::with_messages(bounded(2), [1, 2]);
    assert_eq!(queue.next(1), Got::Message(1));
    let leftover = queue.close(&failed()).expect("it was open");
    assert_eq!((leftover.lost_in_flight, leftover.dead.into()), (true, vec![2]));
    assert_eq!(queue.push(3), Err(Back::Closed(3)));
    assert_eq!((queue.next(1), queue.is_closed()), (Got::Detached, true));
    queue.open();
    assert_eq!((queue.push(3), queue.attach()), (Ok(3), Ok(2)));
    assert_eq!(queue.drain(2), [3]);
    assert_eq!((queue.latest_incarnation(), accounts(&queue)), (2, [3, 1, 1, 1, 0]));
}

#[test]
fn a_watcher_hears_of_one_end_and_a_hook_of_the_close() {
    let queue = Checked::served(MailboxConfig::default());
    let first = queue.watch(Box::new(|_, _| {})).ok().expect("it is open");
    let second = queue.watch(Box::new(|_, _| {})).ok().expect("it is open");
    assert!(queue.hook(hook()).is_ok());
    queue.unwatch(first);
    let leftover = queue.detach(1, &failed()).expect("it was served");
    assert_eq!(leftover.watchers.iter().map(|(id, _)| id).collect::<Vec<_>>(), [second]);
    assert!(leftover.hooks.is_empty());
    let leftover = queue.close(&failed()).expect("it was open");
    assert_eq!((leftover.watchers.len(), leftover.hooks.len()), (0, 1));
    assert!(queue.hook(hook()).is_err());
    let late = [(); 2].map(|()| queue.watch(Box::new(|_, _| {})).ok().expect("its hook has not run"));
    queue.unwatch(late[0]);
    assert_eq!(queue.finish_close().iter().map(|(id, _)| id).collect::<Vec<_>>(), [late[1]]);
    assert!(queue.watch(Box::new(|_, _| {})).is_err());
}

#[test]
fn a_hook_of_an_incarnation_comes_with_its_end_and_with_no_other() {
    let queue = Checked::served(MailboxConfig::default());
    let of = |incarnation| ExitHook { incarnation: Some(incarnation), ..hook() };
    assert!(queue.hook(of(1)).is_ok() && queue.hook(of(1)).is_ok() && queue.hook(hook()).is_ok());
    assert!(queue.hook(of(2)).is_err(), "nobody knows whether there will be one");
    assert_eq!(queue.detach(1, &failed()).expect("it was served").hooks.len(), 2);
    assert!(queue.hook(of(1)).is_err(), "it is over");
    assert_eq!(queue.attach(), Ok(2));
    assert!(queue.hook(of(2)).is_ok());
    assert_eq!(queue.close(&failed()).expect("it was open").hooks.len(), 2);
}

#[test]
fn a_name_that_was_laid_down_is_not_given_up_again() {
    let queue = Checked::served(MailboxConfig::default());
    let named = |name: &'static str| ExitHook { name: Some(name.into()), ..hook() };
    let [one, other] = ["one", "other"].map(|name| queue.hook(named(name)).ok().expect("it is open"));
    assert!(queue.names() == ["one", "other"] && queue.has_close_hook(one));
    assert!(queue.remove_close_hook(one).is_some() && queue.remove_close_hook(one).is_none());
    assert!(queue.names() == ["other"] && !queue.has_close_hook(one));
    assert_eq!(queue.close(&failed()).expect("it was open").hooks.len(), 1);
    queue.open();
    let again = queue.hook(named("one")).ok().expect("it is open again");
    assert!(!queue.has_close_hook(other) && ![one, other].contains(&again), "no number is used twice");
}

/// An error that looks at the mailbox when it is dropped, as anything that users make may do.
#[derive(Debug, thiserror::Error)]
#[error("nosy")]
struct Nosy(std::sync::Weak<Mailbox<u32>>);

impl Drop for Nosy {
    fn drop(&mut self) {
        if let Some(queue) = self.0.upgrade() {
            assert!(queue.counters().is_balanced());
        }
    }
}

#[test]
fn nothing_is_dropped_under_a_lock() {
    let (done, over) = mpsc::channel();
    // In a thread, because a lock that is taken twice never comes free.
    std::thread::spawn(move || {
        let queue = Arc::new(Mailbox::<u32>::new(MailboxConfig::default()));
        let nosy = || ExitReason::from(Nosy(Arc::downgrade(&queue)));
        queue.open();
        for _ in 0..20 {
            let incarnation = queue.attach().expect("it is open");
            assert!(queue.push(1).is_ok() && queue.signal(None, ControlSignal::Stop(nosy())));
            let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
            while queue.poll_next(incarnation, &mut cx).is_ready() {}
            // One signal is left behind; the reason of an end is remembered, and forgotten after some more.
            assert!(queue.signal(None, ControlSignal::Stop(nosy())));
            drop(queue.detach(incarnation, &nosy()));
        }
        done.send(()).expect("the test waits");
    });
    over.recv_timeout(Duration::from_secs(20)).expect("it neither hangs nor fails");
}
