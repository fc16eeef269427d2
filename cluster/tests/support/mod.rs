//! An actor that others send to, and nodes in a network in memory.

mod faulty;
pub(crate) mod linker;

use std::fmt;
use std::time::Duration;

use perennial_actors::{Actor, Context, ExitReason, MailboxConfig, Reply, System};
use perennial_cluster::{
    Bincode, Boot, MemoryNetwork, Node, NodeBuilder, NodeEvent, NodeName, RemoteAddress, RemoteChild, Wire,
};
use perennial_registry::Name;
use perennial_supervision::{App, Child, Supervisor, SupervisorHandle};
use serde::{Deserialize, Serialize};

pub(crate) use faulty::{Brittle, Faults, Faulty, Rates};

pub(crate) const CART: Name<Msg> = Name::new("cart");

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Msg {
    Add(u64),
    Items(Reply<Vec<u64>>),
    Echo(Vec<u8>, Reply<Vec<u8>>),
    /// The answer has so many bytes.
    Grow(usize, Reply<Vec<u8>>),
    /// Both answers have so many bytes.
    GrowBoth(usize, Reply<Vec<u8>>, Reply<Vec<u8>>),
    /// The reply is kept.
    Keep(Reply<u64>),
    /// The reply is dropped.
    Ignore(Reply<u64>),
    /// The handler fails.
    Fail(String),
    /// The handler panics.
    Panic,
    FailWith(Reply<u64>),
    /// The handler fails with an error that cannot be displayed.
    FailUnreadably(Unreadable, Reply<u64>),
    /// A message with a reply that a third actor has made.
    Both(Reply<u64>, Reply<u64>),
    /// The second reply is kept.
    KeepSecond(Reply<u64>, Reply<u64>),
    /// A reply that the receiver does not know of.
    Unknown(Unknown),
    /// An answer that the caller cannot decode.
    Odd(Reply<Odd>),
}

/// A reply, as an older version of the receiver reads it: as a number that says nothing to it.
#[derive(Debug)]
pub(crate) struct Unknown(pub(crate) Option<Reply<u64>>);

impl Serialize for Unknown {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Some(reply) => reply.serialize(serializer),
            None => serializer.serialize_u32(0),
        }
    }
}

impl<'de> Deserialize<'de> for Unknown {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u32::deserialize(deserializer).map(|_| Self(None))
    }
}

/// A number, of which odd ones are not decoded. Its end panics at 13.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Odd(pub(crate) u64);

impl<'de> Deserialize<'de> for Odd {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = u64::deserialize(deserializer)?;
        if number % 2 == 0 { Ok(Self(number)) } else { Err(serde::de::Error::custom("it is odd")) }
    }
}

impl Drop for Odd {
    fn drop(&mut self) {
        assert!(self.0 != 13, "the answer is unlucky");
    }
}

/// An error whose `Display` fails, by a panic or by an error.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) enum Unreadable {
    Panics,
    Fails,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Panics => panic!("the text is broken"),
            Self::Fails => Err(fmt::Error),
        }
    }
}

impl std::error::Error for Unreadable {}

impl Wire for Msg {
    const TAG: &'static str = "test.cart";
}

pub(crate) struct Cart {
    items: Vec<u64>,
    kept: Vec<Reply<u64>>,
}

impl Actor for Cart {
    type Msg = Msg;
    type Args = ();

    async fn init((): &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self { items: Vec::new(), kept: Vec::new() })
    }

    async fn handle(&mut self, msg: Msg, _: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Add(item) => self.items.push(item),
            Msg::Items(reply) => reply.send(self.items.clone()),
            Msg::Echo(bytes, reply) => reply.send(bytes),
            Msg::Grow(bytes, reply) => reply.send(vec![0; bytes]),
            Msg::GrowBoth(bytes, first, second) => {
                first.send(vec![0; bytes]);
                second.send(vec![0; bytes]);
            }
            Msg::Keep(reply) => self.kept.push(reply),
            Msg::Ignore(reply) => drop(reply),
            Msg::Fail(text) => return Err(text.into()),
            Msg::Panic => panic!("the cart is broken"),
            Msg::FailWith(_) => return Err("no more carts".into()),
            Msg::FailUnreadably(error, _) => return Err(error.into()),
            Msg::KeepSecond(first, second) => {
                drop(first);
                self.kept.push(second);
            }
            Msg::Unknown(reply) => drop(reply),
            Msg::Odd(reply) => {
                let number = self.items.last().copied().unwrap_or(0);
                reply.send(Odd(number));
            }
            Msg::Both(first, second) => {
                first.send(1);
                second.send(2);
            }
        }
        Ok(())
    }
}

pub(crate) fn name(text: &str) -> NodeName {
    NodeName::new(text).expect("it is a name")
}

/// A node with a cart that is restarted whenever it fails.
pub(crate) struct Shop {
    pub(crate) system: System,
    pub(crate) node: Node,
    pub(crate) app: App<SupervisorHandle>,
}

/// Returns a node whose boot is known.
pub(crate) fn builder(network: &MemoryNetwork, text: &str, started: u64) -> NodeBuilder {
    Node::builder(text).engine(network.engine()).boot(Boot { started, random: 0 })
}

pub(crate) async fn shop_of(node: Node, capacity: usize) -> Shop {
    let system = System::new();
    let mailbox = MailboxConfig::bounded(capacity);
    let cart = Child::new::<Cart>("cart", ())
        .mailbox(mailbox)
        .remote::<Bincode>(&node, CART)
        .expect("it is exposed");
    let tree = Supervisor::new("app").intensity(1_000_000, Duration::from_secs(1)).child(cart);
    let app = tree.child(node.child()).start(&system).await.expect("the tree starts");
    Shop { system, node, app }
}

pub(crate) async fn shop(network: &MemoryNetwork, text: &str, started: u64) -> Shop {
    shop_of(builder(network, text, started).build().expect("it can be built"), 1_024).await
}

impl Shop {
    /// Returns the address of the cart of another node.
    pub(crate) fn cart_of(&self, text: &str) -> RemoteAddress<Msg> {
        self.node.at(&name(text), CART)
    }

    /// Waits until a node is connected, and its names are known.
    pub(crate) async fn knows(&self, text: &str) {
        let mut events = self.node.subscribe();
        while !self.node.names_of(&name(text)).contains(&"cart".to_owned()) {
            events.next().await.expect("the node is there");
        }
    }

    /// Waits for an event.
    pub(crate) async fn is_down(&self, text: &str) {
        let mut events = self.node.subscribe();
        while self.node.peers().iter().any(|peer| peer.node.name.as_str() == text && peer.is_up) {
            events.next().await.expect("the node is there");
        }
    }
}

/// Returns two connected nodes.
pub(crate) async fn pair(network: &MemoryNetwork) -> (Shop, Shop) {
    let (a, b) = (shop(network, "a", 1).await, shop(network, "b", 2).await);
    a.knows("b").await;
    b.knows("a").await;
    (a, b)
}

/// Lets time pass, which is paused.
pub(crate) async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
}

/// Takes all events that have come.
pub(crate) fn drain(events: &mut perennial_actors::Subscription<NodeEvent>) -> Vec<NodeEvent> {
    std::iter::from_fn(|| events.try_next()).collect()
}

/// Ends all faults between these nodes, and of all of them.
pub(crate) fn end_faults(network: &MemoryNetwork, faults: &Faults, names: &[&str]) {
    faults.set(Rates::default());
    for from in names {
        network.thaw(&name(from));
        for to in names.iter().filter(|to| *to != from) {
            network.heal(&name(from), &name(to));
        }
    }
}
