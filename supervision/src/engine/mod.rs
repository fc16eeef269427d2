//! The supervisor as a pure state machine: what happens goes in, what is to be done comes out.
//!
//! [`Engine::step`] takes an [`LifecycleEvent`] and the time, and returns [`Action`]s. There is no clock in it, no task, no I/O and no
//! randomness, so every rule of OTP's supervisor is a table test or a property test without a sleep. The
//! [driver](crate::driver) carries the actions out and reports what came of them.
//!
//! # Model
//!
//! ```text
//!            start            started            end (wanted back)
//!  Stopped ─────────▶ Starting ──────▶ Running ─────────────────────▶ Starting ...
//!     ▲                 │  ▲              │
//!     │          failed │  │ retry        │ stop
//!     │                 ▼  │              ▼
//!     ├───────────── Restarting        Stopping ──▶ Stopped
//!     └── stop ─────────┘
//! ```
//!
//! One-for-one restarts, and stops and starts by hand, each concern one child and go on side by side. What concerns a
//! group is a [`Round`](transition::Round): it stops some children, last started first, each fully gone before the next
//! is told, and then starts some, in order, each fully up before the next. There is one round at a time: the first start,
//! the restart of a group, or the end.
//!
//! # Rules
//!
//! 1. Whether a child is to come back is asked before any strategy: who is not restarted disturbs nobody.
//! 2. A restart is counted before it is tried and before any delay; a group counts once, every further try counts again.
//!    Of a child whose ends are part of its work, only the tries after the first are counted: those that follow a failed start.
//! 3. The end of a child is matched by its [`Run`]. News of an old one is ignored.
//! 4. Who ends while a round goes on is dealt with when it is over, unless the round comes by to stop it anyway: then that
//!    was it.
//! 5. A start that fails in a restart is tried again through the supervisor's own inbox, with a generation, so that whatever came
//!    in between gets its turn, and what it decided makes the try void. So does a restart that waits for a delay.
//! 6. Giving up, and being told to stop, take everybody down in reverse order and end the supervisor. Children of a dynamic
//!    supervisor have no order, and stop all at once: very many of them are told in turns, between which others run.
//! 7. Who hangs is ended, and then dealt with as if it had ended by itself.
//! 8. A request that concerns a child which is being started or stopped is [deferred](deferred) until that is over. The
//!    requests for one child are decided in the order of arrival, and those for other children meanwhile.

mod advance;
mod children;
mod core;
mod defer;
mod deferred;
mod intensity;
mod liveness;
mod liveness_timers;
mod requests;
mod restart;
mod stop;
#[cfg(test)]
mod tests;
mod transition;
mod types;
mod view;

pub(crate) use core::Engine;
#[cfg(test)]
pub(crate) use types::State;
pub(crate) use types::{
    Action, ChildKey, EngineReport, Event, Policy, Request, RequestError, RequestId, RequestOk, StartId,
    SupervisorExit, Target, Time, UnresponsiveCause,
};
pub(crate) use view::ChildView;
