//! The supervisor as a pure state machine: events go in, actions come out.
//!
//! [`Engine::step`] takes an [`Event`] and the time, and returns [`Action`]s. It has no clock, no
//! task, no I/O and no randomness. Every rule of OTP's supervisor is therefore a table test or a
//! property test without sleeps. The [driver](crate::driver) performs the actions and reports their
//! outcomes as events.
//!
//! # Model
//!
//! ```text
//!            start            started            end (wanted back)
//!  Stopped ---------> Starting ------> Running ---------------------> Starting ...
//!     ^                 |  ^              |
//!     |          failed |  | retry        | stop
//!     |                 v  |              v
//!     ├------------- Restarting        Stopping --> Stopped
//!     +-- stop ---------+
//! ```
//!
//! One-for-one restarts, and stops and starts by request, each concern one child, and run side by
//! side. An operation on a group is a [`Transition`](state::Transition). It first stops some
//! children in reverse start order, and waits for the exit of each before it stops the next. Then
//! it starts some children in start order, and waits until each is up before it starts the next.
//! There is at most one transition at a time: the initial start, a group restart, a start by
//! request among dependent siblings, or the shutdown.
//!
//! # Rules
//!
//! 1. The engine decides whether a child restarts before it applies the strategy: a child that does
//!    not restart never affects its siblings.
//! 2. A restart is counted before it is tried and before any delay. A group restart counts once.
//!    Each retry counts again. For a child that renews itself only the retries count: each of them
//!    follows a failed start.
//! 3. The exit of a child is matched by its [`StartId`]. Events of an earlier start are ignored.
//! 4. The exit of a child during a transition is handled when the transition is complete, unless
//!    the transition reaches the child and would stop it: then that exit is the stop.
//! 5. A start that fails in a restart is retried through the supervisor's own inbox, so that events
//!    in between are handled first. The retry carries the generation of the child: if an event in
//!    between changed the state of the child, the retry is void. A restart after a delay works in
//!    the same way.
//! 6. A shutdown, and an exceeded intensity, stop all children in reverse start order and end the
//!    supervisor. The children of a dynamic supervisor have no order and stop all at once. If there
//!    are very many, the engine stops them in batches, and other tasks run between two batches.
//! 7. An unresponsive child is stopped, and then handled as if it had exited by itself.
//! 8. A request that concerns a child which is starting or stopping is [deferred](deferred) until
//!    that is complete. The requests for one child are decided in the order of arrival. Requests
//!    for other children do not wait for them.
//! 9. If a child has a condition, an exit and a failed restart are decided when the condition has
//!    been evaluated, which is foreign code and happens elsewhere. Until then the child is
//!    restarting, and an event in between that changes its state makes the outcome void.
//! 10. A child that would exceed its start limit fails at once, not after its delay. Its siblings
//!     go on, also those that wait for it in a group restart. Its restarts count for no intensity.
//! 11. If its policy says so, a child that has never started is tried again when a start fails.
//!     These retries count for no intensity, concern no sibling, and no sibling waits for them.

mod advance;
mod children;
mod condition;
mod core;
mod defer;
mod deferred;
mod first_start;
mod intensity;
mod liveness;
mod requests;
mod restart;
mod start_limit;
mod start_times;
mod state;
mod stop;
#[cfg(test)]
mod tests;
mod types;
mod view;

pub(crate) use core::Engine;
#[cfg(test)]
pub(crate) use state::State;
pub(crate) use types::{
    Action, ChildKey, Event, Policy, Request, RequestError, RequestId, RequestOk, StartId, SupervisorExit,
    Target, Time,
};
pub(crate) use view::ChildView;
