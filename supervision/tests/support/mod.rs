//! What several test files share.

pub(crate) mod bombs;
pub(crate) mod gate;
pub(crate) mod pool;
pub(crate) mod ractor_script;
pub(crate) mod reports;
pub(crate) mod storm;
pub(crate) mod subject;
pub(crate) mod threads;
pub(crate) mod unit;
pub(crate) mod versioned;
pub(crate) mod worker;
