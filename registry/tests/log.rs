//! What the registry logs.

use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use perennial_actors::System;
use perennial_registry::{Registry, SlowSubscriberPolicy, Topic};
use support::{Msg, puppet};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber;
use tracing::{Event, Metadata, Subscriber};

mod support;

type Lines = Arc<Mutex<Vec<String>>>;

/// Writes down each line of the registry.
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
        self.0.lock().expect("nobody panics here").push(line.0.join(", "));
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
    let picky = puppet(&system).await;
    topic.subscribe_with(&picky, SlowSubscriberPolicy::Skip, |said| {
        assert_ne!(*said, 2, "not this one");
        Some(Msg::Heard(*said))
    });
    let failed: Vec<usize> = (1..=3).map(|said| topic.publish(&said).failed).collect();
    assert_eq!(failed, [0, 1, 0]);
    assert_eq!(support::heard(&picky).await, [1, 3]);
    let lines = lines.lock().expect("nobody panics here");
    let [line] = &lines[..] else { panic!("{lines:?}") };
    let pid = picky.pid().expect("it lives");
    for part in
        ["conversion of a published message panicked", "numbers", "not this one", &format!("pid {pid}")]
    {
        assert!(line.contains(part), "{line}: {part}");
    }
}
