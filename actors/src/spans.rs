//! The spans of handlers, and their links to the spans of the senders.
//!
//! # What is written
//!
//! All spans have the target `perennial::handler`, the level debug and no parent. The fields are
//! `actor` (its path in the tree, or its type), `pid`, `incarnation` and `message_type`.
//!
//! | name | the user's code in it |
//! |---|---|
//! | `init` | the init of an incarnation |
//! | `handle` | the handler of one message |
//! | `signal` | the handler of one signal: an exit or a monitor's report |
//! | `terminate` | the terminate of an incarnation |
//!
//! The span of a message follows from the span in which it was sent. The sender's span is kept
//! until then, so it closes later. A message of an incarnation to itself (a timer, a piped future,
//! a continuation, an item of a stream) follows from none.
//!
//! A span is entered for each poll, and never held across an await.
//!
//! The subscriber is foreign code. It runs in the task of the actor or of the sender, under a guard
//! and under no lock. A panic in it is ignored.

use std::any::type_name;
use std::time::Duration;

use tokio::time::Instant;
use tracing::level_filters::LevelFilter;
use tracing::span::Id;
use tracing::{Dispatch, Level, Span};

use crate::foreign::{Guarded, catch, ignore_panic};
use crate::label::Label;
use crate::pid::Pid;
use crate::sync::{AtomicBool, Ordering};

/// The target of the spans.
const TARGET: &str = "perennial::handler";

/// Returns `true` if the subscriber of this thread wants spans of handlers. Costs one load if no
/// subscriber wants the level. Must be called under no lock.
#[inline]
pub(crate) fn are_wanted() -> bool {
    Level::DEBUG <= LevelFilter::current() && is_target_wanted()
}

#[cold]
fn is_target_wanted() -> bool {
    catch(|| tracing::span_enabled!(target: TARGET, Level::DEBUG)).unwrap_or(false)
}

/// The code of an actor that runs in a span.
#[derive(Clone, Copy)]
pub(crate) enum Callback {
    Init,
    Handle,
    Signal,
    Terminate,
}

/// The span in which a message was sent.
pub(crate) struct SenderSpan(Guarded<Span>);

impl SenderSpan {
    /// Returns the span of the caller, if it runs in one.
    #[cold]
    pub(crate) fn current() -> Option<Self> {
        let span = Guarded::new(catch(Span::current).ok()?);
        (!span.is_disabled()).then_some(Self(span))
    }
}

/// The span of one run of an actor's code. It is entered, left and dropped under a guard.
pub(crate) struct HandlerSpan(Guarded<Span>);

impl HandlerSpan {
    /// Makes a span for an actor with this label and messages `M`, unless no subscriber wants it.
    /// It follows from the span of the sender.
    pub(crate) fn new<M>(
        callback: Callback,
        pid: Pid,
        label: &Label,
        sender: Option<&SenderSpan>,
    ) -> Option<Self> {
        macro_rules! span {
            ($name:literal) => {
                tracing::debug_span!(
                    target: TARGET, parent: None, $name,
                    actor = &*label.to_shared(), %pid, incarnation = pid.incarnation(),
                    message_type = type_name::<M>()
                )
            };
        }
        let span = catch(|| match callback {
            Callback::Init => span!("init"),
            Callback::Handle => span!("handle"),
            Callback::Signal => span!("signal"),
            Callback::Terminate => span!("terminate"),
        });
        let span = span.ok().map(Guarded::new).filter(|span| !span.is_disabled())?;
        if let Some(SenderSpan(sender)) = sender {
            ignore_panic(|| {
                let _ = span.follows_from(sender.id());
            });
        }
        Some(Self(span))
    }

    /// Tells the subscriber of the span.
    fn tell(&self, tell: impl FnOnce(&Dispatch, &Id)) {
        ignore_panic(|| {
            let _ = self.0.with_subscriber(|(id, subscriber)| tell(subscriber, id));
        });
    }
}

/// One run of an actor's code that has a span, or is timed, or both. Only the task of the actor
/// changes it.
pub(crate) struct Observation {
    span: Option<HandlerSpan>,
    is_entered: AtomicBool,
    /// How long its message has waited, and when it began.
    timed: Option<(Duration, Instant)>,
}

impl Observation {
    pub(crate) fn new(span: Option<HandlerSpan>, waited: Option<Duration>) -> Self {
        let timed = waited.map(|waited| (waited, Instant::now()));
        Self { span, is_entered: AtomicBool::new(false), timed }
    }

    /// Enters the span, unless it is entered.
    pub(crate) fn enter(&self) {
        if !self.is_entered.swap(true, Ordering::Relaxed) {
            self.span.iter().for_each(|span| span.tell(|subscriber, id| subscriber.enter(id)));
        }
    }

    /// Leaves the span, if it is entered.
    pub(crate) fn leave(&self) {
        if self.is_entered.swap(false, Ordering::Relaxed) {
            self.span.iter().for_each(|span| span.tell(|subscriber, id| subscriber.exit(id)));
        }
    }

    /// Returns how long the message has waited, and the time since the begin of its handler, if it
    /// is timed.
    pub(crate) fn times(&self) -> Option<(Duration, Duration)> {
        self.timed.map(|(waited, began)| (waited, began.elapsed()))
    }
}
