//! Trees of ten thousand levels, on a thread with a small stack.

use std::thread;

use perennial_actors::{Actor, Address, Context, ExitReason, Reply, System};
use perennial_supervision::{App, Child, ChildSpec, Supervisor, SupervisorHandle};
use tokio::runtime::{Builder, Runtime};

/// The number of supervisors in the deepest tree.
const DEEP: usize = 10_000;

/// The size of the stack that a thread of the standard library and of tokio has.
const STACK: usize = 2 << 20;

/// Answers with the number of its incarnation.
struct Leaf;

impl Actor for Leaf {
    type Msg = Reply<u32>;
    type Args = ();

    async fn init((): &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self)
    }

    async fn handle(&mut self, reply: Reply<u32>, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        reply.send(ctx.pid().incarnation());
        Ok(())
    }
}

/// Returns a tree of so many supervisors, each the only child of the one before, and the address of
/// the actor in the last.
fn nest(levels: usize) -> (Supervisor, Address<Reply<u32>>) {
    let leaf = Child::new::<Leaf>("leaf", ());
    let address = leaf.address();
    let mut child = ChildSpec::from(leaf);
    for _ in 1..levels {
        child = Supervisor::new("n").child(child).into();
    }
    (Supervisor::new("n").child(child), address)
}

/// Runs a test on a thread with a small stack, on which everything it makes is dropped too.
fn on_a_small_stack(test: impl FnOnce() + Send + 'static) {
    let thread = thread::Builder::new().stack_size(STACK).spawn(test);
    thread.expect("there is a thread").join().expect("it ends well");
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_time().start_paused(true).build().expect("there is a runtime")
}

async fn start(levels: usize) -> (System, App<SupervisorHandle>, Address<Reply<u32>>) {
    let (tree, leaf) = nest(levels);
    tree.check().expect("nothing is wrong with it");
    let system = System::new();
    let app = tree.start(&system).await.expect("it starts");
    (system, app, leaf)
}

fn living(system: &System) -> usize {
    system.processes().iter().filter(|process| process.pid().is_some()).count()
}

/// Returns how often each actor was started, added up.
fn starts(system: &System) -> usize {
    let pids = system.processes().into_iter().filter_map(|process| process.pid());
    pids.map(|pid| pid.incarnation() as usize).sum()
}

#[test]
fn specs_and_handles_of_a_deep_tree_are_dropped_on_a_small_stack() {
    on_a_small_stack(|| {
        let (tree, address) = nest(DEEP);
        let handle = tree.handle();
        drop(tree);
        assert!(address.handle().pid().is_none());
        drop(handle);
        drop(ChildSpec::from(nest(DEEP).0));
    });
}

/// On whichever thread the last reference to a level is dropped, the drop of the levels below takes
/// no more stack.
#[test]
fn specs_and_handles_of_a_deep_tree_are_dropped_on_two_small_stacks_at_once() {
    let mut child = ChildSpec::from(Child::new::<Leaf>("leaf", ()));
    let mut handles = Vec::new();
    for _ in 0..DEEP {
        let supervisor = Supervisor::new("n").child(child);
        handles.push(supervisor.handle());
        child = supervisor.into();
    }
    let weak = handles.first().expect("there are levels").downgrade();
    let top_first = handles.into_iter().rev().collect::<Vec<_>>();
    let other = thread::Builder::new().stack_size(STACK).spawn(move || drop(top_first));
    on_a_small_stack(|| drop(child));
    other.expect("there is a thread").join().expect("it ends well");
    assert!(weak.upgrade().is_none());
}

#[test]
fn deep_tree_starts_restarts_and_shuts_down_on_a_small_stack() {
    on_a_small_stack(|| {
        runtime().block_on(async {
            let (system, app, leaf) = start(DEEP).await;
            assert_eq!(living(&system), DEEP + 1);
            assert_eq!(leaf.call(|reply| reply).await.expect("it is served"), 1);
            // The supervisor below the root is killed, and restarted with everything below it.
            let second = app.tree().at(["n"]).expect("it is there").handle.clone();
            let down = second.monitor();
            second.kill().expect("it lives");
            down.await;
            assert_eq!(leaf.call(|reply| reply).await.expect("it is served again"), 2);
            assert_eq!((living(&system), starts(&system)), (DEEP + 1, 2 * DEEP + 1));
            assert!(app.shutdown().await.is_clean());
            assert_eq!(living(&system), 0);
        });
    });
}

#[test]
fn deep_tree_whose_root_is_killed_ends_on_a_small_stack() {
    on_a_small_stack(|| {
        runtime().block_on(async {
            let (system, app, _) = start(DEEP).await;
            app.handle().kill().expect("it lives");
            assert_eq!(app.join().await.to_string(), ExitReason::Killed.to_string());
            assert_eq!(living(&system), 0);
        });
    });
}

#[test]
fn deep_tree_that_runs_is_dropped_with_its_runtime_on_a_small_stack() {
    on_a_small_stack(|| {
        let runtime = runtime();
        let (system, app, leaf) = runtime.block_on(start(DEEP));
        drop(runtime);
        assert_eq!(living(&system), 0);
        drop((app, leaf));
    });
}

#[test]
fn deep_tree_is_looked_at_cloned_drawn_and_dropped_on_a_small_stack() {
    on_a_small_stack(|| {
        runtime().block_on(async {
            let (_system, app, _) = start(DEEP).await;
            let tree = app.tree();
            assert_eq!(tree.walk().count(), DEEP + 1);
            let copy = tree.clone();
            assert_eq!(copy.to_string(), tree.to_string());
            assert_eq!(copy.to_string().lines().count(), DEEP + 1);
            assert_eq!(format!("{app:?}").matches("\"n\"").count(), DEEP);
            assert_eq!(copy.mermaid().to_string().lines().count(), DEEP + 2);
            let mut below = tree.clone();
            let mut levels = 0;
            while let Some(child) = std::mem::take(&mut below.children).pop() {
                below = child;
                levels += 1;
            }
            assert_eq!(levels, DEEP);
            assert!(app.shutdown().await.is_clean());
        });
    });
}

#[test]
fn text_and_diagram_of_a_deep_tree_grow_with_its_depth_and_not_with_its_square() {
    on_a_small_stack(|| {
        let [shallow, deep] = [DEEP / 10, DEEP].map(|levels| {
            runtime().block_on(async {
                let tree = start(levels).await.1.tree();
                [tree.to_string(), tree.mermaid().to_string(), format!("{tree:?}")].map(|text| text.len())
            })
        });
        let ratios = deep.iter().zip(shallow).map(|(deep, shallow)| deep / shallow);
        assert_eq!(ratios.max(), Some(10), "{deep:?} and {shallow:?} bytes");
    });
}

/// Never starts.
struct Broken;

impl Actor for Broken {
    type Msg = ();
    type Args = ();

    async fn init((): &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Err(ExitReason::failed("out of order"))
    }

    async fn handle(&mut self, (): (), _: &mut Context<Self>) -> Result<(), ExitReason> {
        Ok(())
    }
}

#[test]
fn failed_start_at_the_bottom_of_a_deep_tree_names_the_highest_and_the_lowest_supervisors() {
    on_a_small_stack(|| {
        runtime().block_on(async {
            let mut child = ChildSpec::from(Child::new::<Broken>("broken", ()));
            for level in (1..DEEP).rev() {
                child = Supervisor::new(level.to_string()).child(child).into();
            }
            let system = System::new();
            let error = Supervisor::new("0").child(child).start(&system).await.expect_err("it cannot start");
            let text = error.to_string();
            assert!(
                text.starts_with("the tree did not start: failed: child \"1\" did not start: "),
                "{text}"
            );
            assert!(text.ends_with("child \"broken\" did not start: failed: out of order"), "{text}");
            let lowest = format!("child \"{}\" did not start: failed: child \"broken\"", DEEP - 1);
            assert!(text.contains(&lowest), "{text}");
            assert_eq!(text.matches("child").count(), 32, "{text}");
            assert_eq!(living(&system), 0);
        });
    });
}
