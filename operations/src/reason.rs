//! Exit reasons as plain data.

use std::iter;

use perennial_actors::ExitReason;
use perennial_actors::host::catch_panic;
use serde::{Deserialize, Serialize};

/// The most sources of an error that are kept.
const MAX_SOURCES: usize = 32;

/// Why an incarnation ended: an [`ExitReason`] as plain data.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Reason {
    /// The kind of the reason.
    pub kind: ReasonKind,
    /// The note of a shutdown, the message of a panic, or the text of an error.
    pub message: Option<String>,
    /// The texts of the sources of an error, the nearest first.
    pub sources: Vec<String>,
    /// The place of a panic as `file:line:column`, if the system records
    /// [locations](perennial_actors::PanicLocations).
    pub location: Option<String>,
}

/// The kind of an [`ExitReason`].
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ReasonKind {
    /// The actor finished its work.
    #[default]
    Normal,
    /// The actor was stopped in an orderly way.
    Shutdown,
    /// The actor declined to start.
    Ignore,
    /// The incarnation was killed.
    Killed,
    /// No incarnation was running.
    NoProcess,
    /// The connection to a node was lost.
    NoConnection,
    /// The start exceeded its timeout.
    StartTimedOut,
    /// The supervisor stopped an incarnation that was not alive any more.
    Unresponsive,
    /// The code of the actor panicked.
    Panicked,
    /// The code of the actor returned an error.
    Failed,
    /// A kind that this version does not know.
    Other,
}

impl ReasonKind {
    /// Returns the kind of a reason. Runs no code of users.
    #[must_use]
    pub const fn of(reason: &ExitReason) -> Self {
        match reason {
            ExitReason::Normal => Self::Normal,
            ExitReason::Shutdown(_) => Self::Shutdown,
            ExitReason::Ignore => Self::Ignore,
            ExitReason::Killed => Self::Killed,
            ExitReason::NoProcess => Self::NoProcess,
            ExitReason::NoConnection => Self::NoConnection,
            ExitReason::StartTimedOut => Self::StartTimedOut,
            ExitReason::Unresponsive => Self::Unresponsive,
            ExitReason::Panicked(_) => Self::Panicked,
            ExitReason::Failed(_) => Self::Failed,
            _ => Self::Other,
        }
    }

    /// Returns `true` unless the exit was clean: see [`ExitReason::is_abnormal`].
    #[must_use]
    pub const fn is_abnormal(self) -> bool {
        !matches!(self, Self::Normal | Self::Shutdown | Self::Ignore)
    }

    /// Returns `true` for an abnormal exit that neither a kill nor a supervisor caused: see
    /// [`ExitReason::is_crash`].
    #[must_use]
    pub const fn is_crash(self) -> bool {
        self.is_abnormal() && !matches!(self, Self::Killed | Self::StartTimedOut | Self::Unresponsive)
    }
}

impl Reason {
    /// Returns a reason of this kind, without its texts.
    pub(crate) const fn without_texts(kind: ReasonKind) -> Self {
        Self { kind, message: None, sources: Vec::new(), location: None }
    }

    /// Converts a reason. Runs the `Display` of a user's error under a guard, and must be called
    /// under no lock.
    #[must_use]
    pub fn of(reason: &ExitReason) -> Self {
        let mut plain = Self::without_texts(ReasonKind::of(reason));
        match reason {
            ExitReason::Shutdown(note) => plain.message = note.as_deref().map(str::to_owned),
            ExitReason::Panicked(panic) => {
                plain.message = Some(panic.message.clone());
                plain.location.clone_from(&panic.location);
            }
            ExitReason::Failed(_) => {
                let texts = catch_panic(None, || texts_of(reason));
                let (message, sources) = texts.unwrap_or_else(|_| (UNREADABLE.to_owned(), Vec::new()));
                (plain.message, plain.sources) = (Some(message), sources);
            }
            _ => {}
        }
        plain
    }
}

/// The text of an error whose `Display` or `source` panics.
const UNREADABLE: &str = "the error cannot be displayed: its code panics";

fn texts_of(reason: &ExitReason) -> (String, Vec<String>) {
    let Some(error) = reason.error() else { return (reason.to_string(), Vec::new()) };
    let sources = iter::successors(error.source(), |error| error.source()).take(MAX_SOURCES);
    (error.to_string(), sources.map(ToString::to_string).collect())
}
