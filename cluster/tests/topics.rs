//! Topics across nodes: each subscriber of each node gets what is published once.

use std::time::Duration;

use crate::support::{builder, drain, pass};
use perennial_actors::{Actor, Address, Context, ExitReason, Reply, System};
use perennial_cluster::{
    Bincode, Json, MemoryNetwork, Node, NodeEvent, RemoteErrorKind, RemotePublishReport, Wire,
};
use perennial_registry::{Registry, SlowSubscriberPolicy, Topic};
use perennial_supervision::{App, SupervisorHandle};
use serde::{Deserialize, Serialize};

pub(crate) const PRICES: Topic<Price> = Topic::new("prices");

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Price(pub(crate) u64);

impl Wire for Price {
    const TAG: &'static str = "test.price";
}

pub(crate) enum Msg {
    Price(u64),
    Seen(Reply<Vec<u64>>),
}

impl From<Price> for Msg {
    fn from(price: Price) -> Self {
        Self::Price(price.0)
    }
}

pub(crate) struct Reader(Vec<u64>);

impl Actor for Reader {
    type Msg = Msg;
    type Args = ();

    async fn init((): &(), ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        let prices = Registry::of(ctx.system()).topic(PRICES);
        prices.subscribe(&ctx.address(), SlowSubscriberPolicy::Skip);
        Ok(Self(Vec::new()))
    }

    async fn handle(&mut self, msg: Msg, _: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Price(price) => self.0.push(price),
            Msg::Seen(reply) => reply.send(self.0.clone()),
        }
        Ok(())
    }
}

struct Site {
    system: System,
    node: Node,
    _app: App<SupervisorHandle>,
}

async fn site(network: &MemoryNetwork, text: &str, started: u64) -> Site {
    let node = builder(network, text, started).build().expect("it can be built");
    let system = System::new();
    let app = node.start(&system).await.expect("it starts");
    Site { system, node, _app: app }
}

impl Site {
    async fn reader(&self) -> Address<Msg> {
        self.system.spawn::<Reader>(()).await.expect("it starts")
    }

    fn publish(&self, price: u64) -> RemotePublishReport {
        self.node.topic(PRICES).publish(&Price(price))
    }
}

async fn settle() {
    pass(Duration::from_secs(1)).await;
}

async fn seen(reader: &Address<Msg>) -> Vec<u64> {
    reader.call(Msg::Seen).await.expect("it runs")
}

#[tokio::test(start_paused = true)]
async fn what_is_published_reaches_each_subscriber_of_each_node_once_in_one_packet_for_each_node() {
    let network = MemoryNetwork::new(1);
    let mut sites = Vec::new();
    for (started, text) in (1..).zip(["a", "b", "c"]) {
        let site = site(&network, text, started).await;
        site.node.expose_topic::<Bincode, _>(PRICES).unwrap();
        sites.push(site);
    }
    let readers =
        [sites[0].reader().await, sites[1].reader().await, sites[1].reader().await, sites[2].reader().await];
    settle().await;
    let before: u64 = sites[0].node.peers().iter().map(|peer| peer.sent).sum();
    for price in 0..10 {
        let report = sites[0].publish(price);
        assert_eq!((report.nodes, report.here.delivered, report.refused), (2, 1, vec![]));
    }
    let sent: u64 = sites[0].node.peers().iter().map(|peer| peer.sent).sum();
    assert_eq!(sent - before, 20, "a packet for each node");
    settle().await;
    for reader in &readers {
        assert_eq!(seen(reader).await, (0..10).collect::<Vec<_>>());
    }
    assert_eq!(sites[1].node.names_of(&sites[0].node.id().name), [""; 0], "a topic is no name");
}

#[tokio::test(start_paused = true)]
async fn node_that_does_not_expose_a_topic_gets_nothing_and_can_publish() {
    let network = MemoryNetwork::new(1);
    let (a, b) = (site(&network, "a", 1).await, site(&network, "b", 2).await);
    b.node.expose_topic::<Bincode, _>(PRICES).unwrap();
    let (near, far) = (a.reader().await, b.reader().await);
    settle().await;
    assert_eq!((a.publish(1).nodes, b.publish(2).nodes), (1, 0));
    settle().await;
    assert_eq!((seen(&near).await, seen(&far).await), (vec![1], vec![2, 1]));
}

#[tokio::test(start_paused = true)]
async fn message_in_another_codec_is_refused_and_reported() {
    let network = MemoryNetwork::new(1);
    let (a, b) = (site(&network, "a", 1).await, site(&network, "b", 2).await);
    b.node.expose_topic::<Json, _>(PRICES).unwrap();
    let (reader, mut events) = (b.reader().await, b.node.subscribe());
    settle().await;
    a.publish(1);
    a.node.topic(PRICES).codec::<Json>().publish(&Price(2));
    settle().await;
    assert_eq!(seen(&reader).await, [2]);
    let refused = drain(&mut events).into_iter().find_map(|event| match event {
        NodeEvent::Refused { name, reason, .. } => Some((name, reason)),
        _ => None,
    });
    let (name, reason) = refused.expect("it is reported");
    assert_eq!(name, "topic prices");
    assert!(matches!(reason, RemoteErrorKind::Decode(_)), "{reason}");
}
