//! Actors that a child of a tree has started, linked, and that stand in no tree themselves.

use std::future::pending;
use std::time::Duration;

use perennial_actors::{Actor, Address, Context, ExitReason, Reply, System};
use perennial_supervision::{Child, Supervisor};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// A child of the tree, which starts a helper in its init.
struct Parent(Address<Begin>);

struct Begin(mpsc::UnboundedSender<()>);

impl Actor for Parent {
    type Msg = Reply<Address<Begin>>;
    type Args = ();

    async fn init((): &(), ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self(ctx.system().spawn::<Helper>(()).linked_to(ctx).detach()?))
    }

    async fn handle(
        &mut self,
        reply: Reply<Address<Begin>>,
        _: &mut Context<Self>,
    ) -> Result<(), ExitReason> {
        reply.send(self.0.clone());
        Ok(())
    }
}

/// Hangs in its handler.
struct Helper;

impl Actor for Helper {
    type Msg = Begin;
    type Args = ();

    async fn init((): &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self)
    }

    async fn handle(&mut self, Begin(begun): Begin, _: &mut Context<Self>) -> Result<(), ExitReason> {
        begun.send(())?;
        pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_linked_child_inside_a_handler_ends_with_the_tree_of_its_parent() {
    let system = System::new();
    let child = Child::new::<Parent>("parent", ());
    let address = child.address();
    let app = Supervisor::new("app").child(child).start(&system).await.expect("it starts");
    let helper = address.call(|reply| reply).await.expect("it answers");
    let (begin, mut begun) = mpsc::unbounded_channel();
    helper.cast(Begin(begin)).expect("it lives");
    begun.recv().await.expect("it begins");
    let down = helper.monitor();
    assert!(app.shutdown().await.is_clean());
    let down = timeout(Duration::from_secs(3600), down).await.expect("it ends");
    assert_eq!(down.reason.to_string(), "shutdown");
    assert_eq!(helper.counters().lost_in_flight, 1, "the message that it hung in");
}
