//! Trees when their runtime is dropped.

use perennial::{Actor, Child, Context, ExitReason, Name, SendError, Supervisor, System, Whereis};

struct Idle;

impl Actor for Idle {
    type Msg = ();
    type Args = ();

    async fn init(_: &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self)
    }

    async fn handle(&mut self, _: (), _: &mut Context<Self>) -> Result<(), ExitReason> {
        Ok(())
    }
}

#[test]
fn dropped_runtime_closes_its_trees() {
    let (system, runtime) = (System::new(), tokio::runtime::Runtime::new().expect("a runtime"));
    let child = Child::new::<Idle>("idle", ()).named(Name::new("idle"));
    let address = child.address();
    let tree = Supervisor::new("app").child(Supervisor::new("inner").child(child));
    let app = runtime.block_on(tree.start(&system)).expect("the tree starts");
    drop(runtime);
    let other = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    // The root is killed with its children, or after it has found that none of them can start.
    let reason = other.block_on(app.join());
    assert!(matches!(reason, ExitReason::Killed | ExitReason::Shutdown(_)), "{reason}");
    assert!(matches!(address.cast(()), Err(SendError::Closed(_))));
    assert!(system.whereis::<()>(&Name::new("idle")).is_err());
}
