//! The settings of a mailbox: its capacity, its overflow policy, and what a restart does to it.

/// The number of messages that a mailbox, or of jobs that the queue of a pool, can hold. A number
/// is a bound: `Capacity::from(100)`.
///
/// A bound of 0 is an error when the actor or the pool is started.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Capacity {
    /// At most this many messages are queued. When the mailbox is full, `send` waits, and `cast`
    /// follows the [`OverflowPolicy`].
    Bounded(usize),
    /// There is no limit except memory. If senders are faster than the actor, the queue grows until
    /// memory is exhausted.
    Unbounded,
}

impl Capacity {
    /// Returns the limit as a number, which is `usize::MAX` if there is none.
    pub(crate) const fn limit(self) -> usize {
        match self {
            Self::Bounded(capacity) => capacity,
            Self::Unbounded => usize::MAX,
        }
    }
}

impl Default for Capacity {
    /// Returns a bound of 1,024 messages: the capacity of a mailbox unless it or its
    /// [system](crate::SystemBuilder::capacity) sets another.
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
    /// Returns `true` if no message fits.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        matches!(self, Self::Bounded(0))
    }
}

/// What happens to queued messages when an incarnation ends and another one will follow.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum MailboxOnRestart {
    /// The next incarnation receives them, in order.
    #[default]
    Keep,
    /// They become dead letters, as in OTP, where a mailbox ends with its process.
    Discard,
}

/// What [`cast`](crate::Address::cast) does when the mailbox is full. Operations that can wait for
/// room wait under every policy.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum OverflowPolicy {
    /// The cast fails and returns the message to the sender.
    #[default]
    Reject,
    /// The new message becomes a dead letter. The cast succeeds.
    DropNewest,
    /// The oldest queued message becomes a dead letter, and the new message is queued. The message
    /// that is being handled is never dropped.
    ///
    /// Senders that wait for room came first. Their messages are queued before the new one, and
    /// they evict older messages too. If more senders wait than the capacity, they evict each
    /// other's messages.
    ///
    /// The cast fails and returns the message only if every place is reserved or promised to a
    /// sender that waits for a permit. Then nothing is dropped.
    DropOldest,
}

/// The settings of a mailbox. The default has the
/// [capacity of its system](crate::SystemBuilder::capacity) and keeps the messages across restarts.
///
/// # Examples
///
/// ```
/// use perennial_actors::MailboxConfig;
///
/// let otp_like = MailboxConfig::unbounded().discard_on_restart();
/// assert_ne!(otp_like, MailboxConfig::default());
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct MailboxConfig {
    /// `None` stands for the capacity of the system.
    pub(crate) capacity: Option<Capacity>,
    pub(crate) on_restart: MailboxOnRestart,
    pub(crate) overflow: OverflowPolicy,
}

impl MailboxConfig {
    /// Returns the settings of a mailbox for `capacity` messages, besides the one being handled. An
    /// actor whose mailbox has a capacity of 0 does not start.
    #[must_use]
    pub const fn bounded(capacity: usize) -> Self {
        Self {
            capacity: Some(Capacity::Bounded(capacity)),
            on_restart: MailboxOnRestart::Keep,
            overflow: OverflowPolicy::Reject,
        }
    }

    /// Returns the settings of a mailbox without a limit except memory.
    #[must_use]
    pub const fn unbounded() -> Self {
        Self {
            capacity: Some(Capacity::Unbounded),
            on_restart: MailboxOnRestart::Keep,
            overflow: OverflowPolicy::Reject,
        }
    }

    /// Returns the capacity that was set, or `None` if the system determines it.
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
    /// // An old temperature is worthless once there is a newer one.
    /// let latest_only = MailboxConfig::bounded(1).overflow(OverflowPolicy::DropOldest);
    /// # let identity = Identity::new(latest_only);
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

    /// Sends queued messages to the dead letters when an incarnation ends, instead of keeping them
    /// for the next incarnation.
    #[must_use]
    pub const fn discard_on_restart(mut self) -> Self {
        self.on_restart = MailboxOnRestart::Discard;
        self
    }
}
