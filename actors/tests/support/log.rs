//! Collects the log lines of the current thread, for tests that read the reports.

use std::cell::RefCell;
use std::sync::OnceLock;

use fields::Text;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

#[path = "../../../tests/support/fields.rs"]
mod fields;

thread_local! {
    static LINES: RefCell<Vec<(Level, String)>> = const { RefCell::new(Vec::new()) };
}

/// The subscriber of the process. It keeps the lines of each thread in that thread.
struct Log;

/// Installs the subscriber, and discards the lines of this thread. If one test of a file calls
/// this, each test must call it first: a call site that logs for the first time during the
/// installation may stay disabled.
pub(crate) fn listen() {
    static LISTENING: OnceLock<()> = OnceLock::new();
    LISTENING.get_or_init(|| tracing::subscriber::set_global_default(Log).expect("there is no other"));
    take();
}

/// Takes the lines of this thread: the level, then the message with ` field=value` for each field.
pub(crate) fn take() -> Vec<(Level, String)> {
    LINES.take()
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("perennial")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut text = Text::default();
        event.record(&mut text);
        let line = (*event.metadata().level(), text.message + &text.fields);
        LINES.with_borrow_mut(|lines| lines.push(line));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
