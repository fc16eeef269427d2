//! The state of a network: which boots are there, what is on the way, and which ways are blocked.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use perennial_actors::host::{GAMMA, mix};
use tokio::time::Instant;

use super::calendar::Calendar;
use crate::identity::{NodeId, NodeName};
use crate::inbox::Inbox;

/// The way from one boot to another.
type Way = (NodeId, NodeId);

/// A network. Each way is first in, first out while it is not blocked.
#[derive(Debug)]
pub(super) struct State {
    seed: u64,
    pub(super) delay: Duration,
    pub(super) lease: Duration,
    pub(super) calendar: Calendar<Event>,
    nodes: BTreeMap<NodeId, Inbox>,
    /// When the latest packet of a way arrives.
    busy_until: BTreeMap<Way, Instant>,
    /// When a boot hears the latest news of another one.
    told_until: BTreeMap<Way, Instant>,
    cut: BTreeSet<(NodeName, NodeName)>,
    frozen: BTreeSet<NodeName>,
    /// Since when a way is blocked, and the packets that wait for it.
    blocked: BTreeMap<Way, Blocked>,
    /// The boots that have crashed, and until when they are seen.
    crashed: BTreeMap<NodeId, Instant>,
    /// The pairs of which the first sees the second.
    sees: BTreeSet<Way>,
    /// A task hands over what has arrived, and takes what arrives meanwhile.
    pub(super) is_delivering: bool,
}

/// What an inbox gets once the lock of the network is free.
pub(super) struct Arrival {
    inbox: Inbox,
    from: NodeId,
    notice: Notice,
}

enum Notice {
    Packet(Vec<u8>),
    Up,
    Down,
}

impl Arrival {
    pub(super) fn hand_over(self) {
        match self.notice {
            Notice::Packet(packet) => drop(self.inbox.packet(self.from, packet)),
            Notice::Up => self.inbox.node_up(self.from),
            Notice::Down => self.inbox.node_down(self.from),
        }
    }
}

#[derive(Debug, Default)]
struct Blocked {
    since: Option<Instant>,
    packets: Vec<Vec<u8>>,
}

#[derive(Debug)]
pub(super) enum Event {
    /// A packet arrives.
    Packet(Way, Vec<u8>),
    /// The lease of a way ends that was blocked at this time.
    LeaseEnds(Way, Instant),
    /// A boot sees another come, or go.
    Sees(Way, bool),
}

impl State {
    pub(super) const fn new(seed: u64) -> Self {
        Self {
            seed,
            delay: Duration::from_millis(2),
            lease: Duration::from_secs(2),
            calendar: Calendar::new(),
            nodes: BTreeMap::new(),
            busy_until: BTreeMap::new(),
            told_until: BTreeMap::new(),
            cut: BTreeSet::new(),
            frozen: BTreeSet::new(),
            blocked: BTreeMap::new(),
            crashed: BTreeMap::new(),
            sees: BTreeSet::new(),
            is_delivering: false,
        }
    }

    /// Returns a random number below a limit.
    fn random(&mut self, limit: u64) -> u64 {
        self.seed = self.seed.wrapping_add(GAMMA);
        mix(self.seed) % limit.max(1)
    }

    fn random_delay(&mut self) -> Duration {
        let micros = u64::try_from(self.delay.as_micros()).unwrap_or(u64::MAX);
        self.delay / 2 + Duration::from_micros(self.random(micros))
    }

    pub(super) fn join(&mut self, node: &NodeId, inbox: Inbox, now: Instant) {
        let others: Vec<NodeId> = self.nodes.keys().cloned().collect();
        self.nodes.insert(node.clone(), inbox);
        for other in others {
            let ways = [(node.clone(), other.clone()), (other, node.clone())];
            // Two boots see each other once the ways in both directions are open.
            let are_open = !ways.iter().any(|way| self.is_blocked(way));
            for way in ways {
                if are_open {
                    let at = now + self.random_delay();
                    self.tell(way, true, at);
                } else if self.is_blocked(&way) {
                    self.block(way, now);
                }
            }
        }
        self.crashed.retain(|_, until| *until > now);
        for (other, until) in self.crashed.clone() {
            let at = now + self.random_delay();
            self.calendar.add(at.min(until), Event::Sees((node.clone(), other.clone()), true));
            self.calendar.add(until, Event::Sees((node.clone(), other), false));
        }
    }

    /// Removes a boot, as if its process had been killed.
    pub(super) fn leave(&mut self, node: &NodeId, now: Instant) {
        self.remove(node, now, Duration::ZERO);
    }

    /// Removes a boot, as if its machine had lost its power: the others see it until the lease.
    pub(super) fn crash(&mut self, node: &NodeId, now: Instant) {
        self.crashed.insert(node.clone(), now + self.lease);
        self.remove(node, now, self.lease);
    }

    fn remove(&mut self, node: &NodeId, now: Instant, seen_for: Duration) {
        if self.nodes.remove(node).is_none() {
            return;
        }
        let others: Vec<NodeId> = self.nodes.keys().cloned().collect();
        for other in others {
            let at = now + self.random_delay().max(seen_for);
            self.tell((other, node.clone()), false, at);
        }
        self.blocked.retain(|(from, to), _| from != node && to != node);
        // If it comes back, it sees the others anew.
        self.sees.retain(|(observer, _)| observer != node);
    }

    /// Lets a boot see another later, or not any more: after what it was told of it before.
    fn tell(&mut self, way: Way, is_up: bool, at: Instant) {
        let at = self.told_until.get(&way).map_or(at, |until| at.max(*until));
        self.told_until.insert(way.clone(), at);
        self.calendar.add(at, Event::Sees(way, is_up));
    }

    pub(super) fn boots(&self, name: &NodeName) -> Vec<NodeId> {
        self.nodes.keys().filter(|node| node.name == *name).cloned().collect()
    }

    pub(super) fn send(&mut self, way: Way, packet: Vec<u8>, now: Instant) {
        let at = now + self.random_delay();
        let at = self.busy_until.get(&way).map_or(at, |busy| at.max(*busy));
        self.busy_until.insert(way.clone(), at);
        self.calendar.add(at, Event::Packet(way, packet));
    }

    /// Lets happen what is due. Returns what the inboxes get, in order.
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<Arrival> {
        let mut arrivals = Vec::new();
        while let Some(event) = self.calendar.take_due(now) {
            arrivals.extend(self.happen(event, now));
        }
        arrivals
    }

    fn happen(&mut self, event: Event, now: Instant) -> Option<Arrival> {
        match event {
            Event::Packet(way, packet) => {
                // A time that has passed delays no later packet.
                if self.busy_until.get(&way).is_some_and(|busy| *busy <= now) {
                    self.busy_until.remove(&way);
                }
                if let Some(blocked) = self.blocked.get_mut(&way).filter(|blocked| blocked.since.is_some()) {
                    blocked.packets.push(packet);
                } else if let (Some(inbox), true) = (self.nodes.get(&way.1), self.nodes.contains_key(&way.0))
                {
                    let (inbox, notice) = (inbox.clone(), Notice::Packet(packet));
                    return Some(Arrival { inbox, from: way.0, notice });
                }
                None
            }
            Event::LeaseEnds(way, since) => {
                if self.blocked.get(&way).and_then(|blocked| blocked.since) == Some(since) {
                    let (from, to) = way;
                    let arrival = self.see(&(to.clone(), from.clone()), false);
                    // The other side learns it from the end of the connection, if it can.
                    if !self.is_blocked(&(to.clone(), from.clone())) {
                        let at = now + self.random_delay();
                        self.calendar.add(at, Event::Sees((from, to), false));
                    }
                    return arrival;
                }
                None
            }
            Event::Sees(way, is_up) => {
                if self.told_until.get(&way).is_some_and(|until| *until <= now) {
                    self.told_until.remove(&way);
                }
                self.see(&way, is_up)
            }
        }
    }

    /// Lets a boot see another, or not any more.
    fn see(&mut self, way: &Way, is_up: bool) -> Option<Arrival> {
        let is_there = self.nodes.contains_key(&way.1) || self.crashed.contains_key(&way.1);
        let inbox = self.nodes.get(&way.0).filter(|_| is_there || !is_up)?.clone();
        let is_change = if is_up { self.sees.insert(way.clone()) } else { self.sees.remove(way) };
        let notice = if is_up { Notice::Up } else { Notice::Down };
        is_change.then(|| Arrival { inbox, from: way.1.clone(), notice })
    }

    fn is_blocked(&self, (from, to): &Way) -> bool {
        self.cut.contains(&(from.name.clone(), to.name.clone()))
            || self.frozen.contains(&from.name)
            || self.frozen.contains(&to.name)
    }

    pub(super) fn set_cut(&mut self, from: &NodeName, to: &NodeName, is_cut: bool, now: Instant) {
        let way = (from.clone(), to.clone());
        if is_cut {
            self.cut.insert(way)
        } else {
            self.cut.remove(&way)
        };
        self.update(now);
    }

    pub(super) fn set_frozen(&mut self, name: &NodeName, is_frozen: bool, now: Instant) {
        if is_frozen {
            self.frozen.insert(name.clone())
        } else {
            self.frozen.remove(name)
        };
        self.update(now);
    }

    /// Blocks and opens ways, after the reasons for that have changed.
    fn update(&mut self, now: Instant) {
        let nodes: Vec<NodeId> = self.nodes.keys().cloned().collect();
        let ways = nodes.iter().flat_map(|from| nodes.iter().map(move |to| (from.clone(), to.clone())));
        for way in ways.filter(|(from, to)| from != to).collect::<Vec<_>>() {
            let was_blocked = self.blocked.get(&way).is_some_and(|blocked| blocked.since.is_some());
            match (was_blocked, self.is_blocked(&way)) {
                (false, true) => self.block(way, now),
                (true, false) => self.open(way, now),
                _ => {}
            }
        }
    }

    fn block(&mut self, way: Way, now: Instant) {
        self.blocked.entry(way.clone()).or_default().since = Some(now);
        self.calendar.add(now + self.lease, Event::LeaseEnds(way, now));
    }

    /// Opens a way. If the receiver still sees the sender, nothing is lost. Otherwise each packet
    /// that has waited is lost, or arrives late and in any order.
    fn open(&mut self, way: Way, now: Instant) {
        let Some(blocked) = self.blocked.remove(&way) else { return };
        let (from, to) = way.clone();
        let is_seen = self.sees.contains(&(to.clone(), from.clone()));
        for packet in blocked.packets {
            if is_seen {
                self.send(way.clone(), packet, now);
            } else if self.random(2) == 0 {
                let at = now + self.random_delay() * 4;
                self.calendar.add(at, Event::Packet(way.clone(), packet));
            }
        }
        let reverse = (to.clone(), from.clone());
        let is_connected = is_seen && self.sees.contains(&way);
        if !is_connected && !self.is_blocked(&reverse) {
            for way in [(to, from), way] {
                // A side that has not noticed anything sees the other go and come.
                let at = now + self.random_delay();
                self.calendar.add(at, Event::Sees(way.clone(), false));
                self.calendar.add(at, Event::Sees(way, true));
            }
        }
    }
}
