//! Topics across nodes: what is published reaches the subscribers of every node.

use std::fmt;

use perennial_durable::{Bincode, Codec, Payload, Wire};
use perennial_registry::{PublishReport, Registry, Topic};

use crate::error::RemoteErrorKind;
use crate::identity::NodeName;
use crate::names::key;
use crate::node::Node;
use crate::peer::Outbound;
use crate::reason::cut;
use crate::remote::Encoding;

/// A topic across nodes: the subscribers of the [`Topic`] on the own node, and on all nodes that
/// [expose](Node::expose_topic) it. Its clones are the same topic.
///
/// Actors subscribe on their own node, with a [`TopicHandle`](perennial_registry::TopicHandle).
/// Filters and conversions of their subscriptions run in the task of the node, so they have to be
/// quick.
///
/// # Delivery
///
/// At most once to each subscriber, in the order of the publisher. A message is encoded once, and
/// is one packet for each node. On the own node it is not encoded.
///
/// # Examples
///
/// ```
/// use perennial_actors::System;
/// use perennial_cluster::{Bincode, MemoryNetwork, Node, Wire};
/// use perennial_registry::Topic;
/// use serde::{Deserialize, Serialize};
///
/// const PRICES: Topic<Price> = Topic::new("prices");
///
/// #[derive(Clone, Serialize, Deserialize)]
/// struct Price(u64);
///
/// impl Wire for Price {
///     const TAG: &'static str = "shop.price";
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let network = MemoryNetwork::new(1);
/// let node = Node::builder("shop-1").engine(network.engine()).build()?;
/// node.expose_topic::<Bincode, _>(PRICES)?;
/// let app = node.start(&System::new()).await?;
/// let published = node.topic(PRICES).publish(&Price(3));
/// assert_eq!((published.nodes, published.here.delivered), (0, 0));
/// # assert!(app.shutdown().await.is_clean());
/// # Ok(())
/// # }
/// ```
pub struct RemoteTopic<T> {
    node: Node,
    topic: Topic<T>,
    encoding: Encoding<T>,
}

/// The outcome of one [`publish`](RemoteTopic::publish).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct RemotePublishReport {
    /// What became of the message on the own node.
    pub here: PublishReport,
    /// The number of other nodes that the message was sent to.
    pub nodes: usize,
    /// The nodes that it was not sent to, and why.
    pub refused: Vec<(NodeName, RemoteErrorKind)>,
}

impl Node {
    /// Returns a topic across nodes. Messages are encoded with [`Bincode`].
    pub fn topic<T: Wire + Clone + Send + 'static>(&self, topic: Topic<T>) -> RemoteTopic<T> {
        RemoteTopic { node: self.clone(), topic, encoding: Encoding::of::<Bincode>() }
    }
}

impl<T: Wire + Clone + Send + 'static> RemoteTopic<T> {
    /// Returns the same topic with another codec, which has to be that of the
    /// [exposure](Node::expose_topic).
    #[must_use]
    pub fn codec<C: Codec>(mut self) -> Self {
        self.encoding = Encoding::of::<C>();
        self
    }

    /// Publishes a message on all nodes, without waiting. A node whose window is full misses it, as
    /// the report says.
    pub fn publish(&self, message: &T) -> RemotePublishReport {
        let mut report = RemotePublishReport::default();
        let state = self.node.state();
        let to = key::topic(self.topic.as_str());
        let peers = state.peers().into_iter();
        let peers: Vec<_> = peers.filter(|peer| peer.with(|link| link.names.get(&to).is_some())).collect();
        if !peers.is_empty() {
            let encoded = self.encoding.outbound(&to, message, false, None);
            for peer in peers {
                let posted = match &encoded {
                    Ok(outbound) => peer.post(copy(&outbound.payload, &to)),
                    Err(error) => Err(RemoteErrorKind::Encode(cut(error))),
                };
                match posted {
                    Ok(()) => report.nodes += 1,
                    Err(kind) => report.refused.push((peer.id.name.clone(), kind)),
                }
            }
        }
        if let Some(system) = state.system.get() {
            report.here = Registry::of(system).topic(&self.topic).publish(message);
        }
        report
    }
}

fn copy(payload: &Payload, to: &str) -> Outbound {
    Outbound {
        to: to.to_owned(),
        payload: payload.clone(),
        replies: Vec::new(),
        confirm: false,
        report: None,
    }
}

impl<T> Clone for RemoteTopic<T> {
    fn clone(&self) -> Self {
        Self { node: self.node.clone(), topic: self.topic.clone(), encoding: self.encoding }
    }
}

impl<T> fmt::Debug for RemoteTopic<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RemoteTopic").field(&self.topic).finish()
    }
}
