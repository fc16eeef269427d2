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
        Self::Bounded(NonZeroUsize::MIN.saturating_add(1023))
    }
}

/// What becomes of the messages that wait when an incarnation ends and another one is to follow.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum MailboxOnRestart {
    /// The next incarnation gets them, in order.
    #[default]
    Keep,
    /// They go to the dead letters, as in OTP, where a mailbox dies with its process.
    Discard,
}

/// What [`cast`](crate::Address::cast) does when the mailbox is full. Whoever can wait for room, waits, under any of these.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum OverflowPolicy {
    /// The message comes back to its sender.
    #[default]
    Reject,
    /// The message goes to the dead letters. For the sender it was accepted.
    DropNewest,
    /// The message that has waited longest goes to the dead letters, and the new one is taken in. The one being handled is
    /// never dropped.
    ///
    /// Whoever stands in line for room was there before: those messages go in first, and drop others for it, each other too if
    /// there are more of them than places. Only if all places are reserved, or promised to those who wait for one, the message
    /// comes back, and nothing is dropped.
    DropOldest,
}

/// The settings of a mailbox: bounded at 1,024 messages and kept across restarts, unless set otherwise.
///
/// ```
/// use perennial_actors::MailboxConfig;
///
/// let otp_like = MailboxConfig::unbounded().discard_on_restart();
/// assert_ne!(otp_like, MailboxConfig::default());
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct MailboxConfig {
    pub(crate) capacity: Capacity,
    pub(crate) on_restart: MailboxOnRestart,
    pub(crate) overflow: OverflowPolicy,
}

impl MailboxConfig {
    /// Holds at most `capacity` messages besides the one being handled.
    #[must_use]
    pub const fn bounded(capacity: NonZeroUsize) -> Self {
        Self {
            capacity: Capacity::Bounded(capacity),
            on_restart: MailboxOnRestart::Keep,
            overflow: OverflowPolicy::Reject,
        }
    }

    /// Holds as many messages as memory does.
    #[must_use]
    pub const fn unbounded() -> Self {
        Self {
            capacity: Capacity::Unbounded,
            on_restart: MailboxOnRestart::Keep,
            overflow: OverflowPolicy::Reject,
        }
    }

    /// Sets what a cast to a full mailbox does.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::num::NonZeroUsize;
    /// # use perennial_actors::host::Identity;
    /// # use perennial_actors::{MailboxConfig, OverflowPolicy, System};
    /// # let system = System::new();
    /// // Nobody should_restart to know an older temperature once there is a newer one.
    /// let newest_only = MailboxConfig::bounded(NonZeroUsize::MIN).overflow(OverflowPolicy::DropOldest);
    /// # let identity = Identity::new(newest_only);
    /// # identity.open(&system, || "thermometer".into());
    /// # let thermometer = identity.address();
    /// thermometer.cast(20)?;
    /// thermometer.cast(21)?;
    /// assert_eq!(thermometer.counters().dead_lettered, 1);
    /// # Ok::<(), perennial_actors::SendError<i32>>(())
    /// ```
    #[must_use]
    pub const fn overflow(mut self, overflow: OverflowPolicy) -> Self {
        self.overflow = overflow;
        self
    }

    /// What waits when an incarnation ends goes to the dead letters instead of the next incarnation.
    #[must_use]
    pub const fn discard_on_restart(mut self) -> Self {
        self.on_restart = MailboxOnRestart::Discard;
        self
    }
}
