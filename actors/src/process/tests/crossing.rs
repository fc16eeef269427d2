//! Links and unlinks from both sides that cross each other and an end, as the product does them.
//!
//! What must hold does not depend on the order of the steps. A link or unlink happens at some point between its beginning and
//! its end, so the last of those that nothing follows may be whichever of them; a state that none of these leaves is wrong.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::turns::{Bell, FIRST, Turns, incarnation};
use crate::any_process::AnyProcess;
use crate::control::ControlSignal;
use crate::exit::ExitReason;
use crate::log::EndKind;
use crate::pid::Pid;
use crate::process::Process;
use crate::system::System;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Deed {
    Link,
    Unlink,
    /// Of the first one only: it ends by itself, or somebody takes its mailbox away.
    End,
}

/// How the first one ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Ending {
    Never,
    ByItself,
    /// Whatever it is in the middle of.
    Abandoned,
}

/// Something that was done, by the first one (0), the second one (1), or the owner of the first (2).
#[derive(Debug)]
struct Done {
    by: usize,
    deed: Deed,
    began: usize,
    over: usize,
    /// Of a link: whether there was somebody to be linked to.
    worked: bool,
    /// How many exit signals had come by then to whoever did it.
    exits: usize,
}

impl Done {
    fn follows(&self, earlier: &Self) -> bool {
        earlier.over < self.began
    }
}

/// Two incarnations, and a record of what is done.
struct Stage {
    pair: [Arc<Process<()>>; 2],
    bell: Arc<dyn AnyProcess>,
    exits: [AtomicUsize; 2],
    clock: AtomicUsize,
    record: Mutex<Vec<Done>>,
}

impl Stage {
    fn new(turns: &Arc<Turns>) -> Self {
        let system = System::new();
        let bell = Bell::new(&system, turns);
        let pair = [incarnation(&system), incarnation(&system)];
        bell.hang_on(&pair[0]);
        let exits = [AtomicUsize::new(0), AtomicUsize::new(0)];
        Self { pair, bell, exits, clock: AtomicUsize::new(0), record: Mutex::new(Vec::new()) }
    }

    /// Whom this one is linked to, but for the bell.
    fn linked(&self, number: usize) -> Vec<Pid> {
        let mut linked = self.pair[number].linked();
        linked.retain(|pid| Some(*pid) != self.bell.newest_pid());
        linked
    }

    fn now(&self) -> usize {
        self.clock.fetch_add(1, Ordering::Relaxed)
    }

    fn exits(&self, number: usize) -> usize {
        let is_exit = |order: &ControlSignal| matches!(order, ControlSignal::Exit(_));
        let new = self.pair[number].queue.retract_signals(FIRST, is_exit).len();
        self.exits[number].fetch_add(new, Ordering::Relaxed) + new
    }

    /// `abandon` is the owner's to do: he says `2`, and means the first one.
    fn do_it(&self, by: usize, deed: Deed) {
        let (own, began) = (&self.pair[by % 2], self.now());
        let other: Arc<dyn AnyProcess> = self.pair[1 - by % 2].clone();
        let worked = match (deed, by) {
            (Deed::Link, _) => own.link(FIRST, &other, false),
            (Deed::Unlink, _) => {
                own.unlink(FIRST, &other);
                true
            }
            (Deed::End, 0) => own.detach(FIRST, &ExitReason::failed("bad"), EndKind::Started).is_some(),
            (Deed::End, _) => own.abandon(FIRST),
        };
        let done = Done { by, deed, began, over: self.now(), worked, exits: self.exits(by % 2) };
        self.record.lock().expect("nobody panics under it").push(done);
    }
}

/// Plays it in this order; the stage afterwards.
fn play(programs: [&[Deed]; 2], ending: Ending, order: &[u8]) -> Stage {
    let (turns, conductor) = Turns::new(3);
    let turns = Arc::new(turns);
    let stage = Stage::new(&turns);
    let [first, second] = programs.map(<[Deed]>::to_vec);
    let mut all = [first, second, vec![]];
    match ending {
        Ending::Never => {}
        Ending::ByItself => all[0].push(Deed::End),
        Ending::Abandoned => all[2].push(Deed::End),
    }
    thread::scope(|scope| {
        for (by, program) in all.into_iter().enumerate() {
            let (stage, turns) = (&stage, &*turns);
            turns.join_in(scope, by, move || {
                for deed in program {
                    stage.do_it(by, deed);
                    turns.stop();
                }
            });
        }
        conductor.conduct(order);
    });
    stage
}

fn check(stage: &Stage) -> Result<(), TestCaseError> {
    let record = stage.record.lock().expect("nobody panics under it");
    let linked = [0, 1].map(|number| !stage.linked(number).is_empty());
    let end = record.iter().find(|done| done.deed == Deed::End);
    match end {
        None => check_living(stage, &record, linked),
        Some(end) => check_survivor(stage, &record, linked, end),
    }
}

fn check_living(stage: &Stage, record: &[Done], linked: [bool; 2]) -> Result<(), TestCaseError> {
    prop_assert_eq!(linked[0], linked[1], "both ends agree: {:#?}", record);
    let last = |done: &&Done| !record.iter().any(|other| other.follows(done));
    let possible: Vec<bool> = record.iter().filter(last).map(|done| done.deed == Deed::Link).collect();
    let explained = possible.contains(&linked[0]) || (possible.is_empty() && !linked[0]);
    prop_assert!(explained, "linked: {}, after {:#?}", linked[0], record);
    prop_assert_eq!([stage.exits(0), stage.exits(1)], [0, 0], "nobody has ended");
    prop_assert!(record.iter().all(|done| done.worked), "there was always somebody: {:#?}", record);
    Ok(())
}

fn check_survivor(
    stage: &Stage,
    record: &[Done],
    linked: [bool; 2],
    end: &Done,
) -> Result<(), TestCaseError> {
    prop_assert_eq!(linked, [false, false], "nothing is left of it: {:#?}", record);
    let exits = stage.exits(1);
    prop_assert!(exits <= 1, "one end, {} exits: {:#?}", exits, record);
    let links = || record.iter().filter(|done| done.deed == Deed::Link);
    let unlinks = || record.iter().filter(|done| done.deed == Deed::Unlink);
    let stands = |link: &Done| {
        link.worked
            && end.follows(link)
            && unlinks().all(|unlink| link.follows(unlink) || unlink.follows(end))
    };
    if links().any(stands) {
        prop_assert_eq!(exits, 1, "it was linked when the other one ended: {:#?}", record);
    }
    // To be refused is to be told already: it is told so at once, or by an exit signal, and never by both.
    let refused = |link: &Done| link.by == 1 && !link.worked && link.exits == 0;
    if links().any(refused) {
        prop_assert_eq!(exits, 0, "it was refused while an exit was on its way: {:#?}", record);
    }
    for unlink in unlinks().filter(|unlink| links().all(|link| unlink.follows(link))) {
        if end.follows(unlink) {
            prop_assert_eq!(exits, 0, "it was not linked when the other one ended: {:#?}", record);
        }
        if unlink.by == 1 {
            prop_assert_eq!(exits, unlink.exits, "none comes after an unlink: {:#?}", record);
        }
    }
    Ok(())
}

fn program() -> impl Strategy<Value = Vec<Deed>> {
    vec(select(vec![Deed::Link, Deed::Link, Deed::Unlink]), 0..4)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    #[test]
    fn links_and_unlinks_that_cross_leave_two_ends_that_agree(
        one in program(), other in program(), order in vec(any::<u8>(), 0..60),
    ) {
        check(&play([&one, &other], Ending::Never, &order))?;
    }

    #[test]
    fn whoever_survives_is_told_once_if_it_was_linked_and_keeps_no_end(
        one in program(), other in program(), order in vec(any::<u8>(), 0..80),
        ending in select(vec![Ending::ByItself, Ending::Abandoned]),
    ) {
        check(&play([&one, &other], ending, &order))?;
    }
}
