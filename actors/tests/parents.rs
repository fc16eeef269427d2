//! Parents: the actor that started another one linked. Its exit signals cannot be trapped, and it
//! is notified of every start that fails. OTP cases 121 and 133.

use std::sync::Arc;

use perennial_actors::{ExitReason, SpawnError, System};

use crate::support::parent::hosted;
use crate::support::scripted::{ScriptedActor, TestProbe, scripted, strings, trapper, why};
use crate::support::scripted_lifecycle::{LifecycleActor, Step, plan};

fn bad() -> ExitReason {
    ExitReason::failed("bad")
}

/// Returns a trapping scripted actor that `parent` has started, linked.
async fn child(parent: &TestProbe) -> TestProbe {
    let (strings, log) = strings(true);
    let spawn = parent.does(|ctx| ctx.system().spawn::<ScriptedActor>(strings).linked_to(ctx).detach());
    let child = TestProbe::of(spawn.await.expect("there is a runtime"), log);
    assert!(child.lives().await);
    child
}

#[tokio::test(start_paused = true)]
async fn c133_the_exit_of_a_parent_ends_a_child_that_traps_also_if_it_is_normal() {
    for (reason, expected) in [(ExitReason::Normal, "normal"), (bad(), "failed: bad")] {
        let parent = scripted(&System::new()).await;
        let child = child(&parent).await;
        let down = child.address.monitor();
        parent.ends(reason).await;
        assert_eq!(why(down).await, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn c133_the_exit_of_another_actor_is_delivered_to_a_child_that_traps() {
    let system = System::new();
    let (parent, stranger) = (scripted(&system).await, scripted(&system).await);
    let mut child = child(&parent).await;
    stranger.links(&child).await;
    stranger.ends(bad()).await;
    assert_eq!(child.exits().await, [(Some(stranger.pid), "failed: bad".into())]);
}

#[tokio::test(start_paused = true)]
async fn c133_an_actor_that_was_started_without_a_link_has_no_parent_even_if_it_links_later() {
    let system = System::new();
    let starter = scripted(&system).await;
    let (strings, log) = strings(true);
    let spawned = starter.does(|ctx| ctx.system().spawn::<ScriptedActor>(strings).detach()).await;
    let mut child = TestProbe::of(spawned.expect("there is a runtime"), log);
    starter.links(&child).await;
    starter.ends(bad()).await;
    assert_eq!(child.exits().await, [(Some(starter.pid), "failed: bad".into())]);
}

#[tokio::test(start_paused = true)]
async fn c133_an_exit_sent_explicitly_by_the_parent_ends_a_child_that_traps() {
    let parent = scripted(&System::new()).await;
    let child = child(&parent).await;
    let (handle, downs) = (child.handle(), [&child, &parent].map(|each| each.address.monitor()));
    parent.does(move |ctx| ctx.send_exit(&handle, bad())).await.expect("it lives");
    for down in downs {
        assert_eq!(why(down).await, "failed: bad", "they are linked");
    }
}

#[tokio::test(start_paused = true)]
async fn c133_a_parent_stays_the_parent_when_it_is_linked_once_more() {
    for by_the_child in [true, false] {
        let parent = scripted(&System::new()).await;
        let child = child(&parent).await;
        if by_the_child {
            child.links(&parent).await
        } else {
            parent.links(&child).await
        }
        let down = child.address.monitor();
        parent.ends(bad()).await;
        assert_eq!(why(down).await, "failed: bad", "linked by the child: {by_the_child}");
    }
}

#[tokio::test(start_paused = true)]
async fn c133_a_parent_whose_link_was_removed_sends_no_exit_and_the_child_keeps_running() {
    let parent = scripted(&System::new()).await;
    let mut child = child(&parent).await;
    child.unlinks(&parent).await;
    parent.ends(bad()).await;
    assert_eq!(child.exits().await, []);
}

#[tokio::test(start_paused = true)]
async fn a_child_is_an_ordinary_link_to_its_parent() {
    let mut parent = trapper(&System::new()).await;
    let child = child(&parent).await;
    assert_eq!((parent.info().links, child.info().links), (vec![child.pid], vec![parent.pid]));
    child.ends(bad()).await;
    assert_eq!(parent.exits().await, [(Some(child.pid), "failed: bad".into())]);
}

/// Starts a child with this step in its init, and awaits the start in the handler. Returns its
/// result.
async fn starts_and_awaits(parent: &TestProbe, init: Step) -> Result<(), SpawnError> {
    let (mut plan, _) = plan();
    plan.init = init;
    let start = parent.does(|ctx| {
        let start = ctx.system().spawn::<LifecycleActor>(Arc::new(plan)).linked_to(ctx).into_future();
        Box::pin(async move { start.await.map(|_| ()) })
    });
    start.await.await
}

#[tokio::test(start_paused = true)]
async fn c121_a_failing_init_ends_a_parent_that_does_not_trap_with_its_reason() {
    for (deed, expected) in
        [(Step::Fail, "failed: invalid digit found in string"), (Step::Panic, "panicked: in init")]
    {
        let parent = scripted(&System::new()).await;
        let down = parent.address.monitor();
        let Err(SpawnError::Failed(failed)) = starts_and_awaits(&parent, deed).await else {
            panic!("{deed:?} lets no actor start")
        };
        assert_eq!((failed.to_string(), why(down).await), (expected.into(), expected.into()));
    }
}

#[tokio::test(start_paused = true)]
async fn c121_a_failing_init_notifies_a_parent_that_traps() {
    let mut parent = trapper(&System::new()).await;
    let start = starts_and_awaits(&parent, Step::Fail).await;
    assert!(matches!(start, Err(SpawnError::Failed(_))));
    let exits = parent.exits().await;
    assert_eq!(exits.len(), 1);
    assert!(exits[0].0.is_some_and(|child| !child.same_identity(parent.pid)));
    assert_eq!(exits[0].1, "failed: invalid digit found in string");
    assert_eq!(parent.info().links, []);
}

#[tokio::test(start_paused = true)]
async fn c121_an_init_that_ends_normally_does_not_end_the_parent() {
    let parent = scripted(&System::new()).await;
    let start = starts_and_awaits(&parent, Step::Nothing).await;
    assert!(start.is_ok());
    let (child, ended) = (parent.info().links[0], starts_and_awaits(&parent, Step::EndNormally).await);
    assert!(matches!(ended, Err(SpawnError::Failed(ExitReason::Normal))));
    assert!(parent.lives().await);
    assert_eq!(parent.info().links, [child]);
}

#[tokio::test(start_paused = true)]
async fn an_init_that_ignores_does_not_end_the_parent_and_notifies_one_that_traps() {
    let system = System::new();
    let (parent, mut trapping) = (scripted(&system).await, trapper(&system).await);
    for each in [&parent, &trapping] {
        let start = starts_and_awaits(each, Step::Ignore).await;
        assert!(matches!(start, Err(SpawnError::Failed(ExitReason::Ignore))));
        assert!(each.lives().await);
        assert_eq!(each.info().links, []);
    }
    assert_eq!(trapping.exits().await.into_iter().map(|(_, why)| why).collect::<Vec<_>>(), ["ignore"]);
}

#[tokio::test(start_paused = true)]
async fn a_parent_that_ends_during_an_init_ends_it() {
    let (mut plan, mut lines) = plan();
    plan.init = Step::Hang;
    let parent = scripted(&System::new()).await;
    let spawn =
        parent.does(|ctx| ctx.system().spawn::<LifecycleActor>(Arc::new(plan)).linked_to(ctx).detach());
    let child = spawn.await.expect("there is a runtime");
    assert_eq!(lines.recv().await.as_deref(), Some("init hangs"));
    let down = child.monitor();
    parent.ends(bad()).await;
    assert_eq!(why(down).await, "failed: bad");
    assert_eq!(lines.recv().await, None, "it did not terminate");
}

#[tokio::test(start_paused = true)]
async fn a_child_whose_parent_has_ended_before_it_starts_does_not_start() {
    let parent = scripted(&System::new()).await;
    let (plan, mut lines) = plan();
    let spawn = parent.does(|ctx| ctx.system().spawn::<LifecycleActor>(Arc::new(plan)).linked_to(ctx)).await;
    parent.ends(ExitReason::Normal).await;
    let Err(SpawnError::Failed(reason)) = spawn.await else { panic!("it has no parent") };
    assert!(matches!(reason, ExitReason::NoProcess));
    assert_eq!(lines.recv().await, None);
}

#[tokio::test(start_paused = true)]
async fn a_child_that_ends_at_once_gives_its_own_reason_to_its_parent_and_to_its_monitor() {
    let mut parent = trapper(&System::new()).await;
    let (mut plan, _) = plan();
    plan.init = Step::Stop("at once");
    let spawn = parent
        .does(|ctx| ctx.system().spawn::<LifecycleActor>(Arc::new(plan)).linked_to(ctx).detach_monitored());
    let (_, monitor) = spawn.await.expect("there is a runtime");
    let down = monitor.await;
    assert_eq!(down.reason.to_string(), "shutdown: at once");
    assert_eq!(parent.exits().await, [(down.pid, "shutdown: at once".into())]);
}

#[tokio::test(start_paused = true)]
async fn a_host_without_a_task_is_no_parent_of_a_linked_actor() {
    let system = System::new();
    let (mut one, (identity, host)) = (trapper(&system).await, hosted(&system));
    let (handle, pid) = (identity.address().handle(), host.pid());
    one.does(move |ctx| ctx.link(&handle)).await.expect("it lives");
    host.end(bad());
    assert_eq!(one.exits().await, [(Some(pid), "failed: bad".into())]);
}
