//! Process ids: an identity, and one of its incarnations.

use std::fmt;

/// The id of one incarnation of one identity within its [`System`](crate::System).
///
/// The identity number stays the same as long as the actor's address exists. The incarnation number
/// grows by one with every start, failed starts included. So two pids are equal only if they denote
/// the same run of an actor, as in Erlang. [`same_identity`](Self::same_identity) tells whether two
/// runs belong to one actor.
///
/// # Examples
///
/// ```
/// # use perennial_actors::{Actor, Context, ExitReason, System};
/// # struct Sink;
/// # impl Actor for Sink {
/// #     type Msg = ();
/// #     type Args = ();
/// #     async fn init(_: &(), _: &mut Context<Self>) -> Result<Self, ExitReason> { Ok(Self) }
/// # async fn handle(&mut self, _: (), _: &mut Context<Self>) -> Result<(), ExitReason> { Ok(()) }
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let sink = System::new().spawn::<Sink>(()).await?;
/// let pid = sink.pid().ok_or("it has ended")?;
/// assert_eq!(pid.incarnation(), 1);
/// assert_eq!(pid.to_string(), format!("<{}.1>", pid.identity()));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Pid {
    identity: u64,
    incarnation: u32,
}

impl Pid {
    pub(crate) const fn new(identity: u64, incarnation: u32) -> Self {
        Self { identity, incarnation }
    }

    /// Returns the number of the identity, which is unique within its system.
    #[must_use]
    pub const fn identity(self) -> u64 {
        self.identity
    }

    /// Returns the number of the incarnation, counted from 1.
    #[must_use]
    pub const fn incarnation(self) -> u32 {
        self.incarnation
    }

    /// Returns `true` if both are incarnations of one actor.
    #[must_use]
    pub const fn same_identity(self, other: Self) -> bool {
        self.identity == other.identity
    }
}

impl fmt::Display for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}.{}>", self.identity, self.incarnation)
    }
}
