//! OTP's cases 1 to 18: how a supervisor starts its children, and what it makes of wrong specs.

use std::num::NonZeroUsize;
use std::time::Duration;

use perennial_actors::{ExitReason, MailboxConfig, ProcessState, Reply, System};
use perennial_registry::{BindError, Name, Registry, Whereis};
use perennial_supervision::{
    AutoShutdown, Child, ChildError, ChildKind, ChildSpec, ChildStart, DynamicSupervisor, OpenError,
    PartitionSupervisor, Probe, Restart, Shutdown, SpecError, StartChildErrorKind, StartError, Supervisor,
};

use crate::support::unit::{
    InitStep, Log, Msg, Script, ScriptedActor, crash, drawn, end, failed_child, ids, incarnation, scripted,
    scripted_with, shape, soon, start,
};

const UNORDERED: [&str; 5] = ["ch7", "ch3", "ch10", "ch2", "ch5"];
const MODES: [AutoShutdown; 3] =
    [AutoShutdown::Never, AutoShutdown::AnySignificant, AutoShutdown::AllSignificant];

#[tokio::test(start_paused = true)]
async fn c001_a_supervisor_without_children_starts_and_ends_when_its_parent_says_so() {
    let (inner, dynamic) = (Supervisor::new("inner"), DynamicSupervisor::new("dynamic"));
    let watched = [inner.handle().handle(), dynamic.handle().handle()];
    let (_, app) = start(Supervisor::new("app").child(inner).child(dynamic)).await;
    assert_eq!(shape(app.supervisor()).await, ["inner 1", "dynamic 1"]);
    let downs = watched.map(|supervisor| supervisor.monitor());
    let report = app.shutdown().await;
    assert!(matches!(report.reason, ExitReason::Shutdown(None)), "{}", report.reason);
    for down in downs {
        let reason = soon(down).await.reason;
        assert!(matches!(reason, ExitReason::Shutdown(None)), "{reason}");
    }
}

#[tokio::test(start_paused = true)]
async fn c001_a_supervisor_ends_for_the_reason_that_it_was_told_and_its_children_for_a_shutdown() {
    for reason in [ExitReason::Normal, crash()] {
        let log = Log::default();
        let (_, app) = start(Supervisor::new("app").child(scripted("a", &log))).await;
        app.handle().stop(reason.clone()).expect("it lives");
        assert_eq!(soon(app.join()).await.to_string(), reason.to_string());
        assert_eq!(log.take(), ["start a", "stop a: shutdown"]);
    }
}

#[tokio::test(start_paused = true)]
async fn c003_children_start_in_the_order_of_the_list_and_are_listed_the_newest_first() {
    let log = Log::default();
    let tree = Supervisor::new("app").children(UNORDERED.map(|id| scripted(id, &log)));
    let (_, app) = start(tree).await;
    assert_eq!(log.take(), UNORDERED.map(|id| format!("start {id}")));
    let mut newest_first = UNORDERED;
    newest_first.reverse();
    assert_eq!(ids(app.supervisor()).await, newest_first);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn c003_a_child_starts_only_when_the_one_before_it_is_up() {
    let log = Log::default();
    let slow = scripted_with("slow", &log, |_| InitStep::SucceedAfter(Duration::from_secs(60)));
    let (_, app) = start(Supervisor::new("app").child(slow).child(scripted("quick", &log))).await;
    assert_eq!(log.take(), ["start slow", "start quick"]);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn c004_children_stop_in_reverse_each_gone_before_the_next_is_told() {
    let log = Log::default();
    let lingering = |id: &str| Script::new(id, &log).with_slow_stop(Duration::from_secs(2)).child();
    let (_, app) = start(Supervisor::new("app").children(UNORDERED.map(lingering))).await;
    log.take();
    assert!(app.shutdown().await.is_clean());
    let reverse = UNORDERED.iter().rev();
    let expected = reverse.flat_map(|id| [format!("told {id}"), format!("stop {id}: shutdown")]);
    assert_eq!(log.take(), expected.collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn c006_a_start_that_panics_stops_the_children_before_it_and_is_an_error_of_the_start() {
    let (log, system) = (Log::default(), System::new());
    let tree = Supervisor::new("app")
        .child(scripted("a", &log))
        .child(scripted("b", &log))
        .child(scripted_with("c", &log, |_| InitStep::Panic))
        .child(scripted("d", &log));
    let supervisor = tree.handle();
    let error = tree.start(&system).await.expect_err("one of them panics");
    let (child, reason) = failed_child(&error);
    assert_eq!(child, "c");
    assert!(matches!(reason, ExitReason::Panicked(panic) if panic.message == "no luck at all"));
    assert_eq!(log.take(), ["start a", "start b", "stop b: shutdown", "stop a: shutdown"]);
    assert_eq!(supervisor.handle().state(), ProcessState::Closed);
}

#[tokio::test(start_paused = true)]
async fn c006_a_start_by_request_that_fails_is_an_error_and_harms_no_other_child() {
    let log = Log::default();
    let (_, app) = start(Supervisor::new("app").child(scripted("a", &log))).await;
    let panicking = scripted_with("b", &log, |_| InitStep::Panic);
    let error = app.supervisor().start_child(panicking).await.expect_err("it panics");
    assert!(matches!(&error.kind, StartChildErrorKind::Failed(ExitReason::Panicked(_))), "{error}");
    let failing = scripted_with("b", &log, |_| InitStep::Fail);
    let error = app.supervisor().start_child(failing).await.expect_err("it fails");
    assert!(matches!(&error.kind, StartChildErrorKind::Failed(ExitReason::Failed(_))), "{error}");
    assert_eq!(shape(app.supervisor()).await, ["a 1"], "neither spec was kept, and neither was tried again");
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn c007_a_child_that_declines_to_start_is_kept_and_stays_down() {
    let log = Log::default();
    let (_, app) = start(Supervisor::new("app").child(scripted("a", &log))).await;
    let supervisor = app.supervisor();
    let declining = scripted_with("b", &log, |_| InitStep::Ignore);
    assert_eq!(supervisor.start_child(declining).await.expect("to decline is no error"), ChildStart::Ignored);
    assert_eq!(shape(supervisor).await, ["a 1", "b stopped"]);
    let counts = supervisor.count_children().await.expect("it lives");
    assert_eq!((counts.specs, counts.active, counts.supervisors, counts.workers), (2, 1, 0, 2));
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn c007_a_tree_starts_though_one_of_its_children_declines() {
    let log = Log::default();
    let declining = scripted_with("b", &log, |_| InitStep::Ignore);
    let (_, app) =
        start(Supervisor::new("app").child(scripted("a", &log)).child(declining).child(scripted("c", &log)))
            .await;
    assert_eq!(shape(app.supervisor()).await, ["a 1", "b stopped", "c 1"]);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn c008_a_temporary_child_that_declines_to_start_is_not_kept() {
    let log = Log::default();
    let declining = |id| scripted_with(id, &log, |_| InitStep::Ignore).restart(Restart::Temporary);
    let (_, app) = start(Supervisor::new("app").child(scripted("a", &log)).child(declining("planned"))).await;
    let supervisor = app.supervisor();
    let brought = supervisor.start_child(declining("brought")).await.expect("to decline is no error");
    assert_eq!(brought, ChildStart::Ignored);
    assert_eq!(shape(supervisor).await, ["a 1"]);
    for id in ["planned", "brought"] {
        assert!(matches!(supervisor.which_child(id).await, Err(ChildError::NotFound)));
        supervisor.start_child(scripted(id, &log)).await.expect("the id is free");
    }
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn c009_a_dynamic_child_that_declines_to_start_is_not_kept() {
    let (log, system) = (Log::default(), System::new());
    let app = DynamicSupervisor::new("app").start(&system).await.expect("it starts");
    let declining = scripted_with("a", &log, |_| InitStep::Ignore);
    let address = declining.address();
    let started = app.supervisor().start_child(declining).await.expect("to decline is no error");
    assert_eq!(started, ChildStart::Ignored);
    assert_eq!(drawn(app.supervisor().which_children().await.expect("it lives")), [""; 0]);
    assert_eq!(app.supervisor().count_children().await.expect("it lives").specs, 0);
    assert!(address.cast(Msg::Panic).is_err(), "no incarnation is due");
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn c010_what_a_spec_leaves_open_is_as_in_otp() {
    let log = Log::default();
    let inner = Supervisor::new("inner");
    let dynamic = DynamicSupervisor::new("dynamic");
    let tree = Supervisor::new("app").child(scripted("worker", &log)).child(inner).child(dynamic);
    let (_, app) = start(tree).await;
    let spec = |id| app.supervisor().get_childspec(id);
    let worker = spec("worker").await.expect("it is there");
    assert_eq!((worker.kind, worker.restart), (ChildKind::Worker, Restart::Permanent));
    assert_eq!(worker.shutdown, Shutdown::Timeout(Duration::from_secs(5)));
    assert!(!worker.significant);
    for id in ["inner", "dynamic"] {
        let supervisor = spec(id).await.expect("it is there");
        assert_eq!((supervisor.kind, supervisor.restart), (ChildKind::Supervisor, Restart::Permanent));
        assert_eq!(supervisor.shutdown, Shutdown::Infinity);
    }
    assert!(matches!(spec("missing").await, Err(ChildError::NotFound)));
    assert!(app.shutdown().await.is_clean());
}

/// Gives a child a liveness policy that cannot be met.
type Hopeless = fn(Child<Msg>, Probe<Msg>) -> Child<Msg>;

/// The errors that no type rules out. The rest of OTP's case does not compile here.
#[tokio::test(start_paused = true)]
async fn c011_a_faulty_child_is_refused_wherever_it_is_brought() {
    let log = Log::default();
    let late = || {
        let child = scripted("x", &log);
        let _ = child.address();
        child.mailbox(MailboxConfig::unbounded())
    };
    let ping = || Probe::new(|_: Reply<()>| Msg::Panic);
    let hopeless: [Hopeless; 4] = [
        |child, _| child.handler_deadline(Duration::ZERO),
        |child, probe| child.probe(probe.period(Duration::ZERO)),
        |child, probe| child.probe(probe.timeout(Duration::ZERO)),
        |child, probe| child.probe(probe.failure_threshold(0)),
    ];
    for number in 0..=hopeless.len() {
        let faulty = || hopeless.get(number).map_or_else(late, |make| make(scripted("x", &log), ping()));
        let is_right = |error: &SpecError| match error {
            SpecError::MailboxTooLate { id } => &**id == "x" && number == hopeless.len(),
            SpecError::ZeroLiveness { id } => &**id == "x" && number < hopeless.len(),
            _ => false,
        };
        let tree = || Supervisor::new("app").child(scripted("a", &log)).child(faulty());
        assert!(is_right(&tree().check().expect_err("a child is faulty")));
        let started = tree().start(&System::new()).await.expect_err("a child is faulty");
        assert!(matches!(&started, StartError::Spec(error) if is_right(error)), "{started}");
        assert_eq!(log.take(), [""; 0], "nothing was started");
        let (_, app) = start(Supervisor::new("app").child(scripted("a", &log))).await;
        let refused = app.supervisor().start_child(faulty()).await.expect_err("it is faulty");
        assert!(matches!(&refused.kind, StartChildErrorKind::Spec(error) if is_right(error)), "{refused}");
        assert_eq!(shape(app.supervisor()).await, ["a 1"]);
        assert!(app.shutdown().await.is_clean());
        log.take();
    }
}

#[tokio::test(start_paused = true)]
async fn c012_two_children_of_one_id_are_refused_before_any_child_is_started() {
    let log = Log::default();
    let twins = |id| Supervisor::new(id).children(["a", "b", "a"].map(|id| scripted(id, &log)));
    let nested = Supervisor::new("app").child(scripted("first", &log)).child(twins("inner"));
    for (tree, of) in [(twins("app"), "app"), (nested, "inner")] {
        assert!(tree.check().is_err());
        let error = tree.start(&System::new()).await.expect_err("two have one id");
        let StartError::Spec(SpecError::DuplicateId { supervisor, id }) = error else { panic!("{error}") };
        assert_eq!((&*supervisor, &*id), (of, "a"));
    }
    assert_eq!(log.take(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn c012_an_actor_and_a_supervisor_of_one_supervisor_cannot_have_one_id_either() {
    let tree = Supervisor::new("app").child(scripted("a", &Log::default())).child(Supervisor::new("a"));
    assert!(matches!(tree.check(), Err(SpecError::DuplicateId { .. })));
}

/// The period is all that no type rules out.
#[tokio::test(start_paused = true)]
async fn c013_a_period_of_zero_is_refused_by_every_kind_of_supervisor() {
    let (log, system) = (Log::default(), System::new());
    let is_refused = |error: StartError| matches!(error, StartError::Spec(SpecError::ZeroPeriod { .. }));
    let fixed = || Supervisor::new("s").intensity(1, Duration::ZERO).child(scripted("a", &log));
    let dynamic = || DynamicSupervisor::new("s").intensity(1, Duration::ZERO);
    let partitioned = || {
        let copy = |_| scripted("a", &log);
        PartitionSupervisor::new("s", NonZeroUsize::MIN, copy).intensity(1, Duration::ZERO)
    };
    assert!(is_refused(fixed().start(&system).await.expect_err("the period is zero")));
    assert!(is_refused(dynamic().start(&system).await.expect_err("the period is zero")));
    assert!(is_refused(partitioned().start(&system).await.expect_err("the period is zero")));
    for nested in [ChildSpec::from(fixed()), dynamic().into(), partitioned().into()] {
        let tree = Supervisor::new("app").child(scripted("b", &log)).child(nested);
        assert!(is_refused(tree.start(&system).await.expect_err("the period is zero")));
    }
    assert_eq!(log.take(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn c014_a_significant_child_must_be_one_that_may_end_for_good_of_a_supervisor_that_looks_at_that() {
    let log = Log::default();
    for mode in MODES {
        let (_, app) = start(Supervisor::new("app").auto_shutdown(mode)).await;
        for restart in [None, Some(Restart::Permanent), Some(Restart::Transient), Some(Restart::Temporary)] {
            let child = || match restart {
                None => scripted("a", &log).significant(),
                Some(restart) => scripted("a", &log).restart(restart).significant(),
            };
            let nested = || match restart {
                None => Supervisor::new("a").significant(),
                Some(restart) => Supervisor::new("a").restart(restart).significant(),
            };
            let is_right = |error: Option<&SpecError>| match restart {
                None | Some(Restart::Permanent) => {
                    matches!(error, Some(SpecError::SignificantPermanent { .. }))
                }
                _ if mode == AutoShutdown::Never => {
                    matches!(error, Some(SpecError::SignificantForNothing { .. }))
                }
                Some(_) => error.is_none(),
            };
            let case = format!("{mode:?}, {restart:?}");
            for child in [ChildSpec::from(child()), nested().into()] {
                let checked = Supervisor::new("app").auto_shutdown(mode).child(child).check();
                assert!(is_right(checked.as_ref().err()), "{case}: {checked:?}");
            }
            let brought = app.supervisor().start_child(child()).await.map_err(|error| error.kind);
            let error = brought.as_ref().err().map(|why| match why {
                StartChildErrorKind::Spec(error) => error,
                why => panic!("{case}: {why}"),
            });
            assert!(is_right(error), "{case}: {brought:?}");
            if brought.is_ok() {
                app.supervisor().terminate_child("a").await.expect("it is there");
                // A temporary one is gone by now.
                let _ = app.supervisor().delete_child("a").await;
            }
        }
        assert!(app.shutdown().await.is_clean());
    }
}

/// The types rule out a dynamic supervisor with automatic shutdown, so none of its children can be
/// significant.
#[tokio::test(start_paused = true)]
async fn c015_a_dynamic_supervisor_takes_no_significant_child() {
    let (log, system) = (Log::default(), System::new());
    let app = DynamicSupervisor::new("app").start(&system).await.expect("it starts");
    let significant = scripted("a", &log).restart(Restart::Transient).significant();
    let error = app.supervisor().start_child(significant).await.expect_err("it would have no effect");
    assert!(matches!(error.kind, StartChildErrorKind::Spec(SpecError::SignificantForNothing { .. })));
    assert_eq!(log.take(), [""; 0]);
    assert!(app.shutdown().await.is_clean());
}

const TAKEN: Name<Msg> = Name::new("taken");

#[tokio::test(start_paused = true)]
async fn c018_a_child_whose_name_is_taken_outside_is_not_started_and_not_kept() {
    let log = Log::default();
    let (system, app) = start(Supervisor::new("app").child(scripted("a", &log))).await;
    let outside = system.spawn::<ScriptedActor>(Script::new("outside", &log)).await.expect("it starts");
    Registry::of(&system).bind(TAKEN, &outside).expect("the name is free");
    let is_taken =
        |error: &OpenError| matches!(error, OpenError::Name(BindError::Taken(name)) if name == "taken");
    let named = scripted("b", &log).named(TAKEN);
    let error = app.supervisor().start_child(named).await.expect_err("the name is taken");
    assert!(matches!(&error.kind, StartChildErrorKind::Open(error) if is_taken(error)), "{error}");
    assert_eq!(shape(app.supervisor()).await, ["a 1"]);
    let whose = system.whereis(TAKEN).expect("it is taken").pid();
    assert_eq!(whose, outside.pid(), "the name still leads to its owner");
    let tree = Supervisor::new("other").child(scripted("c", &log)).child(scripted("d", &log).named(TAKEN));
    let started = tree.start(&system).await.expect_err("the name is taken");
    assert!(matches!(&started, StartError::Open(error) if is_taken(error)), "{started}");
    assert_eq!(log.take(), ["start a", "start outside"]);
    end(&outside, crash()).await;
    app.supervisor().start_child(error.child).await.expect("the name is free");
    let bearer = system.whereis(TAKEN).expect("the child bears it");
    assert_eq!(incarnation(&bearer).await, 1);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_child_with_a_capacity_of_zero_is_a_mistake_in_its_spec() {
    let log = Log::default();
    let faulty = || scripted("x", &log).mailbox(MailboxConfig::bounded(0));
    let error = Supervisor::new("app").child(faulty()).check().expect_err("it holds nothing");
    assert_eq!(error, SpecError::ZeroCapacity { id: "x".into() });
    let (_, app) = start(Supervisor::new("app").child(scripted("a", &log))).await;
    let refused = app.supervisor().start_child(faulty()).await.expect_err("it holds nothing");
    assert!(matches!(refused.kind, StartChildErrorKind::Spec(SpecError::ZeroCapacity { .. })));
    assert!(app.shutdown().await.is_clean());
}
