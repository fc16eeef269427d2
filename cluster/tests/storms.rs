//! Three nodes under faults of all kinds, by 200 seeds: order, accounts, exactly one end of each
//! monitor, each call and each link.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::support::linker::{LINKER, LinkMsg, Linker, exits};
use crate::support::{Faults, Faulty, Msg, Rates, Shop, builder, drain, end_faults, name, pass, shop_of};
use fastrand::Rng;
use perennial_actors::{Address, ExitReason, Subscription, System};
use perennial_cluster::{Bincode, MemoryNetwork, Node, NodeEvent, NodeId, RemoteErrorKind};
use perennial_registry::{Registry, Whereis};
use perennial_supervision::{App, Supervisor, SupervisorHandle};
use tokio::task::JoinSet;
use tokio::time::timeout;

const NAMES: [&str; 3] = ["a", "b", "c"];

/// What a sender knows of one message.
#[derive(Debug)]
struct Sent {
    to: usize,
    /// The boot that was there when it was sent.
    boot: NodeId,
    item: u64,
    /// The other node has said that it is in the mailbox.
    is_confirmed: bool,
}

struct Storm {
    rng: Rng,
    network: MemoryNetwork,
    /// Loss, copies and disorder while a connection is up.
    faults: Faults,
    /// The number of boots so far.
    boots: u64,
    /// Younger nodes with a name that is taken.
    intruders: BTreeMap<usize, Intruder>,
    shops: Vec<Shop>,
    /// Of each node, the boots that are up by its events, and the events to come.
    events: Vec<(BTreeMap<NodeId, bool>, Subscription<NodeEvent>)>,
    next_item: u64,
    sends: JoinSet<Sent>,
    monitors: JoinSet<ExitReason>,
    calls: JoinSet<Result<Vec<u8>, RemoteErrorKind>>,
    began: (usize, usize, usize),
    /// The actors that were linked, and to which node.
    links: Vec<(usize, Address<LinkMsg>)>,
}

struct Intruder {
    app: App<SupervisorHandle>,
    child: Address<std::convert::Infallible>,
}

impl Storm {
    async fn new(seed: u64) -> Self {
        let network = MemoryNetwork::new(seed);
        let mut rng = Rng::with_seed(seed);
        network.set_delay(Duration::from_millis(rng.u64(1..40)));
        let mut storm = Self {
            rng,
            network,
            faults: Faults::new(seed),
            boots: 0,
            intruders: BTreeMap::new(),
            shops: Vec::new(),
            events: Vec::new(),
            next_item: 0,
            sends: JoinSet::new(),
            monitors: JoinSet::new(),
            calls: JoinSet::new(),
            began: (0, 0, 0),
            links: Vec::new(),
        };
        for at in 0..NAMES.len() {
            let shop = storm.boot(at).await;
            storm.events.push((BTreeMap::new(), shop.node.subscribe()));
            storm.shops.push(shop);
        }
        storm
    }

    fn node(&mut self, at: usize) -> Node {
        self.boots += 1;
        let engine = Faulty { engine: self.network.engine(), faults: self.faults.clone() };
        let window = self.rng.usize(2_000..100_000);
        let node = builder(&self.network, NAMES[at], self.boots).window(window).engine(engine).build();
        node.expect("it can be built")
    }

    async fn boot(&mut self, at: usize) -> Shop {
        let node = self.node(at);
        node.expose::<Bincode, _>(LINKER).expect("it is exposed");
        let shop = shop_of(node, 1_000_000).await;
        let linker = shop.system.spawn::<Linker>((None, true)).await.expect("it starts");
        Registry::of(&shop.system).bind(LINKER, &linker).expect("the name is free");
        shop
    }

    /// Crashes a node, and starts it again, perhaps before the others have missed it.
    async fn crash(&mut self, at: usize) {
        if let Some(intruder) = self.intruders.remove(&at) {
            assert!(intruder.app.shutdown().await.is_clean());
        }
        self.network.crash(&name(NAMES[at]));
        pass(Duration::from_millis(self.rng.u64(0..3_000))).await;
        let shop = self.boot(at).await;
        let before = std::mem::replace(&mut self.shops[at], shop);
        self.check_events();
        self.events[at] = (BTreeMap::new(), self.shops[at].node.subscribe());
        assert!(before.app.shutdown().await.is_clean());
    }

    /// Starts a younger node with a name that is taken.
    async fn intrude(&mut self, at: usize) {
        if self.intruders.contains_key(&at) {
            return;
        }
        let child = self.node(at).child();
        let address = child.address();
        let tree = Supervisor::new("intruder").child(child);
        let app = tree.start(&System::new()).await.expect("it starts");
        self.intruders.insert(at, Intruder { app, child: address });
    }

    fn set_partition(&self, at: usize, is_cut: bool) {
        for other in NAMES.into_iter().filter(|other| *other != NAMES[at]) {
            for (from, to) in [(NAMES[at], other), (other, NAMES[at])] {
                let (from, to) = (name(from), name(to));
                if is_cut { self.network.cut(&from, &to) } else { self.network.heal(&from, &to) }
            }
        }
    }

    fn two(&mut self) -> (usize, usize) {
        let from = self.rng.usize(0..3);
        (from, (from + self.rng.usize(1..3)) % 3)
    }

    /// Does something, or lets something fail.
    async fn step(&mut self) {
        let (from, to) = self.two();
        let cart = self.shops[from].cart_of(NAMES[to]);
        match self.rng.u32(0..32) {
            0..8 => {
                for _ in 0..self.rng.usize(1..20) {
                    self.next_item += 1;
                    let _ = cart.cast(Msg::Add(self.next_item * 10 + from as u64));
                }
            }
            8..12 => {
                self.next_item += 1;
                let item = self.next_item * 10 + from as u64 + 5;
                let boot = self.shops[to].node.id().clone();
                self.began.0 += 1;
                self.sends.spawn(async move {
                    let is_confirmed = cart.send(Msg::Add(item)).await.is_ok();
                    Sent { to, boot, item, is_confirmed }
                });
            }
            12..14 => {
                self.began.1 += 1;
                let monitor = cart.monitor();
                self.monitors.spawn(async move { monitor.await.reason });
            }
            14..16 => {
                self.began.2 += 1;
                let bytes = vec![from as u8; self.rng.usize(0..3_000)];
                let call = cart.call(|reply| Msg::Echo(bytes, reply)).no_timeout();
                self.calls.spawn(async move { call.await.map_err(|error| error.kind) });
            }
            16 => self.network.cut(&name(NAMES[from]), &name(NAMES[to])),
            17 => self.network.heal(&name(NAMES[from]), &name(NAMES[to])),
            18 => self.network.freeze(&name(NAMES[from])),
            19 => self.network.thaw(&name(NAMES[from])),
            20 => self.set_partition(from, true),
            21 => self.set_partition(from, false),
            22 => self.network.set_delay(Duration::from_millis(self.rng.u64(1..80))),
            23 => {
                let (lose, double, reorder) = (self.rng.u32(0..10), self.rng.u32(0..20), self.rng.u32(0..10));
                self.faults.set(Rates { lose, double, reorder, ..Rates::default() });
            }
            24 => self.crash(from).await,
            25..28 => {
                let link = self.shops[from].link_to(NAMES[to], true).await;
                self.links.push((to, link));
            }
            28 if !self.links.is_empty() => {
                let at = self.rng.usize(0..self.links.len());
                let _ = self.links[at].1.cast(LinkMsg::Fail("the end".to_owned()));
            }
            29 | 30 if !self.links.is_empty() => {
                let at = self.rng.usize(0..self.links.len());
                let _ = self.links[at].1.cast(LinkMsg::Unlink);
            }
            _ => self.intrude(from).await,
        }
        pass(Duration::from_millis(self.rng.u64(0..400))).await;
    }

    /// Ends all faults, and waits until all nodes are connected and quiet.
    async fn calm(&mut self) {
        end_faults(&self.network, &self.faults, &NAMES);
        pass(Duration::from_secs(15)).await;
        for (_, intruder) in std::mem::take(&mut self.intruders) {
            assert_eq!(intruder.child.pid(), None, "the older node has the name");
            assert!(intruder.app.shutdown().await.is_clean());
        }
        pass(Duration::from_secs(5)).await;
        for shop in &self.shops {
            for peer in shop.node.peers() {
                assert!(peer.is_up && peer.unconfirmed == 0, "{:?}: {peer:?}", shop.node);
            }
            assert_eq!(shop.node.peers().len(), 2, "{:?}", shop.node);
        }
    }

    /// Of each pair, what was sent was received or is known to be lost.
    fn check_accounts(&self) {
        for from in &self.shops {
            for to in self.shops.iter().filter(|to| to.node.id() != from.node.id()) {
                let there = from.node.peers().into_iter().find(|peer| peer.node == *to.node.id());
                let here = to.node.peers().into_iter().find(|peer| peer.node == *from.node.id());
                let (sender, receiver) = (there.expect("it is seen"), here.expect("it is seen"));
                assert_eq!(sender.sent, receiver.received + sender.lost, "{sender:?} {receiver:?}");
            }
        }
    }

    /// The items of one sender are in the order in which they were cast, and none is there twice.
    async fn check_order(&mut self) {
        let mut sent = Vec::new();
        while let Some(ended) = self.sends.join_next().await {
            sent.push(ended.expect("it does not panic"));
        }
        assert_eq!(sent.len(), self.began.0);
        for (at, shop) in self.shops.iter().enumerate() {
            let items = shop.cart_of(NAMES[at]).call(Msg::Items).await.expect("it is here");
            let mut latest = BTreeMap::new();
            for item in items.iter().filter(|item| *item % 10 < 5) {
                let before = latest.insert(item % 10, *item);
                assert!(before.is_none_or(|before| before < *item), "{item} comes after {before:?}");
            }
            for sent in sent.iter().filter(|sent| sent.to == at) {
                let found = items.iter().filter(|item| **item == sent.item).count();
                let is_due = sent.is_confirmed && sent.boot == *shop.node.id();
                assert!(found <= 1 && (found == 1 || !is_due), "{sent:?} is there {found} times");
            }
        }
    }

    /// Each call has one answer, and each monitor one end.
    async fn check_ends(&mut self) {
        for shop in &self.shops {
            for to in NAMES {
                shop.cart_of(to).cast(Msg::Fail("the end".to_owned())).expect("it is connected");
            }
        }
        let (mut monitors, mut calls) = (0, 0);
        while let Some(reason) = self.monitors.join_next().await {
            let reason = reason.expect("it does not panic");
            let end = ExitReason::failed("the end");
            // A node that intrudes has no such actor.
            let others = [end, ExitReason::NoConnection, ExitReason::NoProcess];
            assert!(others.contains(&reason), "{reason}");
            monitors += 1;
        }
        while let Some(answer) = self.calls.join_next().await {
            match answer.expect("it does not panic") {
                Ok(_) | Err(RemoteErrorKind::NoConnection | RemoteErrorKind::NoProcess) => calls += 1,
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!((monitors, calls), (self.began.1, self.began.2));
        assert!(self.shops.iter().all(|shop| shop.node.peers().iter().all(|peer| peer.pending == 0)));
    }

    /// Each link that is left has two ends, and each that ends is heard of once at the other end.
    async fn check_links(&mut self) {
        let mut left = [0; NAMES.len()];
        for (to, link) in &self.links {
            if link.pid().is_some() && exits(link).await.is_empty() {
                left[*to] += usize::from(is_linked(link).await);
            }
        }
        let known = self.shops.iter().map(|shop| shop.system.whereis(LINKER).expect("it is bound"));
        let known: Vec<_> = known.collect();
        for (linker, left) in known.iter().zip(left) {
            assert_eq!(linker.handle().info().links.len(), left, "a link has one end");
            let heard = exits(linker).await;
            let different: BTreeSet<u64> = heard.iter().map(|(from, _)| *from).collect();
            assert_eq!(heard.len(), different.len(), "an end is heard of twice");
            linker.cast(LinkMsg::Fail("the end".to_owned())).expect("it runs");
        }
        pass(Duration::from_secs(1)).await;
        for (_, link) in self.links.iter().filter(|(_, link)| link.pid().is_some()) {
            let ends = exits(link).await.len();
            // One that was removed may have ended before.
            assert!(ends == 1 || (ends == 0 && !is_linked(link).await), "each link ends once: {ends}");
        }
    }

    /// Of each boot, up and down alternate.
    fn check_events(&mut self) {
        for (up, events) in &mut self.events {
            for event in drain(events) {
                match event {
                    NodeEvent::Up(id) => assert_ne!(up.insert(id, true), Some(true), "up twice"),
                    NodeEvent::Down(id) => assert_eq!(up.insert(id, false), Some(true), "down twice"),
                    _ => {}
                }
            }
        }
    }
}

/// Returns `true` if an actor has not removed its link.
async fn is_linked(link: &Address<LinkMsg>) -> bool {
    link.call(LinkMsg::LinkedTo).await.expect("it runs").is_some()
}

async fn storm(seed: u64) -> u64 {
    let mut storm = Storm::new(seed).await;
    for _ in 0..80 {
        storm.step().await;
    }
    storm.calm().await;
    storm.check_accounts();
    storm.check_links().await;
    timeout(Duration::from_secs(60), storm.check_order()).await.expect("every send ends");
    timeout(Duration::from_secs(60), storm.check_ends()).await.expect("every call and monitor ends");
    storm.check_events();
    let lost = storm.shops.iter().flat_map(|shop| shop.node.peers()).map(|peer| peer.lost).sum();
    for shop in storm.shops {
        assert!(shop.app.shutdown().await.is_clean());
    }
    lost
}

async fn storms(seeds: std::ops::Range<u64>) {
    let mut lost = 0;
    for seed in seeds {
        lost += tokio::spawn(storm(seed)).await.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    }
    assert!(lost > 0, "the faults lose messages");
}

#[tokio::test(start_paused = true)]
async fn promises_hold_under_seeds_0_to_99() {
    storms(0..100).await;
}

#[tokio::test(start_paused = true)]
async fn promises_hold_under_seeds_100_to_199() {
    storms(100..200).await;
}
