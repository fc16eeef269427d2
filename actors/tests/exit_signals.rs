//! Exit signals: sent explicitly or to itself, trapped or not, in an init or later. OTP cases 101
//! to 104.

use std::sync::Arc;

use perennial_actors::host::Identity;
use perennial_actors::{Actor, Context, ExitReason, MailboxConfig, NoProcessError, Pid, Signal, System};
use tokio::sync::{Notify, mpsc};

use crate::support::parent::recorder;
use crate::support::scripted::{ScriptedActor, TestProbe, scripted, strings, trapper, why};
use crate::support::scripted_lifecycle::{Step, starting};

fn bad() -> ExitReason {
    ExitReason::failed("bad")
}

#[tokio::test(start_paused = true)]
async fn c101_an_explicit_normal_exit_does_not_end_an_actor_that_does_not_trap() {
    let system = System::new();
    let (mut target, sender) = (scripted(&system).await, scripted(&system).await);
    let handle = target.handle();
    let sent = sender.does(move |ctx| ctx.send_exit(&handle, ExitReason::Normal)).await;
    assert_eq!(sent, Ok(()));
    assert_eq!(target.handle().send_exit(ExitReason::Normal), Ok(()));
    assert_eq!(target.exits().await, []);
}

#[tokio::test(start_paused = true)]
async fn an_explicit_exit_ends_an_actor_that_does_not_trap_and_needs_no_link() {
    let system = System::new();
    let (target, sender) = (scripted(&system).await, scripted(&system).await);
    let (handle, down) = (target.handle(), target.address.monitor());
    let sent = sender.does(move |ctx| ctx.send_exit(&handle, bad())).await;
    assert_eq!((sent, why(down).await.as_str()), (Ok(()), "failed: bad"));
    assert!(sender.lives().await);
}

#[tokio::test(start_paused = true)]
async fn a_trapping_actor_gets_an_explicit_exit_and_its_sender_whatever_the_reason() {
    let system = System::new();
    let (mut target, sender) = (trapper(&system).await, scripted(&system).await);
    let handle = target.handle();
    let reasons = [ExitReason::Normal, ExitReason::shutdown(), bad(), ExitReason::Killed];
    for reason in reasons.clone() {
        let handle = handle.clone();
        sender.does(move |ctx| ctx.send_exit(&handle, reason)).await.expect("it lives");
    }
    handle.send_exit(bad()).expect("it lives");
    let mut expected: Vec<(Option<Pid>, String)> =
        reasons.iter().map(|reason| (Some(sender.pid), reason.to_string())).collect();
    expected.push((None, "failed: bad".into()));
    assert_eq!(target.exits().await, expected);
}

#[tokio::test(start_paused = true)]
async fn an_exit_sent_to_a_dead_actor_is_an_error_and_nothing_else() {
    let system = System::new();
    let (mut sender, dead) = (trapper(&system).await, scripted(&system).await);
    dead.ends(ExitReason::Normal).await;
    let handle = dead.handle();
    assert_eq!(handle.send_exit(bad()), Err(NoProcessError));
    assert_eq!(sender.does(move |ctx| ctx.send_exit(&handle, bad())).await, Err(NoProcessError));
    assert_eq!(sender.exits().await, []);
}

#[tokio::test(start_paused = true)]
async fn c102_a_normal_exit_sent_to_itself_ends_an_actor_that_does_not_trap() {
    let one = scripted(&System::new()).await;
    let (handle, down) = (one.handle(), one.address.monitor());
    one.does(move |ctx| ctx.send_exit(&handle, ExitReason::Normal)).await.expect("it lives");
    assert_eq!(why(down).await, "normal");
}

#[tokio::test(start_paused = true)]
async fn c102_a_normal_exit_sent_to_itself_is_delivered_to_a_trapping_actor() {
    let mut one = trapper(&System::new()).await;
    let handle = one.handle();
    one.does(move |ctx| ctx.send_exit(&handle, ExitReason::Normal)).await.expect("it lives");
    assert_eq!(one.exits().await, [(Some(one.pid), "normal".into())]);
}

#[tokio::test(start_paused = true)]
async fn c103_a_kill_ends_a_trapping_actor_and_becomes_killed() {
    let target = trapper(&System::new()).await;
    let down = target.address.monitor();
    target.address.kill().expect("it lives");
    assert_eq!(why(down).await, "killed");
}

/// As in OTP, `killed` is a reason like any other: only a kill itself cannot be trapped.
#[tokio::test(start_paused = true)]
async fn c104_an_explicit_exit_with_killed_is_an_exit_like_any_other() {
    let system = System::new();
    let (mut trapper, plain) = (trapper(&system).await, scripted(&system).await);
    let down = plain.address.monitor();
    for handle in [trapper.handle(), plain.handle()] {
        handle.send_exit(ExitReason::Killed).expect("it lives");
    }
    assert_eq!(trapper.exits().await, [(None, "killed".into())]);
    assert_eq!(why(down).await, "killed");
}

#[tokio::test(start_paused = true)]
async fn an_exit_that_ends_an_actor_runs_its_terminate_with_the_reason() {
    let patient = starting(&System::new(), |_| ());
    tokio::task::yield_now().await;
    let (reason, lines) = patient.after(|address| address.handle().send_exit(bad()).expect("it lives")).await;
    assert_eq!((reason.as_str(), lines), ("failed: bad", vec!["terminate: failed: bad".into()]));
}

#[tokio::test(start_paused = true)]
async fn trap_exits_returns_the_previous_setting_and_shows_in_the_info() {
    let one = scripted(&System::new()).await;
    assert!(!one.info().trap_exits);
    assert!(!one.does(|ctx| ctx.trap_exits(true)).await);
    assert!(one.info().trap_exits);
    assert!(one.does(|ctx| ctx.trap_exits(true)).await);
    assert!(one.does(|ctx| ctx.trap_exits(false)).await);
    assert!(!one.info().trap_exits);
}

/// In OTP the flag counts at the moment when the signal is received. Here a signal is received when
/// it is handled.
#[tokio::test(start_paused = true)]
async fn an_exit_is_trapped_if_the_actor_traps_when_it_handles_the_exit() {
    for (before, after) in [(true, false), (false, true)] {
        let (mut told, mut ended) = (Vec::new(), false);
        let mut one = scripted(&System::new()).await;
        let (handle, mut down) = (one.handle(), one.address.monitor());
        one.does(move |ctx| {
            ctx.trap_exits(before);
            handle.send_exit(bad()).expect("it lives");
            ctx.trap_exits(after);
        })
        .await;
        tokio::select! {
            biased;
            down = &mut down => ended = down.reason.to_string() == "failed: bad",
            exits = one.exits() => told = exits,
        }
        let expected = if after { vec![(None, "failed: bad".to_owned())] } else { vec![] };
        assert_eq!((told, ended), (expected, before), "trapping was {before} and is {after}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_next_incarnation_does_not_trap_because_the_one_before_did() {
    let (system, (parent, mut record)) = (System::new(), recorder());
    let identity = Identity::new(MailboxConfig::default());
    identity.open(&system, || "scripted".into());
    let (strings, ear) = strings(false);
    let strings = Arc::new(strings);
    identity.start::<ScriptedActor>(strings.clone(), parent.clone(), 1).expect("it is open");
    record.started(1).await;
    let first = TestProbe::of(identity.address(), ear);
    first.does(|ctx| ctx.trap_exits(true)).await;
    first.address.kill().expect("it lives");
    record.ended(1).await;
    assert!(!first.info().trap_exits);
    identity.start::<ScriptedActor>(strings, parent, 2).expect("it is open");
    record.started(2).await;
    let down = first.address.monitor();
    first.handle().send_exit(bad()).expect("it lives");
    assert_eq!(why(down).await, "failed: bad");
}

#[tokio::test(start_paused = true)]
async fn an_exit_ends_an_init_that_awaits_without_a_terminate() {
    let mut patient = starting(&System::new(), |plan| plan.init = Step::Hang);
    patient.until("init hangs").await;
    let (reason, lines) = patient.after(|address| address.handle().send_exit(bad()).expect("it lives")).await;
    assert_eq!((reason.as_str(), lines), ("failed: bad", vec![]));
}

/// Records exits only, and traps them before its init awaits.
struct SlowTrapper(mpsc::UnboundedSender<String>);

impl Actor for SlowTrapper {
    type Msg = ();
    type Args = (mpsc::UnboundedSender<String>, Arc<Notify>);

    async fn init((told, proceed): &Self::Args, ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        ctx.trap_exits(true);
        told.send("in init".into())?;
        proceed.notified().await;
        told.send("out of init".into())?;
        Ok(Self(told.clone()))
    }

    async fn handle(&mut self, (): (), _: &mut Context<Self>) -> Result<(), ExitReason> {
        Ok(())
    }

    async fn signal(&mut self, signal: Signal, _: &mut Context<Self>) -> Result<(), ExitReason> {
        if let Signal::Exit { reason, .. } = signal {
            self.0.send(reason.to_string())?;
        }
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn an_exit_that_is_trapped_during_an_init_is_delivered_after_it() {
    let ((told, mut lines), proceed) = (mpsc::unbounded_channel(), Arc::new(Notify::new()));
    let address =
        System::new().spawn::<SlowTrapper>((told, proceed.clone())).detach().expect("there is a runtime");
    assert_eq!(lines.recv().await.as_deref(), Some("in init"));
    for reason in [ExitReason::Normal, bad()] {
        address.handle().send_exit(reason).expect("it lives");
    }
    tokio::time::sleep(std::time::Duration::from_secs(60)).await;
    assert!(lines.try_recv().is_err(), "it waits");
    proceed.notify_one();
    for line in ["out of init", "normal", "failed: bad"] {
        assert_eq!(lines.recv().await.as_deref(), Some(line));
    }
}
