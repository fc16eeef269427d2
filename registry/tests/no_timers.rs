//! Waiting for a name where there are no timers.

use std::time::Duration;

use perennial_actors::{Actor, Context, ExitReason, System};
use perennial_registry::{Name, Registry, WaitError};
use tokio::runtime::Builder;

struct Idle;

impl Actor for Idle {
    type Msg = ();
    type Args = ();

    async fn init(_: &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self)
    }

    async fn handle(&mut self, (): (), _: &mut Context<Self>) -> Result<(), ExitReason> {
        Ok(())
    }
}

#[test]
fn wait_for_an_unbound_name_needs_timers_and_a_bound_one_none() {
    let runtime = Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let (system, name, soon) = (System::new(), Name::<()>::new("actor"), Duration::from_secs(1));
        let registry = Registry::of(&system);
        assert_eq!(registry.wait_for(&name, soon).await, Err(WaitError::NoTimers));
        let actor = system.spawn::<Idle>(()).await.expect("the actor starts");
        registry.bind(&name, &actor).expect("the name is free");
        assert_eq!(registry.wait_for(&name, soon).await, Ok(actor));
    });
}
