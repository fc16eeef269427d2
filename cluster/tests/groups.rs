//! Groups across nodes: members of all nodes, the choice of one, and messages for all.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::support::{builder, name, pass};
use perennial_actors::{Actor, Address, Context, ExitReason, Reply, System};
use perennial_cluster::{Bincode, MemoryNetwork, Node, NodeEvent, RemoteAddress, RemoteErrorKind, Wire};
use perennial_registry::{Group, Registry};
use perennial_supervision::{App, SupervisorHandle};
use serde::{Deserialize, Serialize, Serializer};

pub(crate) const WORKERS: Group<Work> = Group::new("workers");

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Note(u64);

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Work {
    Id(Reply<String>),
    Notes(Reply<Vec<u64>>),
    Note(Note),
    #[serde(serialize_with = "refuse")]
    Secret,
    Stop,
}

impl Clone for Work {
    fn clone(&self) -> Self {
        match self {
            Self::Note(note) => Self::Note(note.clone()),
            Self::Secret => Self::Secret,
            _ => Self::Stop,
        }
    }
}

fn refuse<S: Serializer>(_: S) -> Result<S::Ok, S::Error> {
    Err(serde::ser::Error::custom("it stays here"))
}

impl Wire for Work {
    const TAG: &'static str = "test.work";
}

pub(crate) struct Worker {
    id: String,
    notes: Vec<u64>,
}

impl Actor for Worker {
    type Msg = Work;
    type Args = String;

    async fn init(id: &String, ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        Registry::of(ctx.system()).group(WORKERS).join(&ctx.address())?;
        Ok(Self { id: id.clone(), notes: Vec::new() })
    }

    async fn handle(&mut self, msg: Work, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Work::Id(reply) => reply.send(self.id.clone()),
            Work::Notes(reply) => reply.send(self.notes.clone()),
            Work::Note(Note(note)) => self.notes.push(note),
            Work::Secret => self.notes.push(0),
            Work::Stop => ctx.stop(ExitReason::Normal),
        }
        Ok(())
    }
}

struct Site {
    system: System,
    node: Node,
    app: App<SupervisorHandle>,
}

async fn site(network: &MemoryNetwork, text: &str, started: u64) -> Site {
    let node = builder(network, text, started).build().expect("it can be built");
    node.expose_group::<Bincode, _>(WORKERS).expect("it is exposed");
    let system = System::new();
    let app = node.start(&system).await.expect("it starts");
    Site { system, node, app }
}

impl Site {
    async fn worker(&self, id: &str) -> Address<Work> {
        self.system.spawn::<Worker>(id.to_owned()).await.expect("it starts")
    }

    /// Returns the ids of the members, in their order.
    async fn ids(&self) -> Vec<String> {
        let mut ids = Vec::new();
        for member in self.node.group(WORKERS).members() {
            ids.push(id(&member).await);
        }
        ids
    }
}

async fn id(member: &RemoteAddress<Work>) -> String {
    member.call(Work::Id).await.expect("it runs")
}

async fn notes(worker: &Address<Work>) -> Vec<u64> {
    worker.call(Work::Notes).await.expect("it runs")
}

async fn settle() {
    pass(Duration::from_millis(100)).await;
}

/// Returns two connected nodes.
async fn sites(network: &MemoryNetwork) -> (Site, Site) {
    let (a, b) = (site(network, "a", 1).await, site(network, "b", 2).await);
    pass(Duration::from_secs(1)).await;
    (a, b)
}

#[tokio::test(start_paused = true)]
async fn members_of_all_nodes_are_found_in_one_order() {
    let (a, b) = sites(&MemoryNetwork::new(1)).await;
    let mut workers = Vec::new();
    for (site, id) in [(&b, "b1"), (&a, "a1"), (&a, "a2"), (&b, "b2")] {
        workers.push(site.worker(id).await);
    }
    settle().await;
    assert_eq!(a.ids().await, ["a1", "a2", "b1", "b2"]);
    assert_eq!(b.ids().await, a.ids().await);
    assert_eq!(a.node.names_of(&name("b")), [""; 0], "members are no names");
    workers[0].cast(Work::Stop).unwrap();
    settle().await;
    assert_eq!(a.ids().await, ["a1", "a2", "b2"]);
    drop(b.app.shutdown().await);
    settle().await;
    assert_eq!(a.ids().await, ["a1", "a2"], "the members of a node that is lost are gone");
}

#[tokio::test(start_paused = true)]
async fn any_member_is_near_and_turns_are_even() {
    let (a, b) = sites(&MemoryNetwork::new(1)).await;
    assert!(a.node.group(WORKERS).any().is_none() && a.node.group(WORKERS).round_robin().is_none());
    let mut workers = Vec::new();
    for (site, id) in [(&a, "a1"), (&b, "b1"), (&b, "b2")] {
        workers.push(site.worker(id).await);
    }
    settle().await;
    assert_eq!(id(&a.node.group(WORKERS).any().unwrap()).await, "a1");
    assert!(id(&b.node.group(WORKERS).any().unwrap()).await.starts_with('b'));
    let (group, mut turns) = (a.node.group(WORKERS), BTreeMap::new());
    for _ in 0..9 {
        *turns.entry(id(&group.clone().round_robin().unwrap()).await).or_insert(0) += 1;
    }
    assert_eq!(turns.into_values().collect::<Vec<_>>(), [3, 3, 3]);
}

/// Returns which worker each of many keys maps to.
async fn mapping(site: &Site) -> Vec<String> {
    let (group, mut mapping) = (site.node.group(WORKERS), Vec::new());
    for key in 0..300 {
        mapping.push(id(&group.by_key(&format!("key {key}")).expect("there is one")).await);
    }
    mapping
}

#[tokio::test(start_paused = true)]
async fn key_maps_to_one_member_on_all_nodes_and_moves_only_with_its_member() {
    let (a, b) = sites(&MemoryNetwork::new(1)).await;
    let mut workers = Vec::new();
    for (site, id) in [(&a, "a1"), (&a, "a2"), (&b, "b1"), (&b, "b2")] {
        workers.push(site.worker(id).await);
    }
    settle().await;
    let before = mapping(&a).await;
    assert_eq!(mapping(&b).await, before, "all nodes agree");
    for id in ["a1", "a2", "b1", "b2"] {
        let share = before.iter().filter(|member| *member == id).count();
        assert!((40..120).contains(&share), "{id} has {share} of 300 keys");
    }
    workers[2].cast(Work::Stop).unwrap();
    settle().await;
    let after = mapping(&a).await;
    for (before, after) in before.iter().zip(&after) {
        assert!(before == after || before == "b1", "{before} -> {after}");
    }
    assert!(after.iter().all(|member| member != "b1"));
    let heirs: BTreeSet<_> =
        before.iter().zip(&after).filter(|(id, _)| *id == "b1").map(|(_, id)| id).collect();
    assert_eq!(heirs.len(), 3, "the keys of a member that leaves go to all others");
}

#[tokio::test(start_paused = true)]
async fn broadcast_reaches_each_member_once_and_encodes_nothing_for_its_own_node() {
    let (a, b) = sites(&MemoryNetwork::new(1)).await;
    let (near, far, other) = (a.worker("a1").await, b.worker("b1").await, b.worker("b2").await);
    // It joins once more, and stays one member.
    Registry::of(&a.system).group(WORKERS).join(&near).unwrap();
    settle().await;
    let report = a.node.group(WORKERS).broadcast(&Work::Note(Note(7)));
    assert_eq!((report.sent, report.refused.len(), report.failed), (3, 0, 0));
    settle().await;
    for worker in [&near, &far, &other] {
        assert_eq!(notes(worker).await, [7]);
    }
    let report = a.node.group(WORKERS).broadcast(&Work::Secret);
    assert_eq!((report.sent, report.refused.len()), (1, 2));
    for error in report.refused {
        assert!(matches!(error.kind, RemoteErrorKind::Encode(_)), "{error}");
        assert!(error.to_string().contains("member ") && error.to_string().contains("of workers"), "{error}");
    }
    settle().await;
    assert_eq!((notes(&near).await, notes(&far).await), (vec![7, 0], vec![7]));
}

#[tokio::test(start_paused = true)]
async fn monitor_hears_of_each_join_and_leave_once() {
    let network = MemoryNetwork::new(1);
    let (a, b) = sites(&network).await;
    let (near, far) = (a.worker("a1").await, b.worker("b1").await);
    settle().await;
    let mut monitor = a.node.group(WORKERS).monitor();
    assert_eq!(monitor.members(), a.node.group(WORKERS).members());
    assert!(monitor.try_next().is_none());
    let (of_near, of_far) = (monitor.members()[0].clone(), monitor.members()[1].clone());
    near.cast(Work::Stop).unwrap();
    let change = monitor.next().await.unwrap();
    assert_eq!((&change.member, change.joined), (&of_near, false));
    for (from, to) in [("a", "b"), ("b", "a")] {
        network.cut(&name(from), &name(to));
    }
    let change = monitor.next().await.unwrap();
    assert_eq!((&change.member, change.joined), (&of_far, false));
    for (from, to) in [("a", "b"), ("b", "a")] {
        network.heal(&name(from), &name(to));
    }
    let change = monitor.next().await.unwrap();
    assert_eq!((&change.member, change.joined), (&of_far, true));
    settle().await;
    assert!(monitor.try_next().is_none());
    assert_eq!(id(&of_far).await, "b1");
    drop(far);
}

#[tokio::test(start_paused = true)]
async fn monitor_that_misses_changes_ends_with_the_members_of_now() {
    let network = MemoryNetwork::new(1);
    let (a, b) = sites(&network).await;
    let early = b.worker("early").await;
    settle().await;
    let mut monitor = a.node.group(WORKERS).monitor();
    let mut members: BTreeSet<_> = monitor.members().iter().map(key_of).collect();
    early.stop(ExitReason::Normal).unwrap();
    let stays = b.worker("stays").await;
    settle().await;
    let mut workers = Vec::new();
    for round in 0..40 {
        for worker in 0..100 {
            workers.push(b.worker(&format!("{round} {worker}")).await);
        }
        settle().await;
        for worker in workers.drain(..) {
            worker.stop(ExitReason::Normal).unwrap();
        }
        settle().await;
    }
    let mut read = 0;
    while let Some(change) = monitor.try_next() {
        let key = key_of(&change.member);
        let is_change = if change.joined { members.insert(key) } else { members.remove(&key) };
        assert!(is_change, "each joins and leaves in turn");
        read += 1;
    }
    assert!(read < 8_000, "{read} changes of 8,002 were read, so none were missed");
    let now: Vec<_> = a.node.group(WORKERS).members().iter().map(key_of).collect();
    assert_eq!((members.into_iter().collect::<Vec<_>>(), now.len()), (now, 1));
    assert_eq!(a.ids().await, ["stays"]);
    drop(stays);
}

fn key_of(member: &RemoteAddress<Work>) -> String {
    member.name().as_str().to_owned()
}

#[tokio::test(start_paused = true)]
async fn members_beyond_the_limit_of_names_are_reported_and_not_exposed() {
    let network = MemoryNetwork::new(1);
    let mut config = perennial_cluster::NodeConfig::default();
    config.max_names = 2;
    let node = builder(&network, "a", 1).config(config).build().unwrap();
    node.expose_group::<Bincode, _>(WORKERS).unwrap();
    let (system, mut events) = (System::new(), node.subscribe());
    let app = node.start(&system).await.unwrap();
    let site = Site { system, node, app };
    let mut workers = Vec::new();
    for id in ["a1", "a2", "a3"] {
        workers.push(site.worker(id).await);
    }
    settle().await;
    assert_eq!(site.ids().await, ["a1", "a2"]);
    assert_eq!(events.try_next(), Some(NodeEvent::TooManyNames(site.node.id().clone())));
    workers[0].cast(Work::Stop).unwrap();
    settle().await;
    assert_eq!(site.ids().await, ["a2", "a3"], "there is room for it now");
}

#[tokio::test(start_paused = true)]
async fn member_that_joined_twice_leaves_with_its_last_membership() {
    let (a, b) = sites(&MemoryNetwork::new(1)).await;
    let worker = b.worker("b1").await;
    let group = Registry::of(&b.system).group(WORKERS);
    group.join(&worker).unwrap();
    settle().await;
    for left in [1, 0] {
        group.leave(&worker).unwrap();
        settle().await;
        assert_eq!(a.ids().await.len(), left);
    }
    group.join(&worker).unwrap();
    settle().await;
    assert_eq!(a.ids().await, ["b1"]);
}
