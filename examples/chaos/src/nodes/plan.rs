//! The faults of a run with nodes, from the seed.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use fastrand::Rng;

use super::config::{LEASE, name};

/// What is done to a node, or to the link of two nodes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FaultKind {
    /// The process is killed with SIGKILL, and started again at the end of the fault.
    Kill(usize),
    /// The process is stopped with SIGSTOP, and goes on at the end of the fault.
    Freeze(usize),
    /// No packet passes between the two.
    Cut(usize, usize),
    /// No packet of the first reaches the second.
    CutOneWay(usize, usize),
    /// Packets between the two are late, in each direction.
    Slow(usize, usize, Duration),
}

/// One entry of a plan.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Fault {
    /// When it begins, counted from the start of the attack.
    pub at: Duration,
    pub lasts: Duration,
    pub kind: FaultKind,
}

/// A node or a link. Two faults of one target do not overlap.
#[derive(Clone, Copy, Eq, Ord, PartialEq, PartialOrd)]
enum Target {
    Node(usize),
    Link(usize, usize),
}

/// The kinds of faults, each with the time that it takes.
#[derive(Clone, Copy)]
enum Draw {
    Kill,
    ShortFreeze,
    LongFreeze,
    Cut,
    CutOneWay,
    Slow,
}

/// As many faults in a row have one of each kind.
const ROUND: [Draw; 6] =
    [Draw::Kill, Draw::ShortFreeze, Draw::LongFreeze, Draw::Cut, Draw::CutOneWay, Draw::Slow];

impl FaultKind {
    /// Returns the kind as a word.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Kill(_) => "kill",
            Self::Freeze(_) => "freeze",
            Self::Cut(..) => "cut",
            Self::CutOneWay(..) => "cut one way",
            Self::Slow(..) => "slow",
        }
    }

    /// Returns the pairs of a sender and a receiver whose calls it disturbs.
    pub fn pairs(&self, nodes: usize) -> Vec<(usize, usize)> {
        match *self {
            Self::Kill(node) | Self::Freeze(node) => {
                let others = (0..nodes).filter(|other| *other != node);
                others.flat_map(|other| [(node, other), (other, node)]).collect()
            }
            Self::Cut(a, b) | Self::CutOneWay(a, b) | Self::Slow(a, b, _) => vec![(a, b), (b, a)],
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (at, lasts) = (self.at.as_secs_f64(), self.lasts.as_secs_f64());
        write!(f, "{at:>8.3} s  {:<12} {lasts:>6.3} s  ", self.kind.name())?;
        match self.kind {
            FaultKind::Kill(node) | FaultKind::Freeze(node) => f.write_str(&name(node)),
            FaultKind::Cut(a, b) => write!(f, "{} and {}", name(a), name(b)),
            FaultKind::CutOneWay(a, b) => write!(f, "{} to {}", name(a), name(b)),
            FaultKind::Slow(a, b, delay) => write!(f, "{} and {} by {delay:?}", name(a), name(b)),
        }
    }
}

/// Returns the faults in the order of their times. The same arguments give the same faults.
pub fn plan(seed: u64, faults: usize, duration: Duration, nodes: usize) -> Vec<Fault> {
    let mut rng = Rng::with_seed(seed);
    let mut times: Vec<Duration> = (0..faults).map(|_| duration.mul_f64(rng.f64())).collect();
    times.sort_unstable();
    let mut round = Vec::new();
    // When a target is whole again.
    let mut whole_at: BTreeMap<Target, Duration> = BTreeMap::new();
    let planned = times.into_iter().map(|at| {
        if round.is_empty() {
            round.extend(ROUND);
            rng.shuffle(&mut round);
        }
        let draw = round.pop().unwrap_or(Draw::Kill);
        let lasts = LEASE.mul_f64(draw.leases(&mut rng));
        let targets = draw.targets(nodes, &mut rng);
        let free = |target: &Target| whole_at.get(target).copied().unwrap_or_default();
        // One that is free, or the one that is free next. The first of them is a random one.
        let target = targets.into_iter().min_by_key(|target| free(target).max(at));
        let target = target.unwrap_or(Target::Node(0));
        let at = free(&target).max(at);
        whole_at.insert(target, at + lasts);
        Fault { at, lasts, kind: draw.kind(target, &mut rng) }
    });
    let mut planned: Vec<Fault> = planned.collect();
    planned.sort_by_key(|fault| fault.at);
    planned
}

impl Draw {
    /// Draws how many leases the fault takes.
    fn leases(self, rng: &mut Rng) -> f64 {
        let (least, most) = match self {
            Self::Kill => (0.0, 1.5),
            Self::ShortFreeze => (0.1, 0.6),
            Self::LongFreeze | Self::Cut | Self::CutOneWay => (1.3, 2.5),
            Self::Slow => (0.5, 2.0),
        };
        least + (most - least) * rng.f64()
    }

    /// Returns what it can happen to, in a random order.
    fn targets(self, nodes: usize, rng: &mut Rng) -> Vec<Target> {
        let mut targets: Vec<Target> = match self {
            Self::Kill | Self::ShortFreeze | Self::LongFreeze => (0..nodes).map(Target::Node).collect(),
            Self::Cut | Self::CutOneWay | Self::Slow => {
                (0..nodes).flat_map(|b| (0..b).map(move |a| Target::Link(a, b))).collect()
            }
        };
        rng.shuffle(&mut targets);
        targets
    }

    fn kind(self, target: Target, rng: &mut Rng) -> FaultKind {
        match (self, target) {
            (Self::Kill, Target::Node(node)) => FaultKind::Kill(node),
            (_, Target::Node(node)) => FaultKind::Freeze(node),
            (Self::CutOneWay, Target::Link(a, b)) if rng.bool() => FaultKind::CutOneWay(b, a),
            (Self::CutOneWay, Target::Link(a, b)) => FaultKind::CutOneWay(a, b),
            (Self::Slow, Target::Link(a, b)) => {
                FaultKind::Slow(a, b, Duration::from_millis(rng.u64(10..150)))
            }
            (_, Target::Link(a, b)) => FaultKind::Cut(a, b),
        }
    }
}
