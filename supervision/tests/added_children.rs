//! Children that were added to a supervisor whose runtime ends: none is started again, and every
//! caller gets an error.

use std::future::Future;

use perennial_actors::{Address, Monitor, ProcessState, System};
use perennial_supervision::{ChildSpec, DynamicSupervisor, Supervisor};
use tokio::runtime::{Builder, Runtime};

use crate::support::worker::{Log, Msg, worker};

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().start_paused(true).build().expect("a runtime")
}

/// Starts a tree on a runtime that then ends, and waits for the ends of the added children.
fn when_its_runtime_goes_away<K, F>(tree: impl FnOnce(System, Vec<ChildSpec>) -> F)
where
    F: Future<Output = K>,
{
    let children: Vec<_> = ["a", "b"].into_iter().map(|id| worker(id, &Log::default())).collect();
    let addresses: Vec<Address<Msg>> = children.iter().map(|child| child.address()).collect();
    let first = runtime();
    let specs = children.into_iter().map(Into::into).collect();
    let _kept = first.block_on(tree(System::new(), specs));
    let monitors: Vec<Monitor> = addresses.iter().map(Address::monitor).collect();
    drop(first);
    for (address, monitor) in addresses.iter().zip(monitors) {
        runtime().block_on(monitor);
        assert!(matches!(address.state(), ProcessState::Closed), "{:?}", address.state());
    }
}

#[test]
fn children_of_a_dynamic_supervisor_are_closed_when_its_runtime_goes_away() {
    when_its_runtime_goes_away(|system, children| async move {
        let app = DynamicSupervisor::new("app").start(&system).await.expect("it starts");
        for child in children {
            app.supervisor().start_child(child).await.expect("it starts");
        }
        app
    });
}

#[test]
fn children_that_were_added_are_closed_when_the_runtime_goes_away() {
    when_its_runtime_goes_away(|system, children| async move {
        let app = Supervisor::new("app").start(&system).await.expect("it starts");
        for child in children {
            app.supervisor().start_child(child).await.expect("it starts");
        }
        app
    });
}

#[test]
fn children_that_were_added_are_closed_when_the_runtime_goes_away_while_they_are_killed() {
    when_its_runtime_goes_away(|system, children| async move {
        let app = Supervisor::new("app").start(&system).await.expect("it starts");
        for child in children {
            app.supervisor().start_child(child).await.expect("it starts");
        }
        app.handle().kill().expect("it lives");
        tokio::task::yield_now().await;
        app
    });
}
