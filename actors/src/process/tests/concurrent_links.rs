//! Concurrent links and unlinks from both sides, and an end, on the real processes.
//!
//! The assertions do not depend on the order of the steps. A link or unlink takes effect at some
//! point between its beginning and its end. So any operation that no other one follows may be the
//! last. A state that none of these operations leaves is wrong.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::turns::{FIRST, PausePoint, Turns, incarnation};
use crate::control::ControlSignal;
use crate::exit::ExitReason;
use crate::log::EndKind;
use crate::pid::Pid;
use crate::process::Process;
use crate::process::ending::DeferredDrop;
use crate::system::AnyProcess;
use crate::system::System;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Step {
    Link,
    Unlink,
    /// Of the first one only: it ends by itself, or its owner takes its mailbox away.
    End,
}

/// How the first incarnation ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Ending {
    Never,
    Detached,
    /// At any step.
    Abandoned,
}

/// A step that was executed by the first incarnation (0), the second one (1), or the owner of the
/// first (2).
#[derive(Debug)]
struct StepRecord {
    by: usize,
    step: Step,
    began: usize,
    ended: usize,
    /// Of a link: `true` if there was an incarnation to link to.
    succeeded: bool,
    /// The number of exit signals that the executing incarnation had received by then.
    exits: usize,
}

impl StepRecord {
    fn follows(&self, earlier: &Self) -> bool {
        earlier.ended < self.began
    }
}

/// Two incarnations, and a record of the steps.
struct Fixture {
    pair: [Arc<Process<()>>; 2],
    pause_point: Arc<dyn AnyProcess>,
    exits: [AtomicUsize; 2],
    clock: AtomicUsize,
    record: Mutex<Vec<StepRecord>>,
}

impl Fixture {
    fn new(turns: &Arc<Turns>) -> Self {
        let system = System::new();
        let pause_point = PausePoint::new(&system, turns);
        let pair = [incarnation(&system), incarnation(&system)];
        pause_point.attach_to(&pair[0]);
        let exits = [AtomicUsize::new(0), AtomicUsize::new(0)];
        Self { pair, pause_point, exits, clock: AtomicUsize::new(0), record: Mutex::new(Vec::new()) }
    }

    /// Returns the links of one incarnation, without the pause point.
    fn linked(&self, number: usize) -> Vec<Pid> {
        let mut linked =
            self.pair[number].relations().lock().as_ref().map(|own| own.list().0).unwrap_or_default();
        linked.retain(|pid| Some(*pid) != self.pause_point.latest_pid());
        linked
    }

    fn now(&self) -> usize {
        self.clock.fetch_add(1, Ordering::Relaxed)
    }

    fn exits(&self, number: usize) -> usize {
        let is_exit = |signal: &ControlSignal| matches!(signal, ControlSignal::Exit(_));
        let new = self.pair[number].queue.retract_signals(FIRST, is_exit).len();
        self.exits[number].fetch_add(new, Ordering::Relaxed) + new
    }

    /// Executes a step. `abandon` is an operation of the owner: its number `2` stands for the first
    /// incarnation.
    fn execute(&self, by: usize, step: Step) {
        let (own, began) = (&self.pair[by % 2], self.now());
        let other: Arc<dyn AnyProcess> = self.pair[1 - by % 2].clone();
        let succeeded = match (step, by) {
            (Step::Link, _) => own.link(FIRST, &other, false),
            (Step::Unlink, _) => {
                own.unlink(FIRST, &other);
                true
            }
            (Step::End, 0) => {
                own.end(FIRST, &ExitReason::failed("bad"), EndKind::Started, false, &mut DeferredDrop::new())
            }
            (Step::End, _) => own.abandon(FIRST),
        };
        let done = StepRecord { by, step, began, ended: self.now(), succeeded, exits: self.exits(by % 2) };
        self.record.lock().expect("no thread panics under it").push(done);
    }
}

/// Runs the programs with their steps in this order, and returns the fixture.
fn run(programs: [&[Step]; 2], ending: Ending, order: &[u8]) -> Fixture {
    let (turns, scheduler) = Turns::new(3);
    let turns = Arc::new(turns);
    let fixture = Fixture::new(&turns);
    let [first, second] = programs.map(<[Step]>::to_vec);
    let mut all = [first, second, vec![]];
    match ending {
        Ending::Never => {}
        Ending::Detached => all[0].push(Step::End),
        Ending::Abandoned => all[2].push(Step::End),
    }
    thread::scope(|scope| {
        for (by, program) in all.into_iter().enumerate() {
            let (fixture, turns) = (&fixture, &*turns);
            turns.spawn(scope, by, move || {
                for step in program {
                    fixture.execute(by, step);
                    turns.pause();
                }
            });
        }
        scheduler.run(order);
    });
    fixture
}

fn check(fixture: &Fixture) -> Result<(), TestCaseError> {
    let record = fixture.record.lock().expect("no thread panics under it");
    let linked = [0, 1].map(|number| !fixture.linked(number).is_empty());
    let end = record.iter().find(|done| done.step == Step::End);
    match end {
        None => check_running(fixture, &record, linked),
        Some(end) => check_survivor(fixture, &record, linked, end),
    }
}

fn check_running(fixture: &Fixture, record: &[StepRecord], linked: [bool; 2]) -> Result<(), TestCaseError> {
    prop_assert_eq!(linked[0], linked[1], "both ends agree: {:#?}", record);
    let last = |done: &&StepRecord| !record.iter().any(|other| other.follows(done));
    let possible: Vec<bool> = record.iter().filter(last).map(|done| done.step == Step::Link).collect();
    let explained = possible.contains(&linked[0]) || (possible.is_empty() && !linked[0]);
    prop_assert!(explained, "linked: {}, after {:#?}", linked[0], record);
    prop_assert_eq!([fixture.exits(0), fixture.exits(1)], [0, 0], "no incarnation has ended");
    prop_assert!(record.iter().all(|done| done.succeeded), "there was always an incarnation: {:#?}", record);
    Ok(())
}

fn check_survivor(
    fixture: &Fixture,
    record: &[StepRecord],
    linked: [bool; 2],
    end: &StepRecord,
) -> Result<(), TestCaseError> {
    prop_assert_eq!(linked, [false, false], "nothing is left of it: {:#?}", record);
    let exits = fixture.exits(1);
    prop_assert!(exits <= 1, "one end, {} exits: {:#?}", exits, record);
    let links = || record.iter().filter(|done| done.step == Step::Link);
    let unlinks = || record.iter().filter(|done| done.step == Step::Unlink);
    let stands = |link: &StepRecord| {
        link.succeeded
            && end.follows(link)
            && unlinks().all(|unlink| link.follows(unlink) || unlink.follows(end))
    };
    if links().any(stands) {
        prop_assert_eq!(exits, 1, "it was linked when the other one ended: {:#?}", record);
    }
    // A refusal is a notification: it arrives at once or as an exit signal, never as both.
    let refused = |link: &StepRecord| link.by == 1 && !link.succeeded && link.exits == 0;
    if links().any(refused) {
        prop_assert_eq!(exits, 0, "it was refused while an exit was on its way: {:#?}", record);
    }
    for unlink in unlinks().filter(|unlink| links().all(|link| unlink.follows(link))) {
        if end.follows(unlink) {
            prop_assert_eq!(exits, 0, "it was not linked when the other one ended: {:#?}", record);
        }
        if unlink.by == 1 {
            prop_assert_eq!(exits, unlink.exits, "none arrives after an unlink: {:#?}", record);
        }
    }
    Ok(())
}

fn program() -> impl Strategy<Value = Vec<Step>> {
    vec(select(vec![Step::Link, Step::Link, Step::Unlink]), 0..4)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    #[test]
    fn concurrent_links_and_unlinks_leave_two_ends_that_agree(
        one in program(), other in program(), order in vec(any::<u8>(), 0..60),
    ) {
        check(&run([&one, &other], Ending::Never, &order))?;
    }

    #[test]
    fn survivor_is_notified_once_if_it_was_linked_and_keeps_no_end(
        one in program(), other in program(), order in vec(any::<u8>(), 0..80),
        ending in select(vec![Ending::Detached, Ending::Abandoned]),
    ) {
        check(&run([&one, &other], ending, &order))?;
    }
}
