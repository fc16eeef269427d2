//! What is behind the lock of a peer: its connection, its stream, its names, and what is waited
//! for.
//!
//! All packets to a peer are queued here, in the order of their numbers, and given to the engine
//! once the lock is free.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use perennial_actors::host::{SentReply, ignore_panic};
use perennial_durable::DecodeError;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::config::NodeConfig;
use crate::engine::{EngineSession, Priority};
use crate::inbox::Inbox;
use crate::names::{NameView, ViewChange};
use crate::pending::{Entry, Pending};
use crate::session::{Session, Transition};
use crate::stream::{Incoming, Outgoing};
use crate::wire::{Header, Hello, Outcome, Tags, encode};

/// The most packets without a payload that wait for room in the window.
const MAX_DEFERRED: usize = 65_536;

/// The bytes of a stream that are on the way while its packets are prompt. A network has room for
/// so many.
const PROMPT_BYTES: usize = 32 * 1024;

/// Credit is returned at once for this part of the window.
const CREDIT_PARTS: usize = 2;

/// The other end of a reply that was sent, and how its answer is decoded.
pub(crate) struct SentParts {
    pub(crate) reply: SentReply,
    pub(crate) decode: fn(&mut SentReply, &[u8]) -> Result<(), DecodeError>,
}

/// Tells a sender what became of its message. If it is dropped, the connection is lost.
pub(crate) type Report = oneshot::Sender<Outcome>;

/// Why a packet was not sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Unsent {
    NoConnection,
    /// The window has no room, or others wait for it.
    Full,
    /// The header or the payload is too long.
    TooLong,
}

/// The state of a peer. No foreign code runs under its lock.
pub(crate) struct Link {
    /// None while the engine does not see the boot.
    pub(super) engine: Option<Arc<dyn EngineSession>>,
    pub(crate) session: Session,
    pub(crate) out: Outgoing,
    pub(crate) incoming: Incoming,
    pub(crate) pending: Pending<SentParts, Report>,
    pub(crate) names: NameView,
    /// When the latest packet of the connection came.
    pub(crate) heard: Instant,
    /// The number and the time of the latest ping.
    pub(crate) ping: (u64, Instant),
    pub(crate) round_trip: Option<Duration>,
    /// The largest payload that both nodes accept.
    max_payload: usize,
    /// The largest payload that this node accepts.
    own_max_payload: usize,
    own_window: usize,
    /// The window of the peer, as far as it is known.
    window: usize,
    /// The headers that wait for room, and the bytes that each counts.
    deferred: VecDeque<(Header, usize)>,
    deferred_bytes: usize,
    /// The most bytes of headers, and of answers, that wait for room.
    pub(super) max_waiting: usize,
    /// The bytes of the answers that wait for room.
    pub(super) answer_bytes: usize,
    /// The peer gives no credit for what it asks for: more waits than may.
    is_overrun: bool,
    /// The number of senders that wait for room.
    pub(super) waiting: usize,
    /// The packets that the engine gets once the lock is free.
    pub(super) outbox: Vec<(Priority, Vec<u8>)>,
    /// A thread gives packets to the engine, and takes those that are added.
    pub(super) is_sending: bool,
    /// The packets that were sent, received and lost, as far as they were published.
    #[cfg(feature = "metrics")]
    pub(super) published: [u64; 3],
    /// The peer was found to speak another version of the protocol.
    is_other: bool,
    /// Those that wait for room have to look.
    pub(super) has_more_room: bool,
}

/// What is left of a connection that was lost.
pub(crate) struct Lost {
    entries: Vec<Entry<SentParts, Report>>,
    names: Vec<ViewChange>,
}

impl Lost {
    /// Tells all that wait for something that the connection is lost. Returns the names that are
    /// not known any more.
    pub(crate) fn tell(self) -> Vec<ViewChange> {
        self.entries.into_iter().for_each(Entry::close);
        self.names
    }
}

impl Entry<SentParts, Report> {
    /// Drops what waits, under a guard. The report goes first: a call reads it once its reply is
    /// dropped.
    pub(crate) fn close(self) {
        ignore_panic(|| drop(self.report));
        for reply in self.replies {
            ignore_panic(|| drop(reply));
        }
    }
}

impl Link {
    pub(super) fn new(config: &NodeConfig, epoch: u64) -> Self {
        let now = Instant::now();
        Self {
            engine: None,
            session: Session::new(epoch),
            out: Outgoing::new(config.window),
            incoming: Incoming::default(),
            pending: Pending::new(),
            names: NameView::new(config.max_names),
            heard: now,
            ping: (0, now),
            round_trip: None,
            max_payload: config.max_message,
            own_max_payload: config.max_message,
            own_window: config.window,
            window: config.window,
            deferred: VecDeque::new(),
            deferred_bytes: 0,
            max_waiting: Inbox::max_packet(config.max_inbox),
            answer_bytes: 0,
            is_overrun: false,
            waiting: 0,
            outbox: Vec::new(),
            is_sending: false,
            #[cfg(feature = "metrics")]
            published: [0; 3],
            is_other: false,
            has_more_room: false,
        }
    }

    /// Returns the size of the largest payload that both nodes accept.
    pub(crate) const fn max_payload(&self) -> usize {
        self.max_payload
    }

    /// Returns `true` if more waits for room than may.
    pub(crate) const fn is_overrun(&self) -> bool {
        self.is_overrun
    }

    /// Sends a packet that is not a part of the stream.
    pub(crate) fn send_outside(&mut self, priority: Priority, header: &Header) {
        // These headers have no texts, so they are never too long.
        if let Ok(packet) = encode(self.session.tags(0), header, &[]) {
            self.outbox.push((priority, packet));
        }
    }

    /// Takes note of a packet of another version. Returns `true` if that is news: there is no
    /// connection, of which it could be a damaged packet.
    pub(crate) fn see_other_version(&mut self) -> bool {
        !self.session.is_up() && !std::mem::replace(&mut self.is_other, true)
    }

    /// Sends a hello.
    pub(crate) fn greet(&mut self) {
        let hello = Hello {
            received: self.incoming.received_before(),
            wants_answer: self.session.wants_hello(),
            max_payload: u32::try_from(self.own_max_payload).unwrap_or(u32::MAX),
            window: u32::try_from(self.own_window).unwrap_or(u32::MAX),
        };
        self.send_outside(Priority::Stream, &Header::Hello(hello));
    }

    /// Asks whether the node is there, and has received all packets of the stream.
    pub(crate) fn ask(&mut self, now: Instant) {
        self.ping = (self.ping.0 + 1, now);
        let ping = Header::Ping { number: self.ping.0, latest: self.out.latest() };
        self.send_outside(Priority::Stream, &ping);
    }

    /// Sends a packet of the stream, if the window has room and nothing waits for that.
    pub(crate) fn send(&mut self, header: &Header, payload: &[u8]) -> Result<(), Unsent> {
        if !self.session.is_up() {
            return Err(Unsent::NoConnection);
        }
        if payload.len() > self.max_payload {
            return Err(Unsent::TooLong);
        }
        if !self.deferred.is_empty() || !self.out.has_room(payload.len()) {
            return Err(Unsent::Full);
        }
        self.push(header, payload)
    }

    fn push(&mut self, header: &Header, payload: &[u8]) -> Result<(), Unsent> {
        // Encoded before it has a number: a number without a packet is a gap.
        let tags = self.session.tags(self.out.latest() + 1);
        let packet = encode(tags, header, payload).map_err(|_| Unsent::TooLong)?;
        self.out.push(packet.len()).map_err(|_| Unsent::Full)?;
        // Before there was credit, the network may be full of what an earlier connection has sent.
        let is_prompt = self.out.had_credit() && self.out.bytes_on_the_way() <= PROMPT_BYTES;
        let priority = if is_prompt { Priority::Prompt } else { Priority::Stream };
        self.outbox.push((priority, packet));
        Ok(())
    }

    /// Sends a packet of the stream without a payload, now or when the window has room.
    pub(crate) fn queue(&mut self, header: Header) {
        if self.send(&header, &[]) == Err(Unsent::Full) {
            self.defer(header);
        }
    }

    fn defer(&mut self, header: Header) {
        let bytes = match header {
            // The names of this node have limits of their own.
            Header::Names(_) | Header::Snapshot(_) => 0,
            _ => encode(Tags::default(), &header, &[]).map_or(0, |packet| packet.len()),
        };
        if self.deferred.len() >= MAX_DEFERRED || self.deferred_bytes + bytes > self.max_waiting {
            self.is_overrun = true;
        } else {
            self.deferred_bytes += bytes;
            self.deferred.push_back((header, bytes));
        }
    }

    /// Takes credit, and sends what has waited for it.
    pub(crate) fn credit(&mut self, through: u64) {
        self.out.credit(through);
        self.has_more_room = true;
        while let Some((header, bytes)) = self.deferred.pop_front() {
            if self.push(&header, &[]) == Err(Unsent::Full) {
                self.deferred.push_front((header, bytes));
                return;
            }
            self.deferred_bytes -= bytes;
        }
    }

    /// Returns credit for all that was received and processed, if that is a part of the window or
    /// has waited. Returns `true` if there is credit that waits for more.
    pub(crate) fn return_credit(&mut self, has_waited: bool) -> bool {
        let uncredited = self.incoming.uncredited();
        if !has_waited && uncredited < self.window / CREDIT_PARTS {
            return uncredited > 0;
        }
        if let Some(through) = self.incoming.take_credit() {
            self.send_outside(Priority::Urgent, &Header::Credit { through });
        }
        false
    }

    /// Takes note of what a hello of the connection says. Returns how many more packets are lost
    /// than was known.
    pub(crate) fn take_account(&mut self, hello: &Hello) -> u64 {
        let theirs = usize::try_from(hello.max_payload).unwrap_or(usize::MAX);
        self.max_payload = self.own_max_payload.min(theirs);
        self.window = usize::try_from(hello.window).unwrap_or(usize::MAX);
        self.out.settle_account(hello.received)
    }

    /// Does what follows from a transition. Returns what is left of a connection that went down.
    pub(crate) fn after(&mut self, transition: Transition) -> Option<Lost> {
        let lost = transition.went_down.then(|| self.lose());
        if transition.is_admitted {
            self.heard = Instant::now();
        }
        if transition.must_answer {
            self.greet();
        }
        lost
    }

    /// Gives the connection up. Returns what is left of it, if it was up.
    pub(crate) fn end(&mut self) -> Option<Lost> {
        self.session.end().then(|| self.lose())
    }

    /// Ends the streams of a connection that is down.
    fn lose(&mut self) -> Lost {
        self.out.reset();
        self.incoming.reset();
        self.deferred.clear();
        self.deferred_bytes = 0;
        self.is_overrun = false;
        self.round_trip = None;
        self.has_more_room = true;
        Lost { entries: self.pending.drain(), names: self.names.clear() }
    }
}
