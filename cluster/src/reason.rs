//! Exit reasons on their way to another node.

use std::iter;
use std::sync::Arc;

use perennial_actors::host::catch_panic;
use perennial_actors::{ExitReason, Panic};
use serde::{Deserialize, Serialize};

/// The longest text of a reason that is sent, in bytes. A longer one is cut.
const TEXT_BYTES: usize = 4096;

/// The most sources of an error that are sent.
const MAX_SOURCES: usize = 32;

/// An [`ExitReason`] that can be sent. An error becomes its text with those of its sources.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub(crate) enum WireReason {
    Normal,
    Shutdown(Option<String>),
    Ignore,
    Killed,
    NoProcess,
    NoConnection,
    StartTimedOut,
    Unresponsive,
    Panicked { message: String, location: Option<String> },
    Failed(String),
}

impl From<&ExitReason> for WireReason {
    fn from(reason: &ExitReason) -> Self {
        match reason {
            ExitReason::Normal => Self::Normal,
            ExitReason::Shutdown(note) => Self::Shutdown(note.as_deref().map(cut)),
            ExitReason::Ignore => Self::Ignore,
            ExitReason::Killed => Self::Killed,
            ExitReason::NoProcess => Self::NoProcess,
            ExitReason::NoConnection => Self::NoConnection,
            ExitReason::StartTimedOut => Self::StartTimedOut,
            ExitReason::Unresponsive => Self::Unresponsive,
            ExitReason::Panicked(panic) => {
                Self::Panicked { message: cut(&panic.message), location: panic.location.as_deref().map(cut) }
            }
            // Failed, and what later versions add.
            reason => Self::Failed(cut(&text(reason))),
        }
    }
}

/// The text of an error whose `Display` or `source` panics.
const UNREADABLE: &str = "the error cannot be displayed: its code panics";

/// Returns the text of a failure with those of its sources. The code of the error is foreign: what
/// waits for the reason is told of it although that panics.
fn text(reason: &ExitReason) -> String {
    let Some(error) = reason.error() else { return reason.to_string() };
    let chain = catch_panic(None, || {
        let mut chain = error.to_string();
        let sources = iter::successors(error.source(), |error| error.source()).take(MAX_SOURCES);
        for source in sources.map(ToString::to_string) {
            if !chain.ends_with(&source) {
                chain.extend([": ", &source]);
            }
        }
        chain
    });
    chain.unwrap_or_else(|_| UNREADABLE.to_owned())
}

/// Returns the beginning of a text, short enough for a header.
pub(crate) fn cut(text: &str) -> String {
    let end = (0..=TEXT_BYTES.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    text.get(..end.unwrap_or(0)).unwrap_or_default().to_owned()
}

impl From<WireReason> for ExitReason {
    fn from(reason: WireReason) -> Self {
        match reason {
            WireReason::Normal => Self::Normal,
            WireReason::Shutdown(note) => Self::Shutdown(note.map(Arc::from)),
            WireReason::Ignore => Self::Ignore,
            WireReason::Killed => Self::Killed,
            WireReason::NoProcess => Self::NoProcess,
            WireReason::NoConnection => Self::NoConnection,
            WireReason::StartTimedOut => Self::StartTimedOut,
            WireReason::Unresponsive => Self::Unresponsive,
            WireReason::Panicked { message, location } => {
                Self::Panicked(Arc::new(Panic::elsewhere(message, location)))
            }
            WireReason::Failed(text) => Self::failed(text),
        }
    }
}
