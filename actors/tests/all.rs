//! The tests of what users see, in one program: each file is a module. What needs a process of its
//! own has a `[[test]]` in the manifest.

mod abandoned;
mod auto_traits;
mod busy;
mod calls;
mod calls_as_values;
mod continuing;
mod crossing;
mod debugging;
mod draining;
mod ends;
mod exit_signals;
mod exits_in_handlers;
mod flood;
mod flow;
mod foreign_calls;
mod foreign_drop;
mod foreign_log;
mod foreign_ring;
mod foreign_wakers;
mod hosting;
mod idle;
mod inits;
mod introspection;
mod kept_errors;
mod kept_letters;
mod labels;
mod links;
mod lookout;
mod monitors;
mod no_timers;
mod once;
mod overflow;
mod own_mailbox;
mod parents;
mod permits;
mod pipes;
mod readiness;
mod reasons_of;
mod recipients;
mod restarts;
mod samples;
mod servers;
mod spawn;
mod streams;
mod system;
mod system_shutdown;
mod timeouts;
mod timers;
mod turns;
mod watching;

mod support {
    pub(crate) mod parent;
    pub(crate) mod scripted;
    pub(crate) mod scripted_host;
    pub(crate) mod scripted_lifecycle;
    pub(crate) mod slow;
}
