//! What the children of a dynamic supervisor share, so that a million of them fit into memory.

use std::sync::Arc;

use perennial_actors::{Actor, Context, ExitReason, System};

use crate::policy::{ChildPolicy, Restart};
use crate::{Child, DynamicHandle, DynamicSupervisor};

struct Worker;

impl Actor for Worker {
    type Msg = ();
    type Args = ();

    async fn init((): &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self)
    }

    async fn handle(&mut self, (): (), _: &mut Context<Self>) -> Result<(), ExitReason> {
        Ok(())
    }
}

/// Returns the addresses of the ids and of the settings of all children, in the engine.
fn shared(supervisor: &DynamicHandle) -> Vec<(*const str, *const ChildPolicy)> {
    let state = supervisor.node.state();
    let engine = state.engine.as_ref().expect("it runs");
    engine.views().map(|view| (Arc::as_ptr(view.id), std::ptr::from_ref(view.policy))).collect()
}

#[tokio::test(start_paused = true)]
async fn children_with_the_same_id_and_settings_share_them_and_their_path() {
    let system = System::new();
    let app = DynamicSupervisor::new("app").start(&system).await.expect("it starts");
    let workers = app.supervisor().template(|()| Child::new::<Worker>("worker", ()));
    let first = workers.start_child(()).await.expect("it starts");
    let second = workers.start_child(()).await.expect("it starts");
    let [one, other] = shared(app.supervisor())[..] else { panic!("two children") };
    assert!(std::ptr::eq(one.0, other.0) && std::ptr::eq(one.1, other.1));
    let labels = [first, second].map(|worker| worker.handle().info().label.expect("it was opened"));
    assert_eq!(&*labels[0], "app/worker");
    assert!(Arc::ptr_eq(&labels[0], &labels[1]));
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn child_with_other_settings_keeps_its_own() {
    let system = System::new();
    let app = DynamicSupervisor::new("app").start(&system).await.expect("it starts");
    let workers = app.supervisor().template(|restart| Child::new::<Worker>("worker", ()).restart(restart));
    for restart in [Restart::Permanent, Restart::Temporary, Restart::Temporary, Restart::Permanent] {
        workers.start_child(restart).await.expect("it starts");
    }
    let mut restarts = Vec::new();
    for child in app.supervisor().which_children().await.expect("it runs") {
        let pid = child.pid.expect("it runs");
        restarts.push(app.supervisor().get_childspec(pid).await.expect("it is a child").restart);
    }
    assert_eq!(restarts, [Restart::Permanent, Restart::Temporary, Restart::Temporary, Restart::Permanent]);
    let policies: Vec<_> = shared(app.supervisor()).into_iter().map(|(_, policy)| policy).collect();
    let same: Vec<_> = policies.windows(2).map(|pair| std::ptr::eq(pair[0], pair[1])).collect();
    assert_eq!(same, [false, true, false]);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn child_with_another_id_has_a_path_of_its_own() {
    let system = System::new();
    let app = DynamicSupervisor::new("app").start(&system).await.expect("it starts");
    let workers = app.supervisor().template(|id: &'static str| Child::new::<Worker>(id, ()));
    let mut labels = Vec::new();
    for id in ["left", "left", "right", "left"] {
        let worker = workers.start_child(id).await.expect("it starts");
        labels.push(worker.handle().info().label.expect("it was opened"));
    }
    assert_eq!(
        labels.iter().map(|label| &**label).collect::<Vec<_>>(),
        ["app/left", "app/left", "app/right", "app/left"]
    );
    assert!(app.shutdown().await.is_clean());
}
