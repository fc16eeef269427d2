//! Groups, topics and the watch of nodes under faults of all kinds, by 100 seeds: all nodes end
//! with the same members, and nothing that is published arrives twice or in another order.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::groups::{WORKERS, Work, Worker};
use crate::support::{Faults, Faulty, Rates, builder, end_faults, name, pass};
use crate::topics::{Msg, PRICES, Price, Reader};
use fastrand::Rng;
use perennial_actors::{Address, ExitReason, System};
use perennial_cluster::{Bincode, MemoryNetwork, Node, NodeEvent, NodeWatch, RemoteGroupMonitor};
use perennial_supervision::{App, SupervisorHandle};

const NAMES: [&str; 3] = ["a", "b", "c"];

/// One boot of a node.
struct Site {
    system: System,
    node: Node,
    app: App<SupervisorHandle>,
    reader: Address<Msg>,
    workers: Vec<Address<Work>>,
    monitor: RemoteGroupMonitor<Work>,
    watch: NodeWatch,
}

struct Storm {
    rng: Rng,
    network: MemoryNetwork,
    faults: Faults,
    boots: u64,
    sites: Vec<Site>,
    /// The number of the latest message of each publisher.
    published: [u64; 3],
}

impl Storm {
    async fn new(seed: u64) -> Self {
        let (network, faults) = (MemoryNetwork::new(seed), Faults::new(seed));
        let (rng, sites) = (Rng::with_seed(seed), Vec::new());
        let mut storm = Self { rng, network, faults, boots: 0, sites, published: [0; 3] };
        for at in 0..NAMES.len() {
            let site = storm.boot(at).await;
            storm.sites.push(site);
        }
        storm
    }

    async fn boot(&mut self, at: usize) -> Site {
        self.boots += 1;
        let engine = Faulty { engine: self.network.engine(), faults: self.faults.clone() };
        let node = builder(&self.network, NAMES[at], self.boots).engine(engine).build();
        let (node, system) = (node.expect("it can be built"), System::new());
        node.expose_group::<Bincode, _>(WORKERS).expect("it is exposed");
        node.expose_topic::<Bincode, _>(PRICES).expect("it is exposed");
        let (monitor, watch) = (node.group(WORKERS).monitor(), node.watch_nodes());
        let app = node.start(&system).await.expect("it starts");
        let reader = system.spawn::<Reader>(()).await.expect("it starts");
        Site { system, node, app, reader, workers: Vec::new(), monitor, watch }
    }

    async fn step(&mut self) {
        let at = self.rng.usize(0..3);
        let other = (at + self.rng.usize(1..3)) % 3;
        match self.rng.u32(0..20) {
            0..6 => {
                let worker = self.sites[at].system.spawn::<Worker>(String::new()).await;
                self.sites[at].workers.push(worker.expect("it starts"));
            }
            6..9 => {
                if let Some(worker) = self.sites[at].workers.pop() {
                    worker.stop(ExitReason::Normal).expect("it runs");
                }
            }
            9..14 => {
                for _ in 0..self.rng.usize(1..9) {
                    self.published[at] += 1;
                    let price = Price(self.published[at] * 10 + at as u64);
                    self.sites[at].node.topic(PRICES).publish(&price);
                }
            }
            14 => self.network.cut(&name(NAMES[at]), &name(NAMES[other])),
            15 => self.network.heal(&name(NAMES[at]), &name(NAMES[other])),
            16 => self.network.freeze(&name(NAMES[at])),
            17 => self.network.thaw(&name(NAMES[at])),
            18 => {
                let (lose, double, reorder) = (self.rng.u32(0..10), self.rng.u32(0..20), self.rng.u32(0..10));
                self.faults.set(Rates { lose, double, reorder, ..Rates::default() });
            }
            _ => {
                self.network.crash(&name(NAMES[at]));
                let site = self.boot(at).await;
                let before = std::mem::replace(&mut self.sites[at], site);
                assert!(before.app.shutdown().await.is_clean());
            }
        }
        pass(Duration::from_millis(self.rng.u64(0..900))).await;
    }

    async fn calm(&mut self) {
        end_faults(&self.network, &self.faults, &NAMES);
        pass(Duration::from_secs(15)).await;
    }

    fn check_members(&mut self) {
        let count: usize = self.sites.iter().map(|site| site.workers.len()).sum();
        let expected = self.sites[0].node.group(WORKERS).members();
        assert_eq!(expected.len(), count);
        for site in &mut self.sites {
            assert_eq!(site.node.group(WORKERS).members(), expected, "all nodes know the same");
            let of = |member: &perennial_cluster::RemoteAddress<Work>| format!("{member:?}");
            let mut members: BTreeSet<String> = site.monitor.members().iter().map(of).collect();
            while let Some(change) = site.monitor.try_next() {
                let member = of(&change.member);
                let is_change = if change.joined { members.insert(member) } else { members.remove(&member) };
                assert!(is_change, "each joins and leaves in turn: {change:?}");
            }
            assert_eq!(members, expected.iter().map(of).collect());
        }
    }

    fn check_nodes(&mut self) {
        for at in 0..3 {
            let mut up = BTreeSet::new();
            while let Some(event) = self.sites[at].watch.try_next() {
                match event {
                    NodeEvent::Up(id) => assert!(up.insert(id), "up twice"),
                    NodeEvent::Down(id) => assert!(up.remove(&id), "down twice"),
                    event => panic!("{event:?}"),
                }
            }
            let others = self.sites.iter().enumerate().filter(|(other, _)| *other != at);
            assert_eq!(up, others.map(|(_, site)| site.node.id().clone()).collect());
        }
    }

    /// Returns how many messages have arrived on other nodes than that of the publisher.
    async fn check_messages(&self) -> usize {
        let mut far = 0;
        for (at, site) in self.sites.iter().enumerate() {
            let (prices, mut latest) = (site.reader.call(Msg::Seen).await.expect("it runs"), BTreeMap::new());
            for price in prices {
                let before = latest.insert(price % 10, price);
                assert!(before.is_none_or(|before| before < price), "{price} comes after {before:?}");
                far += usize::from(price % 10 != at as u64);
            }
        }
        far
    }
}

async fn storm(seed: u64) -> usize {
    let mut storm = Storm::new(seed).await;
    for _ in 0..60 {
        storm.step().await;
    }
    storm.calm().await;
    storm.check_members();
    storm.check_nodes();
    let far = storm.check_messages().await;
    for site in storm.sites {
        assert!(site.app.shutdown().await.is_clean());
    }
    far
}

#[tokio::test(start_paused = true)]
async fn groups_and_topics_hold_under_100_seeds() {
    let mut far = 0;
    for seed in 0..100 {
        far += tokio::spawn(storm(seed)).await.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    }
    assert!(far > 1_000, "{far} messages reach another node");
}
