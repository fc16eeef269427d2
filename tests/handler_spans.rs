//! The spans of handlers, and their links to the spans of the senders.

#[path = "handler_spans/recorder.rs"]
mod recorder;

use std::future::ready;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use perennial::{
    Actor, ActorHandle, Address, Child, Context, ExitReason, MailboxConfig, OverflowPolicy, Reply, Signal,
    Supervisor, System,
};
use recorder::Recorder;
use tokio::sync::oneshot;
use tokio::task::yield_now;
use tokio::time::sleep;
use tracing::level_filters::LevelFilter;
use tracing::subscriber::{NoSubscriber, with_default};
use tracing::{Instrument, info, info_span};
use tracing_subscriber::Registry;
use tracing_subscriber::filter::dynamic_filter_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

enum Msg {
    Note,
    Sleep,
    Wait(oneshot::Receiver<()>),
    Ask(Reply<u64>),
    NoteLater,
    Watch(ActorHandle),
    Panic,
}

struct Noting;

impl Actor for Noting {
    type Msg = Msg;
    type Args = ();

    async fn init((): &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        yield_now().await;
        info!("initialised");
        Ok(Self)
    }

    async fn handle(&mut self, msg: Msg, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Note => info!("noted"),
            Msg::Sleep => {
                info!("before");
                sleep(Duration::from_millis(10)).await;
                info!("after");
            }
            Msg::Wait(until) => drop(until.await),
            Msg::Ask(reply) => reply.send(1),
            Msg::NoteLater => drop(ctx.send_after(Duration::from_millis(1), Msg::Note)),
            Msg::Watch(other) => drop(ctx.monitor(&other)),
            Msg::Panic => panic!("as asked"),
        }
        Ok(())
    }

    async fn signal(&mut self, _: Signal, _: &mut Context<Self>) -> Result<(), ExitReason> {
        yield_now().await;
        info!("signalled");
        Ok(())
    }

    async fn terminate(&mut self, _: &ExitReason, _: &mut Context<Self>) {
        yield_now().await;
        info!("terminated");
    }
}

/// An actor whose init panics before there is a future.
struct Stillborn;

impl Actor for Stillborn {
    type Msg = ();
    type Args = bool;

    fn init(panics: &bool, _: &mut Context<Self>) -> impl Future<Output = Result<Self, ExitReason>> + Send {
        assert!(!panics, "as asked");
        ready(Ok(Self))
    }

    async fn handle(&mut self, (): (), _: &mut Context<Self>) -> Result<(), ExitReason> {
        Ok(())
    }
}

async fn start(mailbox: MailboxConfig) -> Address<Msg> {
    System::new().spawn::<Noting>(()).mailbox(mailbox).await.expect("it starts")
}

async fn noting() -> Address<Msg> {
    start(MailboxConfig::default()).await
}

async fn end(actor: Address<Msg>) {
    let exit = actor.monitor();
    actor.stop(ExitReason::Normal).expect("it runs");
    exit.await;
}

fn cast_in(span: &tracing::Span, actor: &Address<Msg>, msg: Msg) {
    assert!(span.in_scope(|| actor.cast(msg)).is_ok());
}

#[tokio::test(start_paused = true)]
async fn each_callback_has_a_span_with_its_actor_and_no_parent() {
    let recorder = Recorder::default();
    let _default = recorder.listen(LevelFilter::DEBUG);
    let actor = noting().instrument(info_span!("starter")).await;
    let pid = actor.pid().expect("it runs");
    actor.call(Msg::Ask).await.expect("it answers");
    let other = noting().await;
    actor.cast(Msg::Watch(other.handle())).expect("there is room");
    yield_now().await;
    end(other).await;
    actor.call(Msg::Ask).await.expect("it answers");
    end(actor).await;
    for (name, many) in [("init", 2), ("handle", 3), ("signal", 1), ("terminate", 2)] {
        let spans = recorder.spans(name);
        assert_eq!(spans.len(), many, "{name}");
        assert!(spans.iter().all(|span| !span.has_parent && !span.is_open), "{spans:?}");
        let fields =
            format!(" actor=handler_spans::Noting pid={pid} incarnation=1 message_type=handler_spans::Msg");
        assert!(spans.iter().any(|span| span.fields == fields), "{spans:?}");
    }
    assert_eq!(recorder.spans_of("initialised"), ["init", "init"]);
    assert_eq!(recorder.spans_of("signalled"), ["signal"]);
    assert_eq!(recorder.spans_of("terminated"), ["terminate", "terminate"]);
}

#[tokio::test(start_paused = true)]
async fn a_span_is_entered_for_each_poll_and_not_held_across_an_await() {
    let recorder = Recorder::default();
    let _default = recorder.listen(LevelFilter::DEBUG);
    let actor = noting().await;
    actor.cast(Msg::Sleep).expect("there is room");
    sleep(Duration::from_millis(1)).await;
    info!("meanwhile");
    actor.call(Msg::Ask).await.expect("it answers");
    assert_eq!(recorder.spans_of("before"), ["handle"]);
    assert_eq!(recorder.spans_of("meanwhile"), ["none"]);
    assert_eq!(recorder.spans_of("after"), ["handle"]);
    assert_eq!(recorder.spans("handle")[0].entered, 2);
    end(actor).await;
}

#[tokio::test(start_paused = true)]
async fn the_span_of_an_init_that_panics_closes_before_others_are_told_of_the_end() {
    let system = System::new();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (observed, log) = (system.clone(), seen.clone());
    let recorder = Recorder::hooked(move |operation| {
        let running = observed.processes().iter().filter_map(ActorHandle::pid).count();
        log.lock().expect("no thread panics under the lock").push((operation.to_owned(), running));
    });
    let _default = recorder.listen(LevelFilter::DEBUG);
    assert!(system.spawn::<Stillborn>(true).await.is_err());
    let expected = ["new", "enter", "exit", "close"].map(|operation| (operation.to_owned(), 1));
    assert_eq!(*seen.lock().expect("no thread panics under the lock"), expected);
}

#[tokio::test(start_paused = true)]
async fn a_message_follows_from_the_span_of_its_sender_however_it_was_sent() {
    let recorder = Recorder::default();
    let _default = recorder.listen(LevelFilter::DEBUG);
    let actor = start(MailboxConfig::bounded(1)).await;
    let (release, until) = oneshot::channel();
    actor.cast(Msg::Wait(until)).expect("there is room");
    yield_now().await;
    let permit = info_span!("reserver").in_scope(|| actor.try_reserve()).expect("there is room");
    let waits = |name, msg| {
        let actor = actor.clone();
        let span = if name == "sender" { info_span!("sender") } else { info_span!("late") };
        tokio::spawn(async move { actor.send(msg).await.is_ok() }.instrument(span))
    };
    let (sender, late) = (waits("sender", Msg::Note), waits("late", Msg::Sleep));
    yield_now().await;
    assert!(info_span!("permit").in_scope(|| permit.send(Msg::Note)).is_ok());
    late.abort();
    yield_now().await;
    release.send(()).expect("it waits");
    assert!(sender.await.expect("it was not aborted"));
    actor.call(Msg::Ask).instrument(info_span!("caller")).await.expect("it answers");
    cast_in(&info_span!("caster"), &actor, Msg::NoteLater);
    sleep(Duration::from_millis(5)).await;
    let follows: Vec<_> = recorder.spans("handle").into_iter().map(|span| span.follows).collect();
    let expected: [&[&str]; 6] = [&[], &["permit"], &["sender"], &["caller"], &["caster"], &[]];
    assert_eq!(follows, expected);
    assert_eq!(recorder.open(), [""; 0]);
    end(actor).await;
}

#[tokio::test(start_paused = true)]
async fn evicted_lost_and_dead_messages_take_no_link_from_others_and_keep_no_span_open() {
    let recorder = Recorder::default();
    let _default = recorder.listen(LevelFilter::DEBUG);
    let actor = start(MailboxConfig::bounded(2).overflow(OverflowPolicy::DropOldest)).await;
    let (release, until) = oneshot::channel();
    actor.cast(Msg::Wait(until)).expect("there is room");
    yield_now().await;
    cast_in(&info_span!("evicted"), &actor, Msg::Note);
    cast_in(&info_span!("kept"), &actor, Msg::Note);
    cast_in(&info_span!("newest"), &actor, Msg::Panic);
    assert_eq!(recorder.open(), ["handle", "kept", "newest"]);
    release.send(()).expect("it waits");
    yield_now().await;
    yield_now().await;
    let follows: Vec<_> = recorder.spans("handle").into_iter().map(|span| span.follows).collect();
    let expected: [&[&str]; 3] = [&[], &["kept"], &["newest"]];
    assert_eq!(follows, expected);
    let actor = noting().await;
    cast_in(&info_span!("stopper"), &actor, Msg::Sleep);
    yield_now().await;
    cast_in(&info_span!("unheard"), &actor, Msg::Note);
    end(actor).await;
    assert_eq!(recorder.open(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn messages_that_a_restart_discards_keep_no_span_open() {
    let recorder = Recorder::default();
    let _default = recorder.listen(LevelFilter::DEBUG);
    let child = Child::new::<Noting>("noting", ());
    let child = child.mailbox(MailboxConfig::default().discard_on_restart());
    let actor = child.address();
    let app = Supervisor::new("app").child(child).start(&System::new()).await.expect("it starts");
    cast_in(&info_span!("crash"), &actor, Msg::Panic);
    cast_in(&info_span!("discarded"), &actor, Msg::Note);
    assert!(recorder.open().contains(&"discarded"));
    sleep(Duration::from_secs(1)).await;
    assert_eq!(actor.counters().dead_lettered, 1);
    assert!(!recorder.open().contains(&"discarded"));
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_subscriber_that_comes_later_gets_links_from_the_second_message_on() {
    let actor = noting().await;
    actor.call(Msg::Ask).await.expect("it answers");
    let recorder = Recorder::default();
    let listening = recorder.listen(LevelFilter::DEBUG);
    for _ in 0..3 {
        actor.call(Msg::Ask).instrument(info_span!("caller")).await.expect("it answers");
    }
    drop(listening);
    actor.call(Msg::Ask).instrument(info_span!("caller")).await.expect("it answers");
    let follows: Vec<_> = recorder.spans("handle").into_iter().map(|span| span.follows).collect();
    let expected: [&[&str]; 3] = [&[], &["caller"], &["caller"]];
    assert_eq!(follows, expected);
}

#[tokio::test(start_paused = true)]
async fn messages_that_were_accepted_while_no_spans_were_kept_have_no_link() {
    let actor = noting().await;
    let recorder = Recorder::default();
    let _default = recorder.listen(LevelFilter::DEBUG);
    let ask = async || actor.call(Msg::Ask).instrument(info_span!("caller")).await.expect("it answers");
    cast_in(&info_span!("early"), &actor, Msg::Note);
    ask().await;
    cast_in(&info_span!("kept"), &actor, Msg::Note);
    with_default(NoSubscriber::default(), || actor.cast(Msg::Note)).expect("it runs");
    cast_in(&info_span!("not kept"), &actor, Msg::Note);
    yield_now().await;
    ask().await;
    let follows: Vec<_> = recorder.spans("handle").into_iter().map(|span| span.follows).collect();
    let expected: [&[&str]; 6] = [&[], &[], &[], &[], &[], &["caller"]];
    assert_eq!(follows, expected);
}

#[tokio::test(start_paused = true)]
async fn a_subscriber_that_wants_no_spans_of_this_level_gets_none() {
    let recorder = Recorder::default();
    let _default = recorder.listen(LevelFilter::INFO);
    let actor = noting().await;
    actor.call(Msg::Ask).await.expect("it answers");
    cast_in(&info_span!("caster"), &actor, Msg::Note);
    sleep(Duration::from_millis(1)).await;
    end(actor).await;
    assert_eq!(recorder.spans_of("noted"), ["none"]);
    for name in ["init", "handle", "signal", "terminate"] {
        assert!(recorder.spans(name).is_empty());
    }
}

/// A supervisor waits for no subscriber: it would hold up its children.
#[tokio::test(start_paused = true)]
async fn supervisors_ask_no_subscriber_whether_it_wants_spans() {
    let asked = Arc::new(Mutex::new(0));
    let log = asked.clone();
    let counting = dynamic_filter_fn(move |metadata, _| {
        *log.lock().expect("no thread panics under the lock") +=
            u32::from(metadata.target() == "perennial::handler");
        true
    });
    let _default = Registry::default().with(counting).set_default();
    let nested = Supervisor::new("nested");
    let app = Supervisor::new("app").child(nested).start(&System::new()).await.expect("it starts");
    app.tree().at(["nested"]).expect("it is there").handle.kill().expect("it runs");
    sleep(Duration::from_secs(1)).await;
    assert!(app.shutdown().await.is_clean());
    assert_eq!(*asked.lock().expect("no thread panics under the lock"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_subscriber_that_panics_at_every_step_costs_no_message() {
    for step in ["new", "follows", "enter", "exit", "close"] {
        let recorder = Recorder::hooked(move |operation| assert_ne!(operation, step));
        let listening = recorder.listen(LevelFilter::DEBUG);
        let actor = noting().await;
        assert_eq!(
            actor.call(Msg::Ask).instrument(info_span!("caller")).await.expect("it answers"),
            1,
            "{step}"
        );
        let exit = actor.monitor();
        cast_in(&info_span!("caster"), &actor, Msg::Panic);
        // Some steps happen while the handler's panic unwinds.
        let reason = exit.await.reason;
        assert!(reason.to_string().contains("as asked"), "{step}: {reason}");
        drop(listening);
    }
}

#[tokio::test(start_paused = true)]
async fn a_subscriber_may_send_to_the_actor_whose_span_it_sees() {
    let target = Arc::new(Mutex::new(None::<Address<Msg>>));
    let known = target.clone();
    let recorder = Recorder::hooked(move |_| {
        let target = known.lock().expect("no thread panics under the lock").clone();
        if let Some(actor) = target {
            let _ = (actor.cast(Msg::Note), actor.counters());
        }
    });
    let _default = recorder.listen(LevelFilter::DEBUG);
    let actor = start(MailboxConfig::bounded(4)).await;
    *target.lock().expect("no thread panics under the lock") = Some(actor.clone());
    actor.call(Msg::Ask).instrument(info_span!("caller")).await.expect("it answers");
    *target.lock().expect("no thread panics under the lock") = None;
    end(actor).await;
}
