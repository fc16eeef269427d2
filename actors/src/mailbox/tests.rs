//! The mailbox by itself: random operations against a model that is nothing but lists.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::task::{Context, Poll, Waker};

use proptest::prelude::*;

use super::{AttachError, Fate, Mailbox, Next, OnRestart, Outcome, Queue, Refused};
use crate::exit::ExitReason;
use crate::signal::Signal;

/// What may happen to a mailbox.
#[derive(Clone, Copy, Debug)]
enum Op {
    Push,
    Join,
    Collect,
    Leave,
    Next,
    Signal,
    Kill,
    End { abnormal: bool },
    Open,
    Attach,
    Close,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => Just(Op::Push),
        3 => Just(Op::Join),
        2 => Just(Op::Collect),
        1 => Just(Op::Leave),
        8 => Just(Op::Next),
        1 => Just(Op::Signal),
        1 => Just(Op::Kill),
        2 => any::<bool>().prop_map(|abnormal| Op::End { abnormal }),
        2 => Just(Op::Open),
        3 => Just(Op::Attach),
        1 => Just(Op::Close),
    ]
}

/// A mailbox as one would describe it to a friend.
#[derive(Default)]
struct Model {
    capacity: usize,
    discards: bool,
    open: bool,
    served: Option<u32>,
    newest: u32,
    waiting: VecDeque<u32>,
    in_hand: Option<u32>,
    line: VecDeque<u32>,
    signals: usize,
    killed: bool,
    accepted: u64,
    handled: Vec<u32>,
    lost: Vec<u32>,
    dead: Vec<u32>,
}

impl Model {
    fn admit(&mut self) {
        while self.waiting.len() < self.capacity {
            let Some(first) = self.line.pop_front() else { return };
            self.waiting.push_back(first);
            self.accepted += 1;
        }
    }

    fn settle(&mut self) {
        self.handled.extend(self.in_hand.take());
    }

    fn end(&mut self, abnormal: bool) {
        if abnormal {
            self.lost.extend(self.in_hand.take());
        } else {
            self.settle();
        }
        (self.served, self.signals, self.killed) = (None, 0, false);
    }
}

/// The real one beside the model, and the tickets of those in line.
struct Pair {
    real: Queue<u32>,
    model: Model,
    tickets: VecDeque<(u64, u32)>,
    next_message: u32,
}

impl Pair {
    fn new(capacity: usize, discards: bool) -> Self {
        let mut settings = Mailbox::bounded(NonZeroUsize::new(capacity).expect("not zero"));
        settings.on_restart = if discards { OnRestart::Discard } else { OnRestart::Keep };
        let model = Model { capacity, discards, ..Model::default() };
        Self { real: Queue::new(settings), model, tickets: VecDeque::new(), next_message: 0 }
    }

    fn message(&mut self) -> u32 {
        self.next_message += 1;
        self.next_message
    }

    fn apply(&mut self, op: Op) {
        match op {
            Op::Push => self.push(),
            Op::Join => self.join(),
            Op::Collect => self.collect(),
            Op::Leave => self.leave(),
            Op::Next => self.next(),
            Op::Signal => {
                assert_eq!(self.real.signal(Signal::Exit(ExitReason::Normal)), self.model.served.is_some());
                self.model.signals += usize::from(self.model.served.is_some());
            }
            Op::Kill => {
                assert_eq!(self.real.kill(), self.model.served.is_some());
                self.model.killed = self.model.served.is_some();
            }
            Op::End { abnormal } => self.end(abnormal),
            Op::Open => {
                self.real.open();
                self.model.open = true;
            }
            Op::Attach => self.attach(),
            Op::Close => self.close(),
        }
    }

    fn push(&mut self) {
        let message = self.message();
        let model = &mut self.model;
        let room = model.line.is_empty() && model.waiting.len() < model.capacity;
        match self.real.push(message) {
            Ok(sequence) => {
                assert!(model.open && room);
                model.waiting.push_back(message);
                model.accepted += 1;
                assert_eq!(sequence, model.accepted);
            }
            Err(Refused::Full(back)) => assert!(model.open && !room && back == message),
            Err(Refused::Closed(back)) => assert!(!model.open && back == message),
        }
    }

    fn join(&mut self) {
        let message = self.message();
        match self.real.push_or_join(message, Waker::noop()) {
            Err(back) => assert!(!self.model.open && back == message),
            Ok(Err(ticket)) => {
                self.model.line.push_back(message);
                self.tickets.push_back((ticket, message));
                self.model.admit();
                assert!(self.model.line.contains(&message), "a sender with room does not stand in line");
            }
            Ok(Ok(_)) => {
                assert!(self.model.line.is_empty());
                self.model.line.push_back(message);
                self.model.admit();
                assert!(self.model.line.is_empty());
            }
        }
    }

    fn collect(&mut self) {
        let Some((ticket, message)) = self.tickets.front().copied() else { return };
        let waits = self.model.line.contains(&message);
        match self.real.collect(ticket, Waker::noop()) {
            None => assert!(waits && self.model.open),
            Some(Outcome::Accepted(_)) => {
                assert!(!waits);
                self.tickets.pop_front();
            }
            Some(Outcome::Refused(back)) => {
                assert_eq!(back, message);
                self.tickets.pop_front();
            }
        }
    }

    fn leave(&mut self) {
        let Some((ticket, message)) = self.tickets.pop_back() else { return };
        let waited = self.model.line.iter().position(|each| *each == message);
        match self.real.leave(ticket) {
            Some(back) => {
                assert_eq!(back, message);
                waited.map(|at| self.model.line.remove(at));
            }
            None => assert!(waited.is_none()),
        }
    }

    fn next(&mut self) {
        let model = &mut self.model;
        let next = self.real.poll_next(model.newest, &mut Context::from_waker(Waker::noop()));
        if model.served.is_none() {
            assert!(matches!(next, Poll::Ready(Next::Detached)));
            return;
        }
        model.settle();
        match next {
            Poll::Ready(Next::Killed) => assert!(model.killed),
            Poll::Ready(Next::Signal(_)) => {
                assert!(!model.killed && model.signals > 0);
                model.signals -= 1;
            }
            Poll::Ready(Next::Message(message)) => {
                assert!(!model.killed && model.signals == 0);
                assert_eq!(model.waiting.pop_front(), Some(message));
                model.in_hand = Some(message);
            }
            Poll::Ready(Next::Detached) => panic!("it is served"),
            Poll::Pending => assert!(!model.killed && model.signals == 0 && model.waiting.is_empty()),
        }
        model.admit();
    }

    fn end(&mut self, abnormal: bool) {
        let reason = if abnormal { ExitReason::Killed } else { ExitReason::Normal };
        let ended = self.real.detach(self.model.newest, &reason);
        assert_eq!(ended.is_some(), self.model.served.is_some());
        let Some(leftover) = ended else { return };
        let lost = self.model.lost.len();
        self.model.end(abnormal);
        assert_eq!(leftover.lost_in_flight, self.model.lost.len() > lost);
        if self.model.discards {
            assert_eq!(leftover.dead, self.model.waiting);
            self.model.dead.extend(self.model.waiting.drain(..));
        }
        self.model.admit();
    }

    fn attach(&mut self) {
        match self.real.attach() {
            Ok(incarnation) => {
                assert!(self.model.open && self.model.served.is_none());
                assert_eq!(incarnation, self.model.newest + 1);
                (self.model.newest, self.model.served) = (incarnation, Some(incarnation));
            }
            Err(AttachError::Closed) => assert!(!self.model.open),
            Err(AttachError::Served) => assert!(self.model.served.is_some()),
        }
    }

    fn close(&mut self) {
        let closed = self.real.close(&ExitReason::Killed);
        assert_eq!(closed.is_some(), self.model.open);
        let Some(leftover) = closed else { return };
        self.model.end(true);
        assert_eq!(leftover.dead, self.model.waiting);
        self.model.dead.extend(self.model.waiting.drain(..));
        self.model.line.clear();
        self.model.open = false;
    }

    /// What holds whatever happened: the books are those of the model, and the bound is kept.
    fn check(&self) {
        let (counters, model) = (self.real.counters(), &self.model);
        assert!(counters.balanced(), "{counters:?}");
        assert_eq!(counters.accepted, model.accepted);
        assert_eq!(counters.handled, model.handled.len() as u64);
        assert_eq!(counters.lost_in_flight, model.lost.len() as u64);
        assert_eq!(counters.dead_lettered, model.dead.len() as u64);
        assert_eq!(counters.queued, model.waiting.len() as u64 + u64::from(model.in_hand.is_some()));
        assert!(model.waiting.len() <= model.capacity);
    }
}

proptest! {
    #[test]
    fn a_mailbox_does_what_its_model_does(
        capacity in 1_usize..4,
        discards: bool,
        ops in prop::collection::vec(op(), 0..200),
    ) {
        let mut pair = Pair::new(capacity, discards);
        for op in [Op::Open, Op::Attach].into_iter().chain(ops) {
            pair.apply(op);
            pair.check();
        }
    }
}

fn served() -> (Queue<u32>, u32) {
    let queue = Queue::new(Mailbox::unbounded());
    queue.open();
    let incarnation = queue.attach().expect("it is open");
    (queue, incarnation)
}

fn take(queue: &Queue<u32>, incarnation: u32) -> Poll<Next<u32>> {
    queue.poll_next(incarnation, &mut Context::from_waker(Waker::noop()))
}

#[test]
fn a_signal_overtakes_what_is_left_of_a_batch() {
    let (queue, incarnation) = served();
    (1..=3).for_each(|n| assert!(queue.push(n).is_ok()));
    assert!(matches!(take(&queue, incarnation), Poll::Ready(Next::Message(1))));
    assert!(queue.signal(Signal::Exit(ExitReason::Normal)));
    assert!(matches!(take(&queue, incarnation), Poll::Ready(Next::Signal(_))));
    assert!(matches!(take(&queue, incarnation), Poll::Ready(Next::Message(2))));
}

#[test]
fn an_incarnation_whose_mailbox_was_taken_away_can_do_nothing_with_it() {
    let (queue, stuck) = served();
    (1..=3).for_each(|n| assert!(queue.push(n).is_ok()));
    assert!(matches!(take(&queue, stuck), Poll::Ready(Next::Message(1))));
    assert!(queue.detach(stuck, &ExitReason::Killed).is_some_and(|leftover| leftover.lost_in_flight));
    let fresh = queue.attach().expect("it is vacant");
    assert!(matches!(take(&queue, stuck), Poll::Ready(Next::Detached)));
    queue.settle(stuck);
    assert!(queue.detach(stuck, &ExitReason::Killed).is_none());
    assert!(matches!(take(&queue, fresh), Poll::Ready(Next::Message(2))));
    assert!(matches!(take(&queue, fresh), Poll::Ready(Next::Message(3))));
}

#[test]
fn a_message_has_the_fate_of_the_incarnation_that_had_it() {
    let (queue, first) = served();
    let fate = |sequence| queue.fate(sequence, Waker::noop());
    (1..=4).for_each(|n| assert!(queue.push(n).is_ok()));
    assert!(matches!(take(&queue, first), Poll::Ready(Next::Message(1))));
    assert!(matches!(take(&queue, first), Poll::Ready(Next::Message(2))));
    assert!(matches!((fate(1), fate(2), fate(3)), (Fate::Handled, Fate::Open, Fate::Open)));
    queue.begin_end(first);
    assert!(matches!(fate(1), Fate::Open), "a reply that was kept may be dropped by now");
    drop(queue.detach(first, &ExitReason::Killed));
    assert!(matches!((fate(1), fate(2)), (Fate::Lost(ExitReason::Killed), Fate::Lost(ExitReason::Killed))));
    assert!(matches!((fate(3), fate(4)), (Fate::Open, Fate::Open)));
    let second = queue.attach().expect("it is vacant");
    assert!(matches!(take(&queue, second), Poll::Ready(Next::Message(3))));
    queue.settle(second);
    assert!(matches!(fate(3), Fate::Handled));
    drop(queue.close(&ExitReason::NoProcess));
    assert!(matches!(fate(4), Fate::Lost(ExitReason::NoProcess)));
}
