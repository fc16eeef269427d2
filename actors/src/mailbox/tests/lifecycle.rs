//! The life cycle of the mailbox: what each incarnation may do with it, before and after its end.

use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use super::checked::{Checked, Got, Outcome, Rejected, accounts, bounded, failed};
use crate::control::ControlSignal;
use crate::exit::ExitReason;
use crate::mailbox::{AnyMailbox, AttachRefused, ExitHook, Interest, Mailbox, MailboxConfig};

fn hook() -> ExitHook {
    ExitHook { name: None, incarnation: None, run: Box::new(|_| {}) }
}

#[test]
fn attach_fails_on_a_closed_mailbox_and_while_another_is_attached() {
    let queue = Checked::new(MailboxConfig::default());
    assert_eq!(queue.attach(), Err(AttachRefused::Closed));
    queue.open();
    assert_eq!(queue.attach(), Ok(1));
    assert_eq!(queue.attach(), Err(AttachRefused::Attached));
    assert_eq!((queue.attached_incarnation(), queue.is_closed()), (Some(1), false));
}

#[test]
fn opening_an_open_mailbox_changes_nothing() {
    let queue = Checked::with_messages(MailboxConfig::default(), [1]);
    queue.open();
    assert_eq!(queue.attached_incarnation(), Some(1));
    assert_eq!(queue.drain(1), [1]);
}

#[test]
fn messages_are_queued_while_no_incarnation_is_attached() {
    let queue = Checked::new(MailboxConfig::default());
    queue.open();
    assert!(queue.push(1).is_ok());
    assert_eq!(queue.attach(), Ok(1));
    assert_eq!(queue.drain(1), [1]);
}

#[test]
fn rest_of_a_batch_returns_to_the_front_of_the_queue() {
    let queue = Checked::with_messages(MailboxConfig::default(), [1, 2, 3]);
    assert_eq!(queue.next(1), Got::Message(1));
    assert!(queue.push(4).is_ok());
    let effects = queue.detach(1, &failed()).expect("it was attached");
    assert!(effects.lost_in_flight == 1 && effects.dead.is_empty());
    assert_eq!(queue.attach(), Ok(2));
    assert_eq!(queue.drain(2), [2, 3, 4]);
    assert_eq!(accounts(&queue), [4, 3, 1, 0, 0]);
}

#[test]
fn message_in_flight_is_lost_on_an_abnormal_end_and_handled_on_a_clean_one() {
    for (reason, handled, lost) in [
        (failed(), 0, 1),
        (ExitReason::Killed, 0, 1),
        (ExitReason::Normal, 1, 0),
        (ExitReason::shutdown(), 1, 0),
    ] {
        let queue = Checked::with_messages(MailboxConfig::default(), [1]);
        assert_eq!(queue.next(1), Got::Message(1));
        let effects = queue.detach(1, &reason).expect("it was attached");
        assert_eq!(effects.lost_in_flight, lost, "{reason}");
        assert_eq!(accounts(&queue), [1, handled, lost, 0, 0], "{reason}");
    }
}

#[test]
fn end_without_a_message_in_flight_loses_nothing() {
    let queue = Checked::with_messages(MailboxConfig::default(), [1, 2]);
    assert_eq!(queue.next(1), Got::Message(1));
    queue.ack(1);
    assert_eq!(queue.detach(1, &failed()).expect("it was attached").lost_in_flight, 0);
    assert_eq!(accounts(&queue), [2, 1, 0, 0, 1]);
}

#[test]
fn mailbox_that_discards_on_restart_dead_letters_queued_messages() {
    let queue = Checked::with_messages(MailboxConfig::default().discard_on_restart(), [1, 2, 3]);
    assert_eq!(queue.next(1), Got::Message(1));
    assert!(queue.push(4).is_ok());
    let effects = queue.detach(1, &failed()).expect("it was attached");
    assert_eq!((effects.lost_in_flight, effects.dead), (1, vec![2, 3, 4]));
    // The next incarnation begins with an empty mailbox, which is still open.
    assert!(queue.push(5).is_ok());
    assert_eq!(queue.attach(), Ok(2));
    assert_eq!(queue.drain(2), [5]);
    assert_eq!(accounts(&queue), [5, 1, 1, 3, 0]);
}

#[test]
fn second_detach_or_close_does_nothing() {
    let queue = Checked::with_messages(MailboxConfig::default(), [1]);
    assert!(queue.detach(1, &failed()).is_some());
    assert!(queue.detach(1, &failed()).is_none());
    assert_eq!(queue.attach(), Ok(2));
    assert!(queue.detach(1, &failed()).is_none(), "another incarnation is attached");
    assert_eq!(queue.attached_incarnation(), Some(2));
    assert!(queue.close(&failed()).is_some());
    assert!(queue.close(&failed()).is_none());
}

#[test]
fn batch_of_an_abandoned_incarnation_goes_to_the_next() {
    let queue = Checked::with_messages(MailboxConfig::default(), [1, 2, 3]);
    assert_eq!(queue.next(1), Got::Message(1));
    assert_eq!(queue.detach(1, &ExitReason::Killed).expect("it was attached").lost_in_flight, 1);
    assert_eq!(queue.attach(), Ok(2));
    assert_eq!(queue.next(2), Got::Message(2));
    assert_eq!(queue.next(1), Got::Detached);
    assert_eq!(queue.drain(2), [3]);
    assert_eq!(accounts(&queue), [3, 2, 1, 0, 0]);
}

/// Returns a mailbox that was taken away from incarnation 1. For incarnation 2, message 2 is in
/// flight, and 3 is queued.
fn taken_over() -> Checked {
    let queue = Checked::with_messages(MailboxConfig::default(), [1, 2, 3]);
    assert_eq!(queue.next(1), Got::Message(1));
    assert!(queue.detach(1, &ExitReason::Killed).is_some());
    assert_eq!(queue.attach(), Ok(2));
    assert_eq!(queue.next(2), Got::Message(2));
    queue
}

#[test]
fn abandoned_incarnation_cannot_ack_a_message_of_the_next() {
    let queue = taken_over();
    queue.ack(1);
    assert_eq!(queue.next(1), Got::Detached);
    assert_eq!(accounts(&queue), [3, 0, 1, 0, 2]);
    assert_eq!(queue.detach(2, &failed()).expect("it was attached").lost_in_flight, 1);
    assert_eq!(accounts(&queue), [3, 0, 2, 0, 1]);
}

#[test]
fn abandoned_incarnation_takes_no_signal_of_the_next() {
    let queue = taken_over();
    assert!(queue.stop("for you"));
    assert_eq!(queue.inside(1, Interest::Signals), Got::Detached);
    assert_eq!(queue.next(1), Got::Detached);
    assert_eq!(queue.next(2), Got::Signal("shutdown: for you".into()));
}

#[test]
fn abandoned_incarnation_cannot_park() {
    let queue = taken_over();
    assert_eq!(queue.inside(1, Interest::Kill), Got::Detached);
    assert_eq!(queue.inside(2, Interest::Kill), Got::Nothing);
}

#[test]
fn abandoned_incarnation_cannot_park_while_the_next_is_parked() {
    let queue = taken_over();
    assert_eq!(queue.drain(2), [3]);
    // Incarnation 2 is parked on its mailbox. Incarnation 1 does not park with it.
    assert_eq!(queue.inside(1, Interest::Kill), Got::Detached);
}

#[test]
fn abandoned_incarnation_does_not_clear_the_ending_mark_of_the_next() {
    let queue = taken_over();
    assert_eq!(queue.drain(2), [3]);
    queue.mark_ending(2);
    queue.mark_ending(1);
    assert_eq!(queue.outcome(2), Outcome::Pending, "2 is still ending");
}

#[test]
fn parked_incarnation_is_woken_when_its_mailbox_is_taken_away() {
    let enders: [fn(&Checked) -> Vec<std::task::Waker>; 2] = [
        |queue| queue.detach(1, &ExitReason::Killed).expect("it was attached").wakers,
        |queue| queue.close(&ExitReason::Normal).expect("it was open").wakers,
    ];
    for end in enders {
        let queue = Checked::attached(MailboxConfig::default());
        assert_eq!(queue.next(1), Got::Nothing);
        end(&queue).into_iter().for_each(std::task::Waker::wake);
        assert_eq!((queue.wake_count(), queue.next(1)), (1, Got::Detached));
    }
}

#[test]
fn reopened_mailbox_keeps_its_counters_and_incarnation_numbers() {
    let queue = Checked::with_messages(bounded(2), [1, 2]);
    assert_eq!(queue.next(1), Got::Message(1));
    let effects = queue.close(&failed()).expect("it was open");
    assert_eq!((effects.lost_in_flight, effects.dead), (1, vec![2]));
    assert_eq!(queue.push(3), Err(Rejected::Closed(3)));
    assert_eq!((queue.next(1), queue.is_closed()), (Got::Detached, true));
    queue.open();
    assert_eq!((queue.push(3), queue.attach()), (Ok(3), Ok(2)));
    assert_eq!(queue.drain(2), [3]);
    assert_eq!((queue.latest_incarnation(), accounts(&queue)), (2, [3, 1, 1, 1, 0]));
}

/// Each effect that can run foreign code costs a task.
#[test]
fn close_of_an_empty_mailbox_that_keeps_spans_leaves_nothing_to_drop() {
    let queue = Mailbox::<u32>::new(MailboxConfig::default());
    queue.open();
    assert_eq!(queue.attach(), Ok(1));
    queue.state.lock().keep_senders();
    assert!(queue.close(&ExitReason::Normal).expect("it was open").is_empty());
}

#[test]
fn watcher_is_notified_of_one_end_and_close_hook_of_the_close() {
    let queue = Checked::attached(MailboxConfig::default());
    let first = queue.watch(Box::new(|_, _| {})).ok().expect("it is open");
    let second = queue.watch(Box::new(|_, _| {})).ok().expect("it is open");
    assert!(queue.hook(hook()).is_ok());
    queue.unwatch(first);
    let effects = queue.detach(1, &failed()).expect("it was attached");
    assert_eq!(effects.watchers.iter().map(|(id, _)| id).collect::<Vec<_>>(), [second]);
    assert!(effects.hooks.is_empty());
    let effects = queue.close(&failed()).expect("it was open");
    assert_eq!((effects.watchers.len(), effects.hooks.len()), (0, 1));
    assert!(queue.hook(hook()).is_err());
    let late = [(); 2].map(|()| queue.watch(Box::new(|_, _| {})).ok().expect("its hook has not run"));
    queue.unwatch(late[0]);
    assert_eq!(queue.finish_close().iter().map(|(id, _)| id).collect::<Vec<_>>(), [late[1]]);
    assert!(queue.watch(Box::new(|_, _| {})).is_err());
}

#[test]
fn exit_hook_runs_on_the_end_of_its_incarnation_only() {
    let queue = Checked::attached(MailboxConfig::default());
    let of = |incarnation| ExitHook { incarnation: Some(incarnation), ..hook() };
    assert!(queue.hook(of(1)).is_ok() && queue.hook(of(1)).is_ok() && queue.hook(hook()).is_ok());
    assert!(queue.hook(of(2)).is_err(), "it may never start");
    assert_eq!(queue.detach(1, &failed()).expect("it was attached").hooks.len(), 2);
    assert!(queue.hook(of(1)).is_err(), "it has ended");
    assert_eq!(queue.attach(), Ok(2));
    assert!(queue.hook(of(2)).is_ok());
    assert_eq!(queue.close(&failed()).expect("it was open").hooks.len(), 2);
}

#[test]
fn removed_name_is_not_released_on_close() {
    let queue = Checked::attached(MailboxConfig::default());
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

/// An error that reads the mailbox when it is dropped, as a user's value may do.
#[derive(Debug, thiserror::Error)]
#[error("reads on drop")]
struct ReadsOnDrop(std::sync::Weak<Mailbox<u32>>);

impl Drop for ReadsOnDrop {
    fn drop(&mut self) {
        if let Some(queue) = self.0.upgrade() {
            assert!(queue.counters().is_balanced());
        }
    }
}

#[test]
fn nothing_is_dropped_under_a_lock() {
    let (done, over) = mpsc::channel();
    // In a thread, because a lock that is taken twice is never released.
    std::thread::spawn(move || {
        let queue = Arc::new(Mailbox::<u32>::new(MailboxConfig::default()));
        let reads_on_drop = || ExitReason::from(ReadsOnDrop(Arc::downgrade(&queue)));
        queue.open();
        for _ in 0..20 {
            let incarnation = queue.attach().expect("it is open");
            assert!(queue.push(1).is_ok() && queue.signal(None, ControlSignal::Stop(reads_on_drop())));
            while queue.poll(incarnation, Interest::Messages, std::task::Waker::noop()).is_ready() {}
            // One signal stays queued. The reason of the end is remembered, and pushed out after
            // some more ends.
            assert!(queue.signal(None, ControlSignal::Stop(reads_on_drop())));
            drop(queue.detach(incarnation, &reads_on_drop()));
        }
        done.send(()).expect("the test waits");
    });
    over.recv_timeout(Duration::from_secs(20)).expect("it neither hangs nor fails");
}
