//! Monitors of actors: independent, one-sided, bound to one incarnation, removed by their owner's
//! exit. OTP cases 110 to 112 and 116 to 118.

use std::sync::Arc;

use perennial_actors::host::Identity;
use perennial_actors::{
    ActorHandle, CallError, Context, ExitReason, MailboxConfig, MonitorId, ProcessState, Reply, SendError,
    Signal, System, Unsent,
};

use crate::support::parent::{Record, hosted, recorder};
use crate::support::scripted::{Msg, Script, ScriptedActor, TestProbe, ask, scripted, strings, trapper, why};

fn bad() -> ExitReason {
    ExitReason::failed("bad")
}

#[tokio::test(start_paused = true)]
async fn a_monitor_notifies_only_its_owner_and_ends_no_actor() {
    let system = System::new();
    let (mut observer, target) = (scripted(&system).await, scripted(&system).await);
    let one_sided = observer.monitors(&target).await;
    assert_eq!((observer.info().monitors, target.info().monitors), (vec![one_sided], vec![]));
    assert_eq!((observer.info().monitored_by, target.info().monitored_by), (0, 1));
    let back = target.monitors(&observer).await;
    assert_ne!(back, one_sided);
    target.ends(bad()).await;
    assert_eq!(observer.downs().await, [(one_sided, Some(target.pid), "failed: bad".into())]);
    assert_eq!((observer.info().monitors, observer.info().monitored_by), (vec![], 0));
}

#[tokio::test(start_paused = true)]
async fn a_monitor_reports_a_normal_exit_whether_exits_are_trapped_or_not() {
    let system = System::new();
    for mut observer in [scripted(&system).await, trapper(&system).await] {
        let target = scripted(&system).await;
        let monitor = observer.monitors(&target).await;
        target.ends(ExitReason::Normal).await;
        assert_eq!(observer.downs().await, [(monitor, Some(target.pid), "normal".into())]);
    }
}

#[tokio::test(start_paused = true)]
async fn c110_a_monitor_of_a_dead_actor_reports_no_process_with_its_own_id() {
    let system = System::new();
    let (mut observer, dead) = (scripted(&system).await, scripted(&system).await);
    dead.ends(bad()).await;
    let (first, second) = (observer.monitors(&dead).await, observer.monitors(&dead).await);
    let expected = [first, second].map(|monitor| (monitor, None, "no process".to_owned()));
    assert_eq!(observer.downs().await, expected);
    assert_eq!((observer.info().monitors, dead.info().monitored_by), (vec![], 0));
}

#[tokio::test(start_paused = true)]
async fn c110_a_monitor_of_an_actor_that_was_never_opened_reports_no_process() {
    let (mut observer, identity) =
        (scripted(&System::new()).await, Identity::<()>::new(MailboxConfig::default()));
    let handle = identity.address().handle();
    let monitor = observer.does(move |ctx| ctx.monitor(&handle)).await;
    assert_eq!(observer.downs().await, [(monitor, None, "no process".into())]);
}

#[tokio::test(start_paused = true)]
async fn c111_every_monitor_of_one_pair_reports_unless_it_was_removed() {
    let system = System::new();
    let (mut observer, target) = (scripted(&system).await, scripted(&system).await);
    let mut monitors = Vec::new();
    for _ in 0..100 {
        monitors.push(observer.monitors(&target).await);
    }
    assert_eq!(target.info().monitored_by, 100);
    let taken = monitors.remove(50);
    assert!(observer.does(move |ctx| ctx.demonitor(taken)).await);
    assert_eq!(target.info().monitored_by, 99);
    target.ends(bad()).await;
    let mut told: Vec<MonitorId> = observer.downs().await.into_iter().map(|(monitor, ..)| monitor).collect();
    told.sort();
    assert_eq!(told, monitors);
}

/// Lets an observer monitor an incarnation, and remove the monitor when the incarnation has ended
/// and the signal is queued. Returns the result of `take`, and how many signals are left.
async fn removed_after_the_end(take: fn(&mut Context<ScriptedActor>, MonitorId) -> bool) -> (bool, usize) {
    let system = System::new();
    let (mut observer, (identity, target)) = (scripted(&system).await, hosted(&system));
    let handle = identity.address().handle();
    let taken = observer.does(move |ctx| {
        let monitor = ctx.monitor(&handle);
        target.end(bad());
        take(ctx, monitor)
    });
    (taken.await, observer.told().await.len())
}

#[tokio::test(start_paused = true)]
async fn c112_a_late_demonitor_returns_false_and_keeps_the_signal() {
    assert_eq!(removed_after_the_end(Context::demonitor).await, (false, 1));
}

#[tokio::test(start_paused = true)]
async fn c112_a_late_demonitor_that_flushes_returns_false_and_removes_the_signal() {
    assert_eq!(removed_after_the_end(Context::demonitor_and_flush).await, (false, 0));
}

#[tokio::test(start_paused = true)]
async fn c112_a_flush_removes_only_the_signal_of_its_monitor() {
    let system = System::new();
    let (mut observer, (identity, target)) = (trapper(&system).await, hosted(&system));
    let (handle, pid) = (identity.address().handle(), target.pid());
    let kept = observer.does(move |ctx| {
        ctx.link(&handle).expect("it lives");
        let [kept, flushed] = [ctx.monitor(&handle), ctx.monitor(&handle)];
        target.end(bad());
        assert!(!ctx.demonitor_and_flush(flushed));
        kept
    });
    let kept = kept.await;
    let told = observer.told().await;
    assert!(
        matches!(&told[..], [Signal::Exit { from, .. }, Signal::Down { monitor, .. }]
            if *from == Some(pid) && *monitor == kept),
        "{told:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn c112_a_demonitor_in_time_returns_true_once() {
    for take in [Context::demonitor, Context::demonitor_and_flush] {
        let system = System::new();
        let (mut observer, target) = (scripted(&system).await, scripted(&system).await);
        let monitor = observer.monitors(&target).await;
        let taken = observer.does(move |ctx| (take(ctx, monitor), take(ctx, monitor))).await;
        assert_eq!(taken, (true, false));
        assert_eq!((observer.info().monitors, target.info().monitored_by), (vec![], 0));
        target.ends(bad()).await;
        assert_eq!(observer.downs().await, []);
    }
}

#[tokio::test(start_paused = true)]
async fn c112_only_its_owner_can_remove_a_monitor() {
    let system = System::new();
    let (mut owner, other, target) =
        (scripted(&system).await, scripted(&system).await, scripted(&system).await);
    let monitor = owner.monitors(&target).await;
    assert!(!other.does(move |ctx| ctx.demonitor_and_flush(monitor)).await);
    target.ends(bad()).await;
    assert_eq!(owner.downs().await, [(monitor, Some(target.pid), "failed: bad".into())]);
}

#[tokio::test(start_paused = true)]
async fn a_monitor_of_itself_is_allowed_and_reports_nothing() {
    let mut one = scripted(&System::new()).await;
    let monitor = one.monitors(&one).await;
    assert_eq!((one.info().monitors, one.info().monitored_by), (vec![monitor], 1));
    assert_eq!(one.downs().await, []);
    one.ends(bad()).await;
    assert_eq!((one.info().monitors, one.info().monitored_by), (vec![], 0));
}

#[tokio::test(start_paused = true)]
async fn a_child_that_is_spawned_and_monitored_at_once_reports_its_own_reason() {
    let mut observer = scripted(&System::new()).await;
    let (strings, _ear) = strings(false);
    let (address, monitor) = observer
        .does(|ctx| {
            let spawn = ctx.system().spawn::<ScriptedActor>(strings);
            let (address, monitor) = spawn.detach_monitored_by(ctx).expect("there is a runtime");
            address.kill().expect("nothing of it has run");
            (address, monitor)
        })
        .await;
    // It may have ended by now. Then this monitor reports no process.
    why(address.monitor()).await;
    let told = observer.downs().await;
    assert!(matches!(&told[..], [(id, Some(_), reason)] if *id == monitor && reason == "killed"), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn an_observer_that_ends_removes_all_its_monitors() {
    let system = System::new();
    let target = scripted(&system).await;
    for reason in [ExitReason::Normal, bad(), ExitReason::Killed] {
        let observer = scripted(&system).await;
        for _ in 0..10 {
            observer.monitors(&target).await;
        }
        assert_eq!(target.info().monitored_by, 10);
        observer.ends(reason).await;
        assert_eq!(target.info().monitored_by, 0);
    }
    let observer = scripted(&system).await;
    observer.monitors(&target).await;
    let down = observer.address.monitor();
    observer.address.kill().expect("it lives");
    assert_eq!(why(down).await, "killed");
    assert_eq!(target.info().monitored_by, 0);
}

/// Links and monitors hold references to actors. An ended actor must hold none.
#[tokio::test(start_paused = true)]
async fn ended_actors_that_were_linked_to_each_other_are_freed() {
    let system = System::new();
    let (one, other) = (scripted(&system).await, scripted(&system).await);
    for (from, to) in [(&one, &other), (&other, &one)] {
        from.monitors(to).await;
        from.links(to).await;
        from.monitors(from).await;
    }
    let known: Vec<ActorHandle> = system.processes();
    assert_eq!(known.len(), 2);
    drop(known);
    let down = one.address.monitor();
    other.ends(bad()).await;
    assert_eq!(why(down).await, "failed: bad");
    drop((one, other));
    assert_eq!(system.processes(), []);
}

/// An identity of scripted actors, and the parent that starts them.
struct Owner {
    identity: Identity<Msg>,
    strings: Arc<Script>,
    parent: Arc<dyn perennial_actors::host::Parent>,
    record: Record,
}

impl Owner {
    /// Returns an owner with its first incarnation, and the probe of that.
    async fn new(system: &System) -> (Self, TestProbe) {
        let (identity, (strings, log), (parent, record)) =
            (Identity::new(MailboxConfig::default()), strings(true), recorder());
        identity.open(system, || "scripted".into());
        let mut owner = Self { identity, strings: Arc::new(strings), parent, record };
        owner.start(1).await;
        let probe = TestProbe::of(owner.identity.address(), log);
        (owner, probe)
    }

    async fn start(&mut self, run: u64) {
        let started = self.identity.start::<ScriptedActor>(self.strings.clone(), self.parent.clone(), run);
        assert_eq!(started.expect("it is open").incarnation(), u32::try_from(run).expect("it is small"));
        self.record.started(run).await;
    }

    async fn kill(&mut self, run: u64) {
        self.identity.address().kill().expect("it lives");
        assert!(matches!(self.record.ended(run).await.reason, ExitReason::Killed));
    }
}

#[tokio::test(start_paused = true)]
async fn c116_a_monitor_stays_with_the_incarnation_that_it_was_set_for() {
    let system = System::new();
    let mut observer = scripted(&system).await;
    let (mut owner, first) = Owner::new(&system).await;
    let of_first = observer.monitors(&first).await;
    owner.kill(1).await;
    owner.start(2).await;
    assert_eq!(observer.downs().await, [(of_first, Some(first.pid), "killed".into())]);
    owner.kill(2).await;
    assert_eq!(observer.downs().await, [], "it does not follow");
}

#[tokio::test(start_paused = true)]
async fn c116_a_monitor_set_between_two_incarnations_is_of_the_next() {
    let system = System::new();
    let mut observer = scripted(&system).await;
    let (mut owner, first) = Owner::new(&system).await;
    owner.kill(1).await;
    assert_eq!(first.address.state(), ProcessState::Pending);
    let monitor = observer.monitors(&first).await;
    assert_eq!(observer.downs().await, []);
    owner.start(2).await;
    let second = owner.identity.address().pid();
    owner.kill(2).await;
    assert_eq!(observer.downs().await, [(monitor, second, "killed".into())]);
}

#[tokio::test(start_paused = true)]
async fn the_next_incarnation_has_no_links_and_no_monitors_of_the_one_before() {
    let system = System::new();
    let (mut owner, mut restarted) = Owner::new(&system).await;
    let (mut linked, watched) = (trapper(&system).await, scripted(&system).await);
    restarted.links(&linked).await;
    restarted.monitors(&watched).await;
    let first = restarted.pid;
    owner.kill(1).await;
    owner.start(2).await;
    assert_eq!(linked.exits().await, [(Some(first), "killed".into())]);
    let info = restarted.info();
    assert_eq!((info.links, info.monitors), (vec![], vec![]));
    assert_eq!((linked.info().links, watched.info().monitored_by), (vec![], 0));
    for other in [&linked, &watched] {
        other.ends(bad()).await;
    }
    assert_eq!(restarted.told().await.len(), 0);
}

/// A call is answered only through its reply. The type of a reply allows one answer.
#[tokio::test(start_paused = true)]
async fn c117_an_answer_to_a_caller_that_timed_out_is_dropped_silently() {
    let one = scripted(&System::new()).await;
    let (keep, kept) = std::sync::mpsc::channel::<Reply<u32>>();
    let call = one.address.call(|reply| {
        Msg::Do(Box::new(move |_| {
            keep.send(reply)?;
            Ok(())
        }))
    });
    let call = call.timeout(std::time::Duration::from_secs(1));
    assert!(matches!(call.await, Err(CallError::TimedOut(_))));
    let reply = kept.try_recv().expect("it was kept");
    assert!(reply.is_closed());
    reply.send(1);
    assert_eq!(ask(&one.address, |_| 2).await, 2, "and is not the answer to the next call");
}

/// OTP drops such a message silently. Here its sender gets it back.
#[tokio::test(start_paused = true)]
async fn c118_a_message_to_a_dead_actor_is_returned_and_has_no_effect() {
    let one = scripted(&System::new()).await;
    one.ends(ExitReason::Normal).await;
    assert!(matches!(one.address.cast(Msg::Hang), Err(SendError::Closed(Unsent { message: Msg::Hang, .. }))));
    assert!(one.address.send(Msg::Hang).await.is_err());
    assert!(!one.lives().await);
}
