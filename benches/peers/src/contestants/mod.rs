//! The contestants of the race: one file each, which knows the work.

mod actix;
mod bare;
mod erlang;
mod kameo;
mod perennial;
mod ractor;

use crate::work::Contestant;

pub const PERENNIAL: &Contestant = &perennial::CONTESTANT;
pub const RACTOR: &Contestant = &ractor::CONTESTANT;
pub const KAMEO: &Contestant = &kameo::CONTESTANT;
pub const ACTIX: &Contestant = &actix::CONTESTANT;
pub const BARE: &Contestant = &bare::CONTESTANT;
pub const ERLANG: &Contestant = &erlang::CONTESTANT;

/// In the order in which they are shown: perennial first.
pub const ALL: [&Contestant; 6] = [PERENNIAL, RACTOR, KAMEO, ACTIX, BARE, ERLANG];
