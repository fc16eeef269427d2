//! The system: a value that connects actors with their events, dead letters, message counts and
//! timers.
//!
//! It contains the numbers of identities, lifecycle events, dead letters, the message counts of all
//! mailboxes, and the [extensions](System::extension) of other crates. There is no global state:
//! two systems in one process, such as tests that run in parallel, are independent.
//!
//! ```
//! use perennial_actors::{DeadLetter, System};
//!
//! let system = System::new();
//! let mut dead_letters = system.subscribe::<DeadLetter>();
//! assert!(system.counters().is_balanced());
//! assert!(dead_letters.try_next().is_none());
//! ```

mod any_process;
mod broadcast;
mod call_slot;
mod call_waiter;
mod call_waits;
mod dead_letter_log;
mod dead_letters;
mod events;
mod extensions;
mod hand_over;
mod kept_slots;
mod process_table;
mod samples;
mod settling;
mod shared;
#[cfg(test)]
mod tests;
mod throttle;
mod timer_wheel;
mod wheel;

pub(crate) use any_process::{
    AnyProcess, MonitorSlot, RelationsLock, RelationsSlot, StartOrder, StartOrderParts, StartOrderSlot, Work,
};
pub use any_process::{ProcessInfo, ProcessState, Suspensions};
pub use broadcast::{Broadcast, Subscription};
pub(crate) use call_slot::{Polled, Slot};
pub(crate) use call_waiter::CallWaiter;
pub(crate) use call_waits::WaitingCall;
pub use dead_letters::{DeadLetter, DeadLetterReason};
pub use events::{LifecycleEvent, LifecycleState};
pub(crate) use process_table::SlotIndex;
pub use samples::{CallTimedOut, HandlerSample};
pub(crate) use shared::DEFAULT_CALL_TIMEOUT;
pub use shared::{System, SystemBuilder, SystemEvent};
