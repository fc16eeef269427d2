//! An actor that is linked, and knows the exit signals that it has received.

use std::time::Duration;

use perennial_actors::{Actor, Address, Context, ExitReason, Reply, Signal};
use perennial_cluster::{Bincode, RemoteAddress, RemoteChild, RemoteLink, Wire};
use perennial_registry::Name;
use perennial_supervision::{Child, Supervisor};
use serde::{Deserialize, Serialize};

use super::Shop;
use super::{MemoryNetwork, builder, name, pass};

pub(crate) const LINKER: Name<LinkMsg> = Name::new("linker");

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum LinkMsg {
    /// The exit signals: the number of the identity that each came from, and its reason.
    Exits(Reply<Vec<(u64, String)>>),
    /// The number of the identity that the exit signal of the link will come from.
    LinkedTo(Reply<Option<u64>>),
    Unlink,
    Fail(String),
    Stop,
}

impl Wire for LinkMsg {
    const TAG: &'static str = "test.link";
}

pub(crate) struct Linker {
    link: Option<RemoteLink>,
    exits: Vec<(u64, String)>,
}

impl Actor for Linker {
    type Msg = LinkMsg;
    /// What it links itself to, and whether it traps exits.
    type Args = (Option<RemoteAddress<LinkMsg>>, bool);

    async fn init((to, traps): &Self::Args, ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        ctx.trap_exits(*traps);
        Ok(Self { link: to.as_ref().map(|to| to.link(ctx)), exits: Vec::new() })
    }

    async fn handle(&mut self, msg: LinkMsg, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            LinkMsg::Exits(reply) => reply.send(self.exits.clone()),
            LinkMsg::LinkedTo(reply) => {
                let pid = self.link.as_ref().and_then(RemoteLink::pid);
                reply.send(pid.map(|pid| pid.identity()));
            }
            LinkMsg::Unlink => {
                if let Some(link) = self.link.take() {
                    link.unlink(ctx);
                }
            }
            LinkMsg::Fail(text) => return Err(text.into()),
            LinkMsg::Stop => ctx.stop(ExitReason::Normal),
        }
        Ok(())
    }

    async fn signal(&mut self, signal: Signal, _: &mut Context<Self>) -> Result<(), ExitReason> {
        if let Signal::Exit { from, reason } = signal {
            self.exits.push((from.map_or(0, |pid| pid.identity()), reason.to_string()));
        }
        Ok(())
    }
}

/// Returns a node with a linker that is restarted whenever it ends.
pub(crate) async fn linked_shop(network: &MemoryNetwork, text: &str, started: u64, traps: bool) -> Shop {
    linked_shop_of(builder(network, text, started).build().expect("it can be built"), traps).await
}

pub(crate) async fn linked_shop_of(node: perennial_cluster::Node, traps: bool) -> Shop {
    let system = perennial_actors::System::new();
    let linker = Child::new::<Linker>("linker", (None, traps));
    let linker = linker.remote::<Bincode>(&node, LINKER).expect("it is exposed");
    let tree = Supervisor::new("app").intensity(1_000_000, Duration::from_secs(1)).child(linker);
    let app = tree.child(node.child()).start(&system).await.expect("the tree starts");
    Shop { system, node, app }
}

impl Shop {
    /// Waits until the linker of another node is known.
    pub(crate) async fn knows_linker(&self, text: &str) {
        while !self.node.names_of(&name(text)).contains(&"linker".to_owned()) {
            pass(Duration::from_millis(1)).await;
        }
    }

    /// Starts an actor that links itself to the linker of a node.
    pub(crate) async fn link_to(&self, text: &str, traps: bool) -> Address<LinkMsg> {
        let to = self.node.at(&name(text), LINKER);
        self.system.spawn::<Linker>((Some(to), traps)).await.expect("it starts")
    }
}

/// Returns the exit signals that an actor has received.
pub(crate) async fn exits(actor: &Address<LinkMsg>) -> Vec<(u64, String)> {
    actor.call(LinkMsg::Exits).await.expect("it runs")
}
