//! The contestants of the race: one file each, which knows the work.

mod actix;
mod bare;
mod erlang;
mod kameo;
mod perennial;
mod queues;
mod ractor;
mod zenoh;

use crate::work::Contestant;

pub use perennial::{UNTIL_KILLED, work_until_killed};

pub const PERENNIAL: &Contestant = &perennial::CONTESTANT;
pub const RACTOR: &Contestant = &ractor::CONTESTANT;
pub const KAMEO: &Contestant = &kameo::CONTESTANT;
pub const ACTIX: &Contestant = &actix::CONTESTANT;
pub const BARE: &Contestant = &bare::CONTESTANT;
pub const ERLANG: &Contestant = &erlang::CONTESTANT;

pub const ZENOH: &Contestant = &zenoh::CONTESTANT;

pub const APALIS: &Contestant = &queues::APALIS;
pub const RIVER: &Contestant = &queues::RIVER;
pub const TELLUS: &Contestant = &queues::TELLUS;

/// In the order in which they are shown: perennial first.
pub const ALL: [&Contestant; 10] =
    [PERENNIAL, RACTOR, KAMEO, ACTIX, BARE, ERLANG, APALIS, RIVER, TELLUS, ZENOH];

/// Those with actors.
pub const ACTORS: [&Contestant; 6] = [PERENNIAL, RACTOR, KAMEO, ACTIX, BARE, ERLANG];

/// Those with a durable queue or durable actors.
pub const DURABLE: [&Contestant; 5] = [PERENNIAL, APALIS, RIVER, TELLUS, BARE];

/// Those with messages between processes.
pub const REMOTE: [&Contestant; 5] = [PERENNIAL, ZENOH, RACTOR, KAMEO, BARE];
