//! Records the log lines of each thread, and the spans of other libraries in which its code runs.

use std::cell::{Cell, RefCell};
use std::sync::OnceLock;

use fields::Text;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::set_global_default;
use tracing::{Event, Level, Metadata, Subscriber};

#[path = "../../../tests/support/fields.rs"]
mod fields;

thread_local! {
    static LINES: RefCell<Vec<Line>> = const { RefCell::new(Vec::new()) };
    /// The spans that are entered, the innermost last.
    static SPANS: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
    static NEXT_SPAN: Cell<u64> = const { Cell::new(1) };
}

/// A log line of a library of this project.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) level: Level,
    pub(crate) target: &'static str,
    /// The message, and then `field=value` for each field.
    pub(crate) text: String,
    /// `true` if the line says that it has no parent span.
    pub(crate) is_root: bool,
}

/// The tracing subscriber of the process. It keeps the lines of each thread in that thread.
struct Listener;

/// Starts to record lines of this project and spans of every other library.
pub(crate) fn listen() {
    static LISTENING: OnceLock<()> = OnceLock::new();
    LISTENING.get_or_init(|| set_global_default(Listener).expect("there is no other"));
    take();
}

/// Returns the lines since the last call.
pub(crate) fn take() -> Vec<Line> {
    LINES.take()
}

/// Returns the number of spans that were made on this thread so far.
pub(crate) fn spans_made() -> u64 {
    NEXT_SPAN.get() - 1
}

/// Returns the number of spans around the code that runs now.
pub(crate) fn span_depth() -> usize {
    SPANS.with_borrow(Vec::len)
}

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_span() != metadata.target().starts_with("perennial")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        let number = NEXT_SPAN.get();
        NEXT_SPAN.set(number + 1);
        Id::from_u64(number)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut text = Text::default();
        event.record(&mut text);
        let metadata = event.metadata();
        let line = Line {
            level: *metadata.level(),
            target: metadata.target(),
            text: text.message + &text.fields,
            is_root: event.is_root(),
        };
        LINES.with_borrow_mut(|lines| lines.push(line));
    }

    fn enter(&self, span: &Id) {
        SPANS.with_borrow_mut(|spans| spans.push(span.into_u64()));
    }

    fn exit(&self, span: &Id) {
        SPANS.with_borrow_mut(|spans| spans.retain(|other| *other != span.into_u64()));
    }
}
