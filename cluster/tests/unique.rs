//! Unique names: one node keeps each, the others are told, and all find the same one.

use std::time::Duration;

use crate::support::{builder, drain, name, pass};
use fastrand::Rng;
use perennial_actors::{Actor, Address, Context, ExitReason, Reply, Subscription, System};
use perennial_cluster::{
    Bincode, MemoryNetwork, NameLost, Node, NodeEvent, RemoteChild, RemoteErrorKind, UniqueName, Wire,
};
use perennial_registry::{Name, Whereis};
use perennial_supervision::{App, Child, Supervisor, SupervisorHandle};
use serde::{Deserialize, Serialize};

const LEADER: Name<Lead> = Name::new("leader");
const NODES: [&str; 3] = ["a", "b", "c"];

#[derive(Debug, Serialize, Deserialize)]
enum Lead {
    Where(Reply<String>),
    #[serde(skip)]
    Lost(NameLost),
    /// The nodes that have the name instead of the actor.
    LostTo(Reply<Vec<String>>),
}

impl Wire for Lead {
    const TAG: &'static str = "test.lead";
}

struct Leader {
    node: String,
    lost_to: Vec<String>,
}

impl Actor for Leader {
    type Msg = Lead;
    type Args = String;

    async fn init(node: &String, _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self { node: node.clone(), lost_to: Vec::new() })
    }

    async fn handle(&mut self, msg: Lead, _: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Lead::Where(reply) => reply.send(self.node.clone()),
            Lead::Lost(lost) => self.lost_to.push(lost.node.to_string()),
            Lead::LostTo(reply) => reply.send(self.lost_to.clone()),
        }
        Ok(())
    }
}

struct Member {
    system: System,
    node: Node,
    app: App<SupervisorHandle>,
    events: Subscription<NodeEvent>,
}

async fn member(network: &MemoryNetwork, text: &str, started: u64) -> Member {
    let node = builder(network, text, started).build().expect("it can be built");
    let (system, events) = (System::new(), node.subscribe());
    let app = Supervisor::new("app").child(node.child()).start(&system).await.expect("it starts");
    Member { system, node, app, events }
}

impl Member {
    /// Starts an actor that claims the name.
    async fn claim(&self) -> Address<Lead> {
        let leader = Child::new::<Leader>("leader", self.node.id().name.to_string());
        let name = UniqueName::new(LEADER).on_lost(Lead::Lost);
        let leader = leader.remote_unique::<Bincode>(&self.node, name).expect("it is exposed");
        self.app.supervisor().start_child(leader).await.expect("it starts");
        self.system.whereis(LEADER).expect("it is bound here")
    }

    /// Returns the nodes that have the name, according to this one.
    fn leaders(&self) -> Vec<String> {
        self.node.nodes_with("leader").iter().map(ToString::to_string).collect()
    }

    fn names_lost(&mut self) -> Vec<String> {
        let lost = drain(&mut self.events).into_iter().filter_map(|event| match event {
            NodeEvent::NameLost { name, node } => Some(format!("{name} to {node}")),
            _ => None,
        });
        lost.collect()
    }
}

fn set_cut(network: &MemoryNetwork, one: &str, other: &str, is_cut: bool) {
    for (from, to) in [(one, other), (other, one)] {
        let (from, to) = (name(from), name(to));
        if is_cut { network.cut(&from, &to) } else { network.heal(&from, &to) }
    }
}

async fn lost_to(actor: &Address<Lead>) -> Vec<String> {
    actor.call(Lead::LostTo).await.expect("it runs")
}

#[tokio::test(start_paused = true)]
async fn younger_claim_is_lost_at_once_and_its_actor_is_told() {
    let network = MemoryNetwork::new(1);
    let (mut a, b) = (member(&network, "a", 1).await, member(&network, "b", 2).await);
    pass(Duration::from_secs(1)).await;
    // The later claim is of the node whose name comes first, in the same millisecond.
    let first = b.claim().await;
    pass(Duration::from_millis(50)).await;
    let second = a.claim().await;
    pass(Duration::from_millis(50)).await;
    assert_eq!((a.leaders(), b.leaders()), (vec!["b".to_owned()], vec!["b".to_owned()]));
    assert_eq!((lost_to(&first).await, lost_to(&second).await), (vec![], vec!["b".to_owned()]));
    assert_eq!(a.names_lost(), ["leader to b"]);
    let found = a.node.whereis(LEADER).expect("it is known");
    assert_eq!(found.call(Lead::Where).await.unwrap(), "b");
    let refused = b.node.at(&name("a"), LEADER).call(Lead::Where).await;
    assert_eq!(refused.unwrap_err().kind, RemoteErrorKind::NoProcess, "it is not exposed any more");
}

#[tokio::test(start_paused = true)]
async fn divided_network_has_a_name_in_each_part_and_one_of_them_after_it_heals() {
    let network = MemoryNetwork::new(1);
    let (mut a, mut b) = (member(&network, "a", 1).await, member(&network, "b", 2).await);
    pass(Duration::from_secs(1)).await;
    set_cut(&network, "a", "b", true);
    pass(Duration::from_secs(5)).await;
    let (at_a, at_b) = (a.claim().await, b.claim().await);
    pass(Duration::from_secs(1)).await;
    assert_eq!((a.leaders(), b.leaders()), (vec!["a".to_owned()], vec!["b".to_owned()]));
    set_cut(&network, "a", "b", false);
    pass(Duration::from_secs(5)).await;
    assert_eq!(a.leaders(), b.leaders());
    assert_eq!(a.leaders().len(), 1);
    assert_eq!((lost_to(&at_a).await.len() + lost_to(&at_b).await.len()), 1);
    assert_eq!(a.names_lost().len() + b.names_lost().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn name_is_claimed_again_once_it_is_exposed_again() {
    let network = MemoryNetwork::new(1);
    let (a, b) = (member(&network, "a", 1).await, member(&network, "b", 2).await);
    pass(Duration::from_secs(1)).await;
    a.claim().await;
    pass(Duration::from_millis(50)).await;
    let second = b.claim().await;
    pass(Duration::from_millis(50)).await;
    network.kill(&name("a"));
    pass(Duration::from_secs(5)).await;
    assert_eq!(b.leaders(), [""; 0], "a claim that was lost is not made again");
    b.node.expose_unique::<Bincode, _>(UniqueName::new(LEADER).on_lost(Lead::Lost)).unwrap();
    pass(Duration::from_millis(50)).await;
    assert_eq!(b.leaders(), ["b"]);
    assert_eq!(lost_to(&second).await, ["a"]);
}

/// Claims on nodes of a network that is divided and heals in all ways.
async fn claims(seed: u64) -> usize {
    let (mut rng, network) = (Rng::with_seed(seed), MemoryNetwork::new(seed));
    network.set_delay(Duration::from_millis(rng.u64(1..80)));
    let mut members = Vec::new();
    for (at, text) in NODES.into_iter().enumerate() {
        members.push(member(&network, text, at as u64 + 1).await);
    }
    let mut claimed: [Option<Address<Lead>>; 3] = [None, None, None];
    for _ in 0..12 {
        let (at, other) = (rng.usize(0..3), rng.usize(1..3));
        let (one, other) = (NODES[at], NODES[(at + other) % 3]);
        match rng.u32(0..4) {
            0 => set_cut(&network, one, other, true),
            1 => set_cut(&network, one, other, false),
            _ if claimed[at].is_none() => claimed[at] = Some(members[at].claim().await),
            _ => {}
        }
        pass(Duration::from_millis(rng.u64(0..3_000))).await;
    }
    for (one, other) in [("a", "b"), ("a", "c"), ("b", "c")] {
        set_cut(&network, one, other, false);
    }
    pass(Duration::from_secs(15)).await;
    let holders = members[0].leaders();
    let claims = claimed.iter().flatten().count();
    assert_eq!(holders.len(), claims.min(1), "{holders:?}");
    let mut lost = 0;
    for (member, actor) in members.iter_mut().zip(&claimed) {
        assert_eq!(member.leaders(), holders, "all nodes find the same");
        let (reported, text) = (member.names_lost().len(), member.node.id().name.to_string());
        if let Some(actor) = actor {
            let is_lost = !holders.contains(&text);
            assert_eq!((reported, lost_to(actor).await.len()), (usize::from(is_lost), usize::from(is_lost)));
        } else {
            assert_eq!(reported, 0);
        }
        lost += reported;
    }
    assert_eq!(lost, claims.saturating_sub(1));
    for member in members {
        assert!(member.app.shutdown().await.is_clean());
    }
    lost
}

#[tokio::test(start_paused = true)]
async fn one_node_keeps_a_unique_name_and_all_agree_under_200_seeds() {
    let mut lost = 0;
    for seed in 0..200 {
        lost += tokio::spawn(claims(seed)).await.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    }
    assert!(lost > 100, "{lost} claims conflict");
}
