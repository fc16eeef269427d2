//! How a mailbox behaves: how much it holds, and what a crash does to it.

use std::num::NonZeroUsize;

/// How many messages a mailbox holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Capacity {
    /// At most so many wait; then `cast` gives the message back and `send` waits.
    Bounded(NonZeroUsize),
    /// As many as memory holds. A producer that is faster than the actor will find out how many that is.
    Unbounded,
}

impl Default for Capacity {
    /// 1,024 messages.
    fn default() -> Self {
        const DEFAULT: NonZeroUsize = NonZeroUsize::new(1024).unwrap();
        Self::Bounded(DEFAULT)
    }
}

/// What becomes of the messages that wait when an incarnation ends and another one is to follow.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum OnRestart {
    /// The next incarnation gets them, in order.
    #[default]
    Keep,
    /// They go to the dead letters, as in OTP, where a mailbox dies with its process.
    Discard,
}

/// The settings of a mailbox: bounded at 1,024 messages and kept across restarts, unless set otherwise.
///
/// ```
/// use perennial_actors::Mailbox;
///
/// let otp_like = Mailbox::unbounded().discard_on_restart();
/// assert_ne!(otp_like, Mailbox::default());
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Mailbox {
    pub(crate) capacity: Capacity,
    pub(crate) on_restart: OnRestart,
}

impl Mailbox {
    /// Holds at most `capacity` messages besides the one being handled.
    #[must_use]
    pub const fn bounded(capacity: NonZeroUsize) -> Self {
        Self { capacity: Capacity::Bounded(capacity), on_restart: OnRestart::Keep }
    }

    /// Holds as many messages as memory does.
    #[must_use]
    pub const fn unbounded() -> Self {
        Self { capacity: Capacity::Unbounded, on_restart: OnRestart::Keep }
    }

    /// What waits when an incarnation ends goes to the dead letters instead of the next incarnation.
    #[must_use]
    pub const fn discard_on_restart(mut self) -> Self {
        self.on_restart = OnRestart::Discard;
        self
    }
}
