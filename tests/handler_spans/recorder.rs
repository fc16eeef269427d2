//! A layer that records the spans and events of one test.

use std::sync::{Arc, Mutex};

use fields::Text;
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id};
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Subscriber};
use tracing_subscriber::Registry;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

#[path = "../support/fields.rs"]
mod fields;

/// The target of the spans of handlers.
const TARGET: &str = "perennial::handler";

/// What was recorded of one span.
#[derive(Clone, Debug)]
pub(crate) struct Span {
    pub(crate) name: &'static str,
    pub(crate) target: &'static str,
    pub(crate) fields: String,
    pub(crate) has_parent: bool,
    /// The names of the spans from which it follows.
    pub(crate) follows: Vec<&'static str>,
    pub(crate) entered: u32,
    pub(crate) is_open: bool,
}

type Hook = Arc<dyn Fn(&str) + Send + Sync>;

/// The spans, and the events with the name of their span.
#[derive(Clone, Default)]
pub(crate) struct Recorder {
    spans: Arc<Mutex<Vec<Span>>>,
    events: Arc<Mutex<Vec<(String, &'static str)>>>,
    hook: Option<Hook>,
}

/// The number of a span, in its extensions.
struct Number(usize);

impl Recorder {
    /// Makes this the subscriber of this thread, for spans and events up to this level.
    pub(crate) fn listen(&self, level: LevelFilter) -> DefaultGuard {
        Registry::default().with(self.clone().with_filter(level)).set_default()
    }

    /// Calls `hook` with the name of each operation on a span of a handler.
    pub(crate) fn hooked(hook: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self { hook: Some(Arc::new(hook)), ..Self::default() }
    }

    /// Returns the spans of this name that this library made.
    pub(crate) fn spans(&self, name: &str) -> Vec<Span> {
        let spans = self.spans.lock().expect("no thread panics under the lock");
        spans.iter().filter(|span| span.target == TARGET && span.name == name).cloned().collect()
    }

    /// Returns the names of the open spans.
    pub(crate) fn open(&self) -> Vec<&'static str> {
        let spans = self.spans.lock().expect("no thread panics under the lock");
        spans.iter().filter(|span| span.is_open).map(|span| span.name).collect()
    }

    /// Returns the names of the spans in which this text was logged.
    pub(crate) fn spans_of(&self, text: &str) -> Vec<&'static str> {
        let events = self.events.lock().expect("no thread panics under the lock");
        events.iter().filter(|(message, _)| message == text).map(|(_, span)| *span).collect()
    }

    fn change<S: Subscriber + for<'a> LookupSpan<'a>>(
        &self,
        id: &Id,
        ctx: &Context<'_, S>,
        change: impl FnOnce(&mut Span),
    ) {
        let span = ctx.span(id).expect("it is open");
        let extensions = span.extensions();
        let Number(number) = extensions.get().expect("it was numbered");
        change(&mut self.spans.lock().expect("no thread panics under the lock")[*number]);
    }

    /// Calls the hook, if this span is of a handler.
    fn call_hook<S: Subscriber + for<'a> LookupSpan<'a>>(
        &self,
        operation: &str,
        id: &Id,
        ctx: &Context<'_, S>,
    ) {
        let target = ctx.span(id).expect("it is open").metadata().target();
        if let Some(hook) = self.hook.as_ref().filter(|_| target == TARGET) {
            hook(operation);
        }
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Recorder {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, ctx: Context<'_, S>) {
        let mut text = Text::default();
        attributes.record(&mut text);
        let span = ctx.span(id).expect("it is new");
        let mut spans = self.spans.lock().expect("no thread panics under the lock");
        span.extensions_mut().insert(Number(spans.len()));
        spans.push(Span {
            name: attributes.metadata().name(),
            target: attributes.metadata().target(),
            fields: text.fields,
            has_parent: span.parent().is_some(),
            follows: Vec::new(),
            entered: 0,
            is_open: true,
        });
        drop(spans);
        self.call_hook("new", id, &ctx);
    }

    fn on_follows_from(&self, id: &Id, follows: &Id, ctx: Context<'_, S>) {
        let sender = ctx.span(follows).expect("it is kept until then").name();
        self.change(id, &ctx, |span| span.follows.push(sender));
        self.call_hook("follows", id, &ctx);
    }

    fn on_enter(&self, id: &Id, ctx: Context<'_, S>) {
        self.change(id, &ctx, |span| span.entered += 1);
        self.call_hook("enter", id, &ctx);
    }

    fn on_exit(&self, id: &Id, ctx: Context<'_, S>) {
        self.call_hook("exit", id, &ctx);
    }

    fn on_close(&self, id: Id, ctx: Context<'_, S>) {
        self.change(&id, &ctx, |span| span.is_open = false);
        self.call_hook("close", &id, &ctx);
    }

    fn on_event(&self, event: &Event<'_>, ctx: Context<'_, S>) {
        let mut text = Text::default();
        event.record(&mut text);
        let span = ctx.event_span(event).map_or("none", |span| span.name());
        self.events.lock().expect("no thread panics under the lock").push((text.message, span));
    }
}
