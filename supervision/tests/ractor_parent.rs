//! A tree below a ractor actor: the events of the parent, and its means to stop the tree.

use std::io;
use std::time::Duration;

use perennial_actors::{ExitReason, ProcessState, System};
use perennial_supervision::ractor::TreeEndedError;
use perennial_supervision::{
    App, Child, DynamicSupervisor, Restart, Shutdown, Strategy, Supervisor, SupervisorHandle,
};
use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, ActorStatus, SupervisionEvent};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::support::ractor_script;
use crate::support::ractor_script::{Msg, Step, cast, notes, plain, scripted};

/// A ractor actor that notes what becomes of those below it.
struct Parent;

/// An event that a parent receives.
#[derive(Debug)]
enum Told {
    Started,
    Terminated(Option<String>),
    Failed(ActorProcessingErr),
}

impl Actor for Parent {
    type Msg = ();
    type State = mpsc::UnboundedSender<(ActorCell, Told)>;
    type Arguments = Self::State;

    async fn pre_start(&self, _: ActorRef<()>, told: Self::State) -> Result<Self::State, ActorProcessingErr> {
        Ok(told)
    }

    async fn handle_supervisor_evt(
        &self,
        _: ActorRef<()>,
        event: SupervisionEvent,
        told: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match event {
            SupervisionEvent::ActorStarted(cell) => told.send((cell, Told::Started))?,
            SupervisionEvent::ActorTerminated(cell, _, text) => told.send((cell, Told::Terminated(text)))?,
            SupervisionEvent::ActorFailed(cell, error) => told.send((cell, Told::Failed(error)))?,
            _ => {}
        }
        Ok(())
    }
}

/// A tree and its ractor parent.
struct Stage {
    app: App<SupervisorHandle>,
    parent: ActorRef<()>,
    /// The tree, as ractor sees it.
    root: ActorCell,
    told: mpsc::UnboundedReceiver<(ActorCell, Told)>,
}

async fn parent() -> (ActorRef<()>, mpsc::UnboundedReceiver<(ActorCell, Told)>) {
    let (tell, told) = mpsc::unbounded_channel();
    (Parent::spawn(None, Parent, tell).await.expect("it starts").0, told)
}

async fn stage(supervisor: Supervisor) -> Stage {
    let (parent, mut told) = parent().await;
    let app = supervisor.start_under(&System::new(), parent.clone()).await.expect("it starts");
    let Some((root, Told::Started)) = told.recv().await else { panic!("it was to be told of the start") };
    assert!(parent.get_children().contains(&root));
    Stage { app, parent, root, told }
}

impl Stage {
    /// Returns the event of the end, and checks that none came before it.
    async fn end(&mut self) -> Told {
        let (cell, told) = self.told.recv().await.expect("it lives");
        assert_eq!(cell, self.root);
        told
    }

    /// The text with which the tree terminated.
    async fn text(&mut self) -> String {
        match self.end().await {
            Told::Terminated(text) => text.unwrap_or_default(),
            told => panic!("not terminated: {told:?}"),
        }
    }

    /// The reason for which the tree failed.
    async fn failure(&mut self) -> ExitReason {
        match self.end().await {
            Told::Failed(error) => error.downcast::<TreeEndedError>().expect("it is one of ours").reason,
            told => panic!("not failed: {told:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_parent_is_told_of_the_start_and_of_a_clean_end() {
    let child = plain("scripted");
    let address = child.address();
    let mut stage = stage(Supervisor::new("app").child(child)).await;
    assert_eq!(notes(&address).await, Vec::<u32>::new());
    assert!(stage.app.shutdown().await.is_clean());
    assert_eq!(stage.text().await, "shutdown");
    assert!(stage.parent.get_children().is_empty());
    assert_eq!(stage.parent.get_status(), ActorStatus::Running);
}

#[tokio::test(start_paused = true)]
async fn a_parent_is_told_that_the_tree_gave_up() {
    let child = plain("scripted");
    let address = child.address();
    let mut stage = stage(Supervisor::new("app").intensity(0, Duration::from_secs(1)).child(child)).await;
    cast(&address, Msg::Do(Step::Fail));
    assert_eq!(stage.text().await, "shutdown: reached the maximum restart intensity");
    assert_eq!(address.state(), ProcessState::Closed);
}

#[tokio::test(start_paused = true)]
async fn an_abnormal_end_is_a_failure_with_our_reason() {
    let mut stage = stage(Supervisor::new("app").child(plain("scripted"))).await;
    let reason = ExitReason::failed(io::Error::other("the line is dead"));
    stage.app.handle().stop(reason).expect("it lives");
    let reason = stage.failure().await;
    let error = reason.error().and_then(|error| error.downcast_ref::<io::Error>());
    assert_eq!(error.map(ToString::to_string).as_deref(), Some("the line is dead"));
}

#[tokio::test(start_paused = true)]
async fn a_tree_that_is_killed_has_failed_and_nothing_of_it_is_left_then() {
    let (child, mut probe) = scripted("scripted", |_| ());
    let address = child.address();
    let mut stage = stage(Supervisor::new("app").child(child)).await;
    notes(&address).await;
    stage.app.handle().kill().expect("it lives");
    assert!(matches!(stage.failure().await, ExitReason::Killed));
    assert_eq!(
        (probe.since(), address.state()),
        (vec!["pre_start".into(), "dropped".into()], ProcessState::Closed)
    );
}

/// Two that stop one after the other, each in its own time.
fn pair() -> ([Child<Msg>; 2], [ractor_script::TestProbe; 2]) {
    let [(first, one), (second, two)] =
        ["first", "second"].map(|id| scripted(id, |script| script.stops_slowly = true));
    ([first, second], [one, two])
}

#[tokio::test(start_paused = true)]
async fn a_stop_by_ractors_means_takes_the_tree_down_in_good_order() {
    let (children, mut journals) = pair();
    let address = children[0].address();
    let mut stage = stage(Supervisor::new("app").children(children)).await;
    let began = Instant::now();
    stage.parent.stop_children_and_wait(Some("enough".into()), None).await;
    assert_eq!(began.elapsed().as_secs(), 2, "a second each, and not a moment of waiting for nothing");
    assert_eq!(stage.text().await, "enough");
    for probe in &mut journals {
        assert_eq!(probe.since(), ["pre_start", "post_stop", "dropped"]);
    }
    assert!(matches!(stage.app.join().await, ExitReason::Shutdown(None)));
    assert_eq!(address.state(), ProcessState::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_tree_that_is_stopped_in_that_way_does_not_wait_for_a_child_that_ends_by_itself_meanwhile() {
    let ([first, second], _journals) = pair();
    let (third, last) = (plain("third").shutdown(Shutdown::BrutalKill), plain("last"));
    let (early, address) = (last.address(), second.address());
    let tree = Supervisor::new("app").child(first).child(second).child(third).child(last);
    let mut stage = stage(tree).await;
    cast(&address, Msg::Do(Step::Stop(Some("by itself"))));
    cast(&early, Msg::Do(Step::Stop(None)));
    let began = Instant::now();
    stage.root.stop(None);
    assert_eq!(stage.text().await, "");
    assert_eq!(began.elapsed().as_secs(), 2);
    assert!(matches!(stage.app.join().await, ExitReason::Shutdown(None)));
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_parent_is_the_end_of_the_tree() {
    for kill in [false, true] {
        let (child, mut probe) = scripted("scripted", |_| ());
        let inner = plain("inner");
        let (address, deep) = (child.address(), inner.address());
        let tree = Supervisor::new("app").child(child).child(Supervisor::new("below").child(inner));
        let stage = stage(tree).await;
        let cell = deep.call(Msg::Cell).await.expect("it answers");
        if kill {
            stage.parent.kill();
        } else {
            stage.parent.stop(None);
        }
        assert!(matches!(stage.app.join().await, ExitReason::Killed));
        assert_eq!((address.state(), deep.state()), (ProcessState::Closed, ProcessState::Closed));
        assert_eq!(
            (cell.get_status(), stage.root.get_status()),
            (ActorStatus::Stopped, ActorStatus::Stopped)
        );
        assert_eq!(probe.since(), ["pre_start", "dropped"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_kill_by_ractors_means_is_heard_also_while_the_tree_goes_down() {
    let (child, mut probe) = scripted("scripted", |script| script.post_stop = Step::Hang);
    let stage = stage(Supervisor::new("app").child(child.shutdown(Shutdown::Infinity))).await;
    stage.root.stop(None);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(probe.since(), ["pre_start", "post_stop"]);
    stage.root.kill();
    assert!(matches!(stage.app.join().await, ExitReason::Killed));
    assert_eq!(probe.since(), ["dropped"]);
}

/// Tries all ways to end a tree below a parent, two at a time, while its children crash and receive
/// messages.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_left_however_many_sides_end_it() {
    let ways: [fn(&Stage); 6] = [
        |stage| stage.parent.kill(),
        |stage| stage.parent.stop(None),
        |stage| stage.root.kill(),
        |stage| stage.root.stop(None),
        |stage| stage.app.handle().kill().unwrap_or_default(),
        |stage| stage.app.handle().stop(ExitReason::shutdown()).unwrap_or_default(),
    ];
    for (one, other) in (0..6).flat_map(|one| (0..6).map(move |other| (one, other))) {
        let scripteds = ["first", "second"].map(|id| scripted(id, |_| ()));
        let addresses = [scripteds[0].0.address(), scripteds[1].0.address()];
        let [(first, mut one_said), (second, mut two_said)] = scripteds;
        // They hang, and are given no time.
        let [first, second] = [first, second].map(|child| child.shutdown(Shutdown::Timeout(Duration::ZERO)));
        let below = Supervisor::new("below").intensity(99, Duration::from_secs(9)).child(second);
        let tree = Supervisor::new("app").intensity(99, Duration::from_secs(9)).child(first).child(below);
        let stage = stage(tree).await;
        for (address, step) in addresses.iter().zip([Step::Fail, Step::Kill]) {
            cast(address, Msg::DoInOwnMessage(step, 1));
            cast(address, Msg::Do(step));
            cast(address, Msg::Do(Step::Hang));
        }
        std::thread::scope(|scope| {
            scope.spawn(|| ways[one](&stage));
            ways[other](&stage);
        });
        let ended = tokio::time::timeout(Duration::from_secs(60), stage.app.join()).await;
        assert!(ended.is_ok(), "ways {one} and {other}: {}", stage.app.tree());
        for (address, probe) in addresses.iter().zip([&mut one_said, &mut two_said]) {
            let lines = probe.since();
            let count = |what: &str| lines.iter().filter(|line| *line == what).count();
            assert_eq!(count("pre_start"), count("dropped"), "ways {one} and {other}: {lines:?}");
            let accounts = address.counters();
            assert!(accounts.is_balanced() && accounts.queued == 0, "ways {one} and {other}: {accounts:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn children_are_restarted_below_a_parent_as_anywhere() {
    let (first, second) = (plain("first"), plain("second").restart(Restart::Transient));
    let addresses = [first.address(), second.address()];
    let tree = Supervisor::new("app").strategy(Strategy::OneForAll).child(first).child(second);
    let mut stage = stage(tree).await;
    cast(&addresses[0], Msg::Do(Step::Panic));
    for address in &addresses {
        assert_eq!(notes(address).await, Vec::<u32>::new());
        assert_eq!(address.pid().map(|pid| pid.incarnation()), Some(2));
    }
    assert!(stage.told.try_recv().is_err(), "that is nothing to the parent");
    assert!(stage.app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn of_a_tree_that_does_not_start_its_parent_is_told_nothing() {
    let (parent, mut told) = parent().await;
    let (child, _journal) = scripted("scripted", |script| script.pre_start = Step::Fail);
    let tree = Supervisor::new("app").child(plain("fine")).child(child);
    let error = tree.start_under(&System::new(), parent.clone()).await.expect_err("it does not start");
    assert!(error.to_string().contains("disk full"), "{error}");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(told.try_recv().is_err() && parent.get_children().is_empty());
}

#[tokio::test(start_paused = true)]
async fn nothing_runs_below_a_parent_that_has_ended() {
    let (parent, _told) = parent().await;
    parent.stop_and_wait(None, None).await.expect("it lives");
    let (child, mut probe) = scripted("scripted", |_| ());
    let started = Supervisor::new("app").child(child).start_under(&System::new(), parent).await;
    started.expect_err("the parent has ended");
    assert_eq!(probe.since(), ["pre_start", "post_stop", "dropped"]);
}

#[tokio::test(start_paused = true)]
async fn a_start_that_no_caller_waits_for_any_more_is_undone() {
    let (parent, mut told) = parent().await;
    let (child, mut probe) = scripted("scripted", |_| ());
    let (late, _) = scripted("late", |script| script.pre_start = Step::Hang);
    let system = System::new();
    let tree = Supervisor::new("app").child(child).child(late);
    let starting = tree.start_under(&system, parent.clone());
    tokio::time::timeout(Duration::from_secs(1), starting).await.expect_err("it hangs");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(probe.since(), ["pre_start", "post_stop", "dropped"]);
    assert!(told.try_recv().is_err() && parent.get_children().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_dynamic_supervisor_may_be_below_a_parent_too() {
    let (parent, mut told) = parent().await;
    let tree = DynamicSupervisor::new("pool");
    let app = tree.start_under(&System::new(), parent.clone()).await.expect("it starts");
    let child = plain("scripted");
    let address = child.address();
    app.supervisor().start_child(child).await.expect("it starts");
    assert_eq!(notes(&address).await, Vec::<u32>::new());
    parent.stop_children_and_wait(None, None).await;
    assert_eq!(address.state(), ProcessState::Closed);
    assert!(matches!(told.recv().await, Some((_, Told::Started))));
    assert!(matches!(told.recv().await, Some((_, Told::Terminated(None)))));
}

/// An actor that fails as soon as it has started.
struct Doomed;

impl perennial_actors::Actor for Doomed {
    type Msg = ();
    type Args = ();

    async fn init((): &(), ctx: &mut perennial_actors::Context<Self>) -> Result<Self, ExitReason> {
        ctx.continue_with(());
        Ok(Self)
    }

    async fn handle(&mut self, (): (), _: &mut perennial_actors::Context<Self>) -> Result<(), ExitReason> {
        Err(ExitReason::failed("on purpose"))
    }
}

#[tokio::test(start_paused = true)]
async fn tree_that_ends_as_soon_as_it_is_up_has_started_and_its_parent_is_told_both() {
    let doomed = Child::new::<Doomed>("doomed", ());
    let tree = Supervisor::new("app").intensity(0, Duration::from_secs(1)).child(doomed);
    let (parent, mut told) = parent().await;
    let app = tree.start_under(&System::new(), parent.clone()).await.expect("it has started");
    let gave_up = "shutdown: reached the maximum restart intensity";
    assert_eq!(app.join().await.to_string(), gave_up);
    assert!(matches!(told.recv().await, Some((_, Told::Started))));
    let Some((_, Told::Terminated(Some(text)))) = told.recv().await else { panic!("it was to be told") };
    assert_eq!(text, gave_up);
    assert!(parent.get_children().is_empty());
}
