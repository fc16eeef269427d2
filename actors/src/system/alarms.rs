//! The timeouts of calls: very many of them, nearly all of which never strike.
//!
//! A timer of the runtime costs more than a whole call: it reads the clock, takes the driver's lock twice, and may have to wake a
//! thread up from its sleep. So calls share one coarse clock, a wheel of buckets that one task turns while anybody waits.
//! To set an alarm and to take it back is a matter of a short lock and no clock at all.
//!
//! # Guarantees
//!
//! An alarm never strikes early. It strikes at most three ticks late; if the runtime itself was late, as much later.
//!
//! One runtime turns the wheel. Whoever waits on another one, which must not depend on whether the first goes on, gets no alarm
//! and takes a timer of its own runtime.

use std::pin::Pin;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use tokio::runtime::{Handle, Id};
use tokio::time::{Instant, Sleep};

use crate::clock::sleep_until;
use crate::sync::{Mutex, MutexGuard};

/// How long a turn of the wheel takes.
const TICK: Duration = Duration::from_millis(10);

/// An alarm for a later round stays in its bucket when the wheel comes by.
const BUCKETS: usize = 256;

/// Who waits, by when its alarm strikes.
pub(crate) struct Alarms(Mutex<Wheel>);

struct Wheel {
    turn: u64,
    buckets: Vec<Bucket>,
    next_id: u64,
    /// Alarms before this one were lost with the task that turned the wheel.
    first_id: u64,
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
        Self(Mutex::new(Wheel {
            turn: 0,
            buckets: Vec::new(),
            next_id: 0,
            first_id: 0,
            set: 0,
            stirred: false,
            turner: None,
        }))
    }

    fn lock(&self) -> MutexGuard<'_, Wheel> {
        self.0.lock()
    }
}

/// How many ticks it takes at least. In whole seconds first: a division of all the nanoseconds would be one of 128 bits.
fn ticks(time: Duration) -> u64 {
    const PER_SECOND: u64 = 1_000_000_000 / TICK.subsec_nanos() as u64;
    let begun = u64::from(time.subsec_nanos().div_ceil(TICK.subsec_nanos()));
    time.as_secs().saturating_mul(PER_SECOND).saturating_add(begun)
}

impl Wheel {
    fn set(&mut self, after: Duration, waker: Waker) -> Alarm {
        if self.buckets.is_empty() {
            self.buckets.resize_with(BUCKETS, Bucket::default);
        }
        // The turn that goes on may be over in a moment, and the one after it may come up to a tick too soon.
        let (id, strikes_at) = (self.next_id, self.turn.saturating_add(ticks(after)).saturating_add(2));
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
        Alarm { id, bucket: index as u32, place }
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

    /// Goes on by one; those whose alarm strikes.
    fn turn(&mut self) -> Vec<Waker> {
        self.turn += 1;
        let turn = self.turn;
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
        self.first_id = self.next_id;
        let entries = self.buckets.drain(..).flat_map(|bucket| bucket.places).flatten();
        let wakers = entries.map(|entry| entry.waker).collect();
        self.set = 0;
        wakers
    }
}

impl Alarms {
    /// Has `waker` woken after a time; not if there is no runtime here, or another one turns the wheel.
    pub(crate) fn set(self: &Arc<Self>, after: Duration, waker: &Waker) -> Option<Alarm> {
        let here = Handle::try_current().ok()?;
        let mut wheel = self.lock();
        if wheel.turner.is_some_and(|turner| turner.runtime != here.id()) {
            return None;
        }
        // A runtime without timers cannot turn the wheel.
        let first = match wheel.turner {
            None => Some(sleep_until(Instant::now() + TICK).ok()?),
            Some(_) => None,
        };
        let alarm = wheel.set(after, waker.clone());
        if let Some(first) = first {
            let turns = Turns { since: alarm.id, runtime: here.id() };
            wheel.turner = Some(turns);
            drop(wheel);
            let turner = Turner { alarms: self.clone(), turns };
            here.spawn(turn(turner, first));
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
        if alarm.id < wheel.first_id { Struck::Lost } else { Struck::Yes }
    }

    /// Takes an alarm back.
    pub(crate) fn take_back(&self, alarm: &Alarm) {
        let waker = self.lock().take_back(alarm);
        drop(waker);
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
            if wheel.turner == Some(self.turns) { wheel.stop() } else { Vec::new() }
        };
        lost.into_iter().for_each(Waker::wake);
    }
}

/// Turns the wheel, until there is nothing to turn it for.
async fn turn(turner: Turner, mut tick: Pin<Box<Sleep>>) {
    loop {
        tick.as_mut().await;
        let struck = {
            let mut wheel = turner.alarms.lock();
            if wheel.set == 0 && !wheel.stirred {
                wheel.turner = None;
                return;
            }
            wheel.stirred = false;
            // A wheel that is much too late loses time rather than make it up: nobody's alarm may strike early. It is late by
            // when it has the lock; an alarm set before that counts from the turn before.
            let (now, next) = (Instant::now(), tick.deadline() + TICK);
            tick.as_mut().reset(if now > next { now + TICK } else { next });
            wheel.turn()
        };
        struck.into_iter().for_each(Waker::wake);
    }
}
