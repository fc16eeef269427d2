//! Actors: the list, in the order of what is asked for, and the card of one.

use std::sync::Arc;

use perennial_operations::{Event, ProcessFigures, ProcessPhase};
use perennial_supervision::Strategy;
use serde::{Deserialize, Serialize};

use super::handle_times::HandleTimes;
use super::overview::MessageAccount;
use super::page::{Page, Window};
use super::tree::TreeItem;
use super::view::View;

/// An actor in a list.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ActorRow {
    /// The number of its identity.
    pub identity: u64,
    /// The latest incarnation that started or failed to start; 0 before the first.
    pub incarnation: u32,
    /// Its state in the model, or `None` before the first start.
    pub phase: Option<ProcessPhase>,
    /// How often it was started again.
    pub restarts: u32,
    /// The figures. Their fields are those of this object.
    #[serde(flatten)]
    pub figures: ProcessFigures,
}

/// What an actor is, what it does, and what happened to it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ActorCard {
    /// The actor, as in the list.
    pub actor: ActorRow,
    /// The path in its tree, or its type.
    pub path: String,
    /// The type of its messages.
    pub message_type: String,
    /// The account of its messages.
    pub account: MessageAccount,
    /// How long its handlers take, or `None` if clients look at too many actors at once.
    pub handle_times: Option<HandleTimes>,
    /// Its node in a tree.
    pub node: Option<TreeItem>,
    /// Its supervisor, if it has one.
    pub supervisor: Option<SupervisorSummary>,
    /// The names that lead to it.
    pub names: Vec<String>,
    /// The groups that it is in.
    pub groups: Vec<String>,
    /// `true` if it is the supervisor of a pool.
    pub is_pool: bool,
    /// Its last events, the oldest first.
    pub events: Vec<Event>,
    /// The number of its last crash that is still known.
    pub last_crash: Option<u64>,
    /// The actions that its state allows to a client with the token.
    pub actions: Vec<String>,
}

/// The supervisor of an actor.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct SupervisorSummary {
    /// The number of its identity.
    pub identity: u64,
    /// Its path.
    pub path: String,
    /// Which siblings restart together, if it is not dynamic.
    pub strategy: Option<Strategy>,
    /// The restarts that it tolerates at the moment. `u32::MAX` stands for any number.
    pub restarts_left: Option<u32>,
}

/// The order of a list of actors.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ActorSort {
    /// By path.
    #[default]
    Name,
    /// The longest queue first.
    Queue,
    /// The oldest message first.
    Oldest,
    /// The longest handler first.
    Busy,
    /// The most restarts first.
    Restarts,
    /// The most handled messages first.
    Handled,
}

impl ActorRow {
    pub(crate) fn of(view: &View, identity: u64) -> Option<Self> {
        let figures = view.figures(identity)?.clone();
        let process = view.process(identity);
        let incarnation = process.map_or(0, |process| process.incarnation);
        Some(Self {
            identity,
            incarnation,
            phase: process.map(|process| process.phase),
            restarts: incarnation.saturating_sub(1),
            figures,
        })
    }
}

/// Returns the actors whose path contains a text, in an order.
pub(crate) fn rows(view: &View, sort: ActorSort, text: Option<&str>, window: Window) -> Page<ActorRow> {
    let text = text.unwrap_or_default().to_lowercase();
    let processes = view.snapshot.figures.processes.iter();
    let matching = processes.filter(|(_, figures)| {
        let label = figures.label.as_deref().unwrap_or_default();
        text.is_empty() || label.to_lowercase().contains(&text)
    });
    let mut listed: Vec<(u64, &ProcessFigures)> =
        matching.map(|(identity, figures)| (*identity, figures)).collect();
    let label = |figures: &ProcessFigures| figures.label.clone().unwrap_or_else(|| Arc::from(""));
    if sort == ActorSort::Name {
        listed.sort_by_cached_key(|(identity, figures)| (label(figures), *identity));
    } else {
        // What is equal is in the order of the identities.
        listed.sort_by_cached_key(|(identity, figures)| {
            std::cmp::Reverse(weight(view, sort, *identity, figures))
        });
    }
    window.of(&listed, view.sequence(), |(identity, _)| ActorRow::of(view, *identity)).flatten()
}

fn weight(view: &View, sort: ActorSort, identity: u64, figures: &ProcessFigures) -> u128 {
    match sort {
        ActorSort::Name => 0,
        ActorSort::Queue => figures.messages.queued.into(),
        ActorSort::Oldest => figures.oldest_waited_at_least.map_or(0, |age| age.as_nanos()),
        ActorSort::Busy => figures.busy_for_at_least.map_or(0, |busy| busy.as_nanos()),
        ActorSort::Restarts => view.process(identity).map_or(0, |process| process.incarnation.into()),
        ActorSort::Handled => figures.messages.handled.into(),
    }
}

/// Returns the card of an actor, without its events and actions.
pub(crate) fn card(view: &View, identity: u64) -> Option<ActorCard> {
    let actor = ActorRow::of(view, identity)?;
    let node = view.tree.find(identity);
    let supervisor = node.and_then(|at| view.tree.place(at).parent);
    let is_member = |members: &[perennial_actors::Pid]| members.iter().any(|pid| pid.identity() == identity);
    let groups = view.snapshot.figures.groups.iter().filter(|group| is_member(&group.members));
    let names = view.snapshot.model.names.iter().filter(|(_, bound)| **bound == identity);
    Some(ActorCard {
        path: view.label(identity).unwrap_or_default(),
        message_type: String::new(),
        account: actor.figures.messages.into(),
        handle_times: None,
        node: node.and_then(|at| TreeItem::at(view, at)),
        supervisor: supervisor.and_then(|at| summary(view, at)),
        names: names.map(|(name, _)| name.clone()).collect(),
        groups: groups.map(|group| group.group.to_string()).collect(),
        is_pool: view.snapshot.model.pools.contains_key(&identity),
        events: Vec::new(),
        last_crash: None,
        actions: Vec::new(),
        actor,
    })
}

fn summary(view: &View, at: usize) -> Option<SupervisorSummary> {
    let node = view.node(at)?;
    Some(SupervisorSummary {
        identity: node.identity,
        path: view.path(at),
        strategy: node.strategy,
        restarts_left: node.restarts_left,
    })
}
