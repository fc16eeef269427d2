//! The timeouts of calls: very many of them, nearly all of which never strike.
//!
//! A timer of the runtime costs more than a whole call: it reads the clock, takes the driver's lock twice, and may have to wake a
//! thread up from its sleep. So calls share one coarse clock, a wheel of buckets that one task turns while anybody waits.
//! To set an alarm and to take it back is a matter of a short lock and no clock at all. And a task that makes one call after the
//! other does neither: it finds the alarm of its last call still set, and goes on with that.
//!
//! # Guarantees
//!
//! An alarm never strikes early. It strikes at most three ticks late; if the runtime itself, or a task that was woken for an alarm
//! that had been left to it, was late, as much later.
//!
//! One runtime turns the wheel. Whoever waits on another one, which must not depend on whether the first goes on, gets no alarm
//! and takes a timer of its own runtime.

use std::cell::Cell;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Waker;
use std::time::Duration;

use tokio::runtime::{Handle, Id};
use tokio::time::{self, Instant, Sleep};

use crate::sync::{Mutex, MutexGuard};

/// How long a turn of the wheel takes.
const TICK: Duration = Duration::from_millis(10);

const TICKS_PER_SECOND: u64 = 1_000_000_000 / TICK.subsec_nanos() as u64;

/// An alarm for a later round stays in its bucket when the wheel comes by.
const BUCKETS: usize = 256;

/// Who waits, by when its alarm strikes.
pub(crate) struct Alarms {
    /// How often the wheel was turned. Written under the lock, as is the next.
    turn: AtomicU64,
    /// Alarms before this one were lost with the task that turned the wheel.
    first_id: AtomicU64,
    wheel: Mutex<Wheel>,
}

struct Wheel {
    buckets: Vec<Bucket>,
    next_id: u64,
    /// How many alarms are set.
    set: usize,
    /// Whether any was set since the last turn.
    stirred: bool,
    /// Who turns it.
    turner: Option<Turns>,
}

/// Which task turns the wheel, by the alarm for which it began, and on which runtime.
#[derive(Clone, Copy, Eq, PartialEq)]
struct Turns {
    since: u64,
    runtime: Id,
}

#[derive(Default)]
struct Bucket {
    places: Vec<Option<Entry>>,
    free: Vec<u32>,
}

struct Entry {
    id: u64,
    strikes_at: u64,
    waker: Waker,
}

/// An alarm that was set. It is to be taken back by whoever set it.
#[derive(Debug)]
pub(crate) struct Alarm {
    id: u64,
    strikes_at: u64,
    bucket: u32,
    place: u32,
}

/// What has become of an alarm.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Struck {
    /// Its time has not come.
    No,
    /// Its time has come.
    Yes,
    /// The runtime that turned the wheel is gone: only a timer of one's own can be relied upon.
    Lost,
}

impl Alarms {
    pub(super) fn new() -> Self {
        let wheel = Wheel { buckets: Vec::new(), next_id: 0, set: 0, stirred: false, turner: None };
        Self { turn: AtomicU64::new(0), first_id: AtomicU64::new(0), wheel: Mutex::new(wheel) }
    }

    fn lock(&self) -> MutexGuard<'_, Wheel> {
        self.wheel.lock()
    }

    /// The turn by which so much time is over.
    fn due(&self, after: Duration) -> u64 {
        // The turn that goes on may be over in a moment, and the one after it may come up to a tick too soon.
        let begun = u64::from(after.subsec_nanos().div_ceil(TICK.subsec_nanos()));
        let turns = after.as_secs().saturating_mul(TICKS_PER_SECOND).saturating_add(begun);
        self.turn.load(Ordering::SeqCst).saturating_add(turns).saturating_add(2)
    }
}

impl Wheel {
    fn set(&mut self, strikes_at: u64, waker: Waker) -> Alarm {
        if self.buckets.is_empty() {
            self.buckets.resize_with(BUCKETS, Bucket::default);
        }
        let id = self.next_id;
        self.next_id += 1;
        self.set += 1;
        self.stirred = true;
        let index = strikes_at as usize % BUCKETS;
        let bucket = &mut self.buckets[index];
        let place = bucket.free.pop().unwrap_or_else(|| {
            bucket.places.push(None);
            (bucket.places.len() - 1) as u32
        });
        bucket.places[place as usize] = Some(Entry { id, strikes_at, waker });
        Alarm { id, strikes_at, bucket: index as u32, place }
    }

    fn entry(&mut self, alarm: &Alarm) -> Option<&mut Entry> {
        let bucket = self.buckets.get_mut(alarm.bucket as usize)?;
        let entry = bucket.places.get_mut(alarm.place as usize)?.as_mut()?;
        (entry.id == alarm.id).then_some(entry)
    }

    fn take_back(&mut self, alarm: &Alarm) -> Option<Waker> {
        self.entry(alarm)?;
        let bucket = &mut self.buckets[alarm.bucket as usize];
        self.set -= 1;
        bucket.free.push(alarm.place);
        bucket.places[alarm.place as usize].take().map(|entry| entry.waker)
    }

    /// Those whose alarm strikes with this turn.
    fn turn(&mut self, turn: u64) -> Vec<Waker> {
        let Bucket { places, free } = &mut self.buckets[turn as usize % BUCKETS];
        let mut struck = Vec::new();
        for (place, slot) in (0..).zip(places.iter_mut()) {
            if slot.as_ref().is_some_and(|entry| entry.strikes_at <= turn) {
                struck.extend(slot.take().map(|entry| entry.waker));
                free.push(place);
            }
        }
        self.set -= struck.len();
        struck
    }

    /// Everybody, when the task that turns the wheel goes away: they take timers of their own.
    fn stop(&mut self) -> Vec<Waker> {
        self.turner = None;
        let entries = self.buckets.drain(..).flat_map(|bucket| bucket.places).flatten();
        let wakers = entries.map(|entry| entry.waker).collect();
        self.set = 0;
        wakers
    }
}

impl Alarms {
    /// Has `waker` woken after a time; not if there is no runtime here, or another one turns the wheel.
    #[cfg(test)]
    pub(crate) fn set(self: &Arc<Self>, after: Duration, waker: &Waker) -> Option<Alarm> {
        self.set_for(self.due(after), waker, &Handle::try_current().ok()?)
    }

    fn set_for(self: &Arc<Self>, strikes_at: u64, waker: &Waker, here: &Handle) -> Option<Alarm> {
        let mut wheel = self.lock();
        if wheel.turner.is_some_and(|turner| turner.runtime != here.id()) {
            return None;
        }
        // The wheel may have been turned since the caller counted.
        let alarm = wheel.set(strikes_at.max(self.turn.load(Ordering::SeqCst) + 1), waker.clone());
        if wheel.turner.is_none() {
            let turns = Turns { since: alarm.id, runtime: here.id() };
            wheel.turner = Some(turns);
            drop(wheel);
            let turner = Turner { alarms: self.clone(), turns };
            // Made here, so that a runtime without timers panics under whoever asked for one.
            here.spawn(turn(turner, time::sleep(TICK)));
        }
        Some(alarm)
    }

    /// What has become of an alarm. If its time has not come, it is `waker` that it will wake.
    pub(crate) fn look(&self, alarm: &Alarm, waker: &Waker) -> Struck {
        let mut wheel = self.lock();
        if let Some(entry) = wheel.entry(alarm) {
            entry.waker.clone_from(waker);
            return Struck::No;
        }
        if self.has_lost(alarm) { Struck::Lost } else { Struck::Yes }
    }

    fn has_lost(&self, alarm: &Alarm) -> bool {
        alarm.id < self.first_id.load(Ordering::SeqCst)
    }

    /// Takes an alarm back.
    pub(crate) fn take_back(&self, alarm: &Alarm) {
        let waker = self.lock().take_back(alarm);
        drop(waker);
    }
}

/// The time that a call waits at most.
///
/// When the call is over, its alarm is left to the thread, still set. The next call of the same task goes on with it, and if it
/// waits so long, it is woken too soon by it and sets another one for the rest of its time. So a task that makes one call after
/// the other sets an alarm once in some thousands of calls, and takes none back.
pub(crate) struct Term {
    alarms: Arc<Alarms>,
    alarm: Alarm,
    due: u64,
    runtime: Id,
    wakes: Wakes,
}

/// Whose waker an alarm has. Until it strikes it keeps that waker, so nobody else's is in the same place.
type Wakes = (usize, usize);

fn wakes(waker: &Waker) -> Wakes {
    (waker.data().addr(), std::ptr::from_ref(waker.vtable()).addr())
}

/// An alarm that strikes in more turns than this is not left to the thread: the wheel would turn for nobody.
const SOON: u64 = 10 * TICKS_PER_SECOND;

thread_local! {
    static LEFT: Cell<Option<Box<Term>>> = const { Cell::new(None) };
}

impl Term {
    /// Begins to wait; not if there is no runtime here, or another one turns the wheel.
    pub(crate) fn begin(alarms: &Arc<Alarms>, after: Duration, waker: &Waker) -> Option<Box<Self>> {
        let here = Handle::try_current().ok()?;
        let (due, runtime, wakes) = (alarms.due(after), here.id(), wakes(waker));
        let set = || {
            let alarm = alarms.set_for(due, waker, &here)?;
            Some(Self { alarms: alarms.clone(), alarm, due, runtime, wakes })
        };
        let Some(mut left) = LEFT.try_with(Cell::take).ok().flatten() else { return set().map(Box::new) };
        if (left.runtime, left.wakes) == (runtime, wakes) && left.serves(alarms, due) {
            left.due = due;
        } else {
            *left = set()?;
        }
        Some(left)
    }

    /// Whether its alarm is set on this wheel, and strikes by the turn `due`. Should it strike just now, or be lost, then whoever
    /// asks is woken after this, and looks.
    fn serves(&self, alarms: &Arc<Alarms>, due: u64) -> bool {
        Arc::ptr_eq(&self.alarms, alarms)
            && alarms.turn.load(Ordering::SeqCst) < self.alarm.strikes_at
            && self.alarm.strikes_at <= due
            && !alarms.has_lost(&self.alarm)
    }

    /// What has become of it. While it goes on, it is `waker` that is woken.
    pub(crate) fn look(&mut self, waker: &Waker) -> Struck {
        let mut struck = self.alarms.look(&self.alarm, waker);
        if struck == Struck::Yes && self.alarms.turn.load(Ordering::SeqCst) < self.due {
            // That was for the call before.
            let here = Handle::try_current().ok();
            struck = match here.and_then(|here| self.alarms.set_for(self.due, waker, &here)) {
                Some(alarm) => {
                    self.alarm = alarm;
                    Struck::No
                }
                None => Struck::Lost,
            };
        }
        self.wakes = wakes(waker);
        struck
    }

    /// Leaves the alarm to the thread.
    pub(crate) fn leave(self: Box<Self>) {
        if self.alarm.strikes_at <= self.alarms.turn.load(Ordering::SeqCst) + SOON {
            // A thread that is about to end takes nothing.
            drop(LEFT.try_with(|left| left.replace(Some(self))));
        }
    }
}

impl Drop for Term {
    fn drop(&mut self) {
        self.alarms.take_back(&self.alarm);
    }
}

/// Held by the task that turns the wheel.
struct Turner {
    alarms: Arc<Alarms>,
    turns: Turns,
}

impl Drop for Turner {
    /// If it is still this task that is to turn the wheel, its runtime has gone away under it. By the time that a task which was
    /// done is dropped, another one may have begun.
    fn drop(&mut self) {
        let lost = {
            let mut wheel = self.alarms.lock();
            if wheel.turner == Some(self.turns) {
                self.alarms.first_id.store(wheel.next_id, Ordering::SeqCst);
                wheel.stop()
            } else {
                Vec::new()
            }
        };
        lost.into_iter().for_each(Waker::wake);
    }
}

/// Turns the wheel, until there is nothing to turn it for.
async fn turn(turner: Turner, first: Sleep) {
    let mut tick = pin!(first);
    loop {
        tick.as_mut().await;
        let struck = {
            let mut wheel = turner.alarms.lock();
            if wheel.set == 0 && !wheel.stirred {
                wheel.turner = None;
                return;
            }
            wheel.stirred = false;
            // First of all: whoever counts from the turn before, without the lock, does so at a time before `now`.
            let turned = turner.alarms.turn.fetch_add(1, Ordering::SeqCst) + 1;
            // A wheel that is much too late loses time rather than make it up: nobody's alarm may strike early. It is late by
            // when it has the lock; an alarm set before that counts from the turn before.
            let (now, next) = (Instant::now(), tick.deadline() + TICK);
            tick.as_mut().reset(if now > next { now + TICK } else { next });
            wheel.turn(turned)
        };
        struck.into_iter().for_each(Waker::wake);
    }
}
