//! Actions on one actor.

use perennial_actors::{ActorHandle, ExitReason, NoProcessError, System};
use perennial_supervision::{ChildError, ChildState, Restart, Tree};

use crate::api::{ActionOutcome, ActorCard, Problem};

/// An action on an actor.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ActorAction {
    Stop,
    Kill,
    Suspend,
    Resume,
    Restart,
}

impl ActorAction {
    const ALL: [(&'static str, Self); 5] = [
        ("stop", Self::Stop),
        ("kill", Self::Kill),
        ("suspend", Self::Suspend),
        ("resume", Self::Resume),
        ("restart", Self::Restart),
    ];

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, action)| *action)
    }
}

/// Does something with an actor.
pub(crate) async fn act(
    system: &System,
    actor: &ActorHandle,
    action: ActorAction,
) -> Result<ActionOutcome, Problem> {
    let done = |result: Result<(), NoProcessError>| {
        result.map_err(|_| Problem::conflict("no incarnation is running"))
    };
    match action {
        ActorAction::Stop => done(actor.stop(ExitReason::shutdown_with("stopped in the console")))?,
        ActorAction::Kill => done(actor.kill())?,
        ActorAction::Suspend => done(actor.suspend())?,
        ActorAction::Resume => done(actor.resume())?,
        ActorAction::Restart => restart(system, actor.identity()).await?,
    }
    Ok(ActionOutcome::done())
}

/// Stops a child and starts it again, by its supervisor. This counts for no intensity.
async fn restart(system: &System, identity: u64) -> Result<(), Problem> {
    let trees = Tree::all(system);
    let is_it = |child: &Tree| child.handle.identity() == identity;
    let supervisor = trees.iter().flat_map(Tree::walk).find(|node| node.children.iter().any(is_it));
    let child = supervisor.and_then(|node| node.children.iter().find(|child| is_it(child)));
    let (Some(supervisor), Some(child)) = (supervisor, child) else {
        return Err(Problem::conflict("it is not a child of a supervisor"));
    };
    match supervisor.restart_child(&child.id).await {
        Ok(_) => Ok(()),
        Err(ChildError::NotFound) => Err(Problem::conflict(
            "a child that is temporary, or of a dynamic supervisor, is not started again",
        )),
        Err(error) => Err(Problem::conflict(error.to_string())),
    }
}

/// Returns the names of the actions that the state of an actor allows.
pub(crate) fn allowed(card: &ActorCard, can_debug: bool) -> Vec<String> {
    let figures = &card.actor.figures;
    let is_alive = figures.state.pid().is_some();
    let is_restartable = card.supervisor.as_ref().is_some_and(|supervisor| supervisor.strategy.is_some())
        && card.node.as_ref().is_some_and(|item| {
            item.node.restart != Restart::Temporary
                && !matches!(item.node.state, ChildState::Starting | ChildState::Stopping)
        });
    let actions = [
        ("stop", is_alive),
        ("kill", is_alive),
        ("suspend", is_alive && !figures.suspended),
        ("resume", is_alive && figures.suspended),
        ("restart", is_restartable),
        ("debug", is_alive && can_debug),
    ];
    actions.into_iter().filter(|(_, is_allowed)| *is_allowed).map(|(name, _)| name.to_owned()).collect()
}
