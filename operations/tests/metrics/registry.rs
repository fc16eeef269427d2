//! Names, groups and topics.

use std::cell::Cell;
use std::fmt;

use perennial_actors::{Actor, Context, ExitReason, System};
use perennial_operations::{Metrics, Operations};
use perennial_registry::{Group, Name, Registry, SlowSubscriberPolicy, Topic, UniqueKeys};

use crate::recorded::Recorded;
use crate::unit::{Msg, Unit};

#[derive(Clone)]
struct News;

impl From<News> for Msg {
    fn from(_: News) -> Self {
        Self::Stop
    }
}

#[tokio::test(start_paused = true)]
async fn names_members_of_groups_and_topics_are_measured() {
    let system = System::new();
    let metrics = Metrics::of(&system);
    let registry = Registry::of(&system);
    let one = system.spawn::<Unit>(true).await.expect("it starts");
    let other = system.spawn::<Unit>(true).await.expect("it starts");
    registry.bind(Name::<Msg>::new("one"), &one).expect("it is free");
    let group = registry.group(Group::<Msg>::new("units"));
    for unit in [&one, &other] {
        group.join(unit).expect("it lives");
    }
    registry.topic(Topic::<News>::new("news")).subscribe(&one, SlowSubscriberPolicy::Skip);
    let seen = Recorded::collect(&metrics);
    assert_eq!(seen.value("names"), Some(1.0));
    assert_eq!(seen.value("group_members{group=units}"), Some(2.0));
    assert_eq!(seen.value("topics"), Some(1.0));
    one.stop(ExitReason::Normal).expect("it lives");
    one.monitor().await;
    let seen = Recorded::collect(&metrics);
    assert_eq!(seen.value("names"), Some(0.0));
    assert_eq!(seen.value("group_members{group=units}"), Some(1.0));
    assert_eq!(seen.value("topics"), Some(0.0));
}

thread_local! {
    /// The number of texts that were made of keys.
    static TEXTS: Cell<u32> = const { Cell::new(0) };
}

#[derive(Clone, Eq, Hash, PartialEq)]
struct User(u64);

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        TEXTS.set(TEXTS.get() + 1);
        self.0.fmt(f)
    }
}

type Sessions = UniqueKeys<User, ()>;

/// An actor with a key.
struct Session;

impl Actor for Session {
    type Msg = ();
    type Args = (u64, Sessions);

    async fn init((user, sessions): &Self::Args, ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        sessions.register(ctx, User(*user), ())?;
        Ok(Self)
    }

    async fn handle(&mut self, (): (), _: &mut Context<Self>) -> Result<(), ExitReason> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn keys_of_a_table_that_is_shown_are_measured_and_listed() {
    let system = System::new();
    let (metrics, sessions) = (Metrics::of(&system), Sessions::new());
    Registry::of(&system).show_keys("sessions", &sessions);
    let one = system.spawn::<Session>((7, sessions.clone())).await.expect("it starts");
    let other = system.spawn::<Session>((8, sessions.clone())).await.expect("it starts");
    assert_eq!(Recorded::collect(&metrics).value("keys{table=sessions}"), Some(2.0));
    assert_eq!(TEXTS.get(), 0, "a number needs no text");
    let figures = Operations::of(&system).snapshot().figures;
    let listed = figures.keys[0].entries.iter().map(|entry| (entry.key.as_str(), Some(entry.pid)));
    assert_eq!(listed.collect::<Vec<_>>(), [("7", one.pid()), ("8", other.pid())]);
    one.stop(ExitReason::Normal).expect("it lives");
    one.monitor().await;
    assert_eq!(Recorded::collect(&metrics).value("keys{table=sessions}"), Some(1.0));
    drop(sessions);
    other.stop(ExitReason::Normal).expect("it lives");
    other.monitor().await;
    tokio::task::yield_now().await;
    assert_eq!(Recorded::collect(&metrics).value("keys{table=sessions}"), Some(0.0), "it is gone");
    assert!(Operations::of(&system).snapshot().figures.keys.is_empty());
}
