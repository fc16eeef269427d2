//! The log lines of the registry.

use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use perennial_actors::System;
use perennial_registry::{Registry, SlowSubscriberPolicy, Topic};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber;
use tracing::{Event, Metadata, Subscriber};

use crate::support;
use crate::support::{Msg, scripted_actor};

type Lines = Arc<Mutex<Vec<String>>>;

/// Records each log line of the registry.
struct Writer(Lines);

impl Subscriber for Writer {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "perennial::registry"
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        self.0.lock().expect("not poisoned").push(line.0.join(", "));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[derive(Default)]
struct Line(Vec<String>);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.push(format!("{} {value:?}", field.name()));
    }
}

#[tokio::test(start_paused = true)]
async fn panicking_filter_is_logged_with_its_topic() {
    let lines = Lines::default();
    let _guard = subscriber::set_default(Writer(lines.clone()));
    let system = System::new();
    let topic = Registry::of(&system).topic(Topic::<u32>::new("numbers"));
    let picky = scripted_actor(&system).await;
    topic.subscribe_with(&picky, SlowSubscriberPolicy::Skip, |number| {
        assert_ne!(*number, 2, "rejected number");
        Some(Msg::Number(*number))
    });
    let failed: Vec<usize> = (1..=3).map(|number| topic.publish(&number).failed).collect();
    assert_eq!(failed, [0, 1, 0]);
    assert_eq!(support::received(&picky).await, [1, 3]);
    let lines = lines.lock().expect("not poisoned");
    let [line] = &lines[..] else { panic!("{lines:?}") };
    let pid = picky.pid().expect("an incarnation runs");
    for part in
        ["conversion of a published message panicked", "numbers", "rejected number", &format!("pid {pid}")]
    {
        assert!(line.contains(part), "{line}: {part}");
    }
}
