//! One of the processes: a till that can be called from other nodes.

use std::error::Error;
use std::io::{self, Read};

use perennial::cluster::{Bincode, Node, NodeBuilder, NodeName, RemoteChild, Tls};
use perennial::prelude::*;

use crate::{LEASE, MEMBERS, OFFICE, Sale, TILL};

/// Counts the sales of its incarnation.
struct Till(u64);

impl Actor for Till {
    type Msg = Sale;
    type Args = ();

    async fn init((): &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self(0))
    }

    async fn handle(&mut self, Sale(reply): Sale, _: &mut Context<Self>) -> Result<(), ExitReason> {
        self.0 += 1;
        reply.send(self.0);
        Ok(())
    }
}

/// Returns what all nodes have in common: certificates, and the members of the cluster.
///
/// # Errors
///
/// A name is not the name of a node.
pub(crate) fn node(name: &str, certificates: &str) -> Result<NodeBuilder, Box<dyn Error>> {
    let names = MEMBERS.into_iter().chain([OFFICE]);
    let members = names.map(NodeName::new).collect::<Result<Vec<_>, _>>()?;
    // A node connects to its peers only: what is cut here has no way around.
    Ok(Node::builder(name).identity(Tls::dir(certificates)).members(members).lease(LEASE).gossip(false))
}

/// Runs a member until its standard input is closed, which happens when its parent ends.
pub(crate) async fn run(name: &str, certificates: &str, peers: &str) -> Result<(), Box<dyn Error>> {
    let node = node(name, certificates)?.peers(peers.split(',')).build()?;
    let till = Child::new::<Till>("till", ()).remote::<Bincode>(&node, TILL)?;
    node.expose_trees()?;
    let app = Supervisor::new(name).child(till).child(node.child()).start(&System::new()).await?;
    tokio::task::spawn_blocking(|| io::stdin().read_to_end(&mut Vec::new())).await??;
    assert!(app.shutdown().await.is_clean());
    Ok(())
}
