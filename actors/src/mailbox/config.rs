//! How a mailbox behaves: how much it holds, and what a crash does to it.

/// How much a mailbox or the queue of a pool holds. A number is a bound: `Capacity::from(100)`.
///
/// A bound of 0 is an error when the actor or the pool is started.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Capacity {
    /// At most so many wait. Then `cast` gives the message back, and `send` waits.
    Bounded(usize),
    /// As many as memory holds. A producer that is faster than the actor will find out how many that is.
    Unbounded,
}

impl Capacity {
    /// Returns the number of messages, with a number for each case.
    pub(crate) const fn limit(self) -> usize {
        match self {
            Self::Bounded(capacity) => capacity,
            Self::Unbounded => usize::MAX,
        }
    }
}

impl Default for Capacity {
    /// 1,024 messages: what a mailbox holds unless it or its [system](crate::SystemBuilder::capacity) is set otherwise.
    fn default() -> Self {
        Self::Bounded(1024)
    }
}

impl From<usize> for Capacity {
    /// Returns a bound.
    fn from(bound: usize) -> Self {
        Self::Bounded(bound)
    }
}

impl Capacity {
    /// Returns `true` if nothing fits in.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        matches!(self, Self::Bounded(0))
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

/// The settings of a mailbox: with the [capacity of its system](crate::SystemBuilder::capacity) and kept across restarts, unless
/// set otherwise.
///
/// ```
/// use perennial_actors::MailboxConfig;
///
/// let otp_like = MailboxConfig::unbounded().discard_on_restart();
/// assert_ne!(otp_like, MailboxConfig::default());
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct MailboxConfig {
    /// That of the system if none.
    pub(crate) capacity: Option<Capacity>,
    pub(crate) on_restart: MailboxOnRestart,
    pub(crate) overflow: OverflowPolicy,
}

impl MailboxConfig {
    /// Holds at most `capacity` messages besides the one being handled. An actor whose mailbox holds
    /// none does not start.
    #[must_use]
    pub const fn bounded(capacity: usize) -> Self {
        Self {
            capacity: Some(Capacity::Bounded(capacity)),
            on_restart: MailboxOnRestart::Keep,
            overflow: OverflowPolicy::Reject,
        }
    }

    /// Holds as many messages as memory does.
    #[must_use]
    pub const fn unbounded() -> Self {
        Self {
            capacity: Some(Capacity::Unbounded),
            on_restart: MailboxOnRestart::Keep,
            overflow: OverflowPolicy::Reject,
        }
    }

    /// Returns the capacity that was set, or `None` if it is that of the system.
    #[must_use]
    pub const fn capacity(&self) -> Option<Capacity> {
        self.capacity
    }

    /// Sets what a cast to a full mailbox does.
    ///
    /// # Examples
    ///
    /// ```
    /// # use perennial_actors::host::Identity;
    /// # use perennial_actors::{MailboxConfig, OverflowPolicy, System};
    /// # let system = System::new();
    /// // Nobody should_restart to know an older temperature once there is a newer one.
    /// let newest_only = MailboxConfig::bounded(1).overflow(OverflowPolicy::DropOldest);
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
