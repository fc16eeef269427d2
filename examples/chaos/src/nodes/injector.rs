//! Carries a plan out.

use std::sync::Arc;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use super::fleet::Fleet;
use super::journal::micros;
use super::plan::Fault;

/// A fault that was carried out. The times are in microseconds since 1970.
#[derive(Clone, Copy, Debug)]
pub struct PastFault {
    pub fault: Fault,
    pub ended: u64,
}

/// Carries all faults out, and waits for the ends of them. The second list says which faults were
/// not possible.
pub async fn attack(plan: &[Fault], fleet: &Arc<Fleet>) -> (Vec<PastFault>, Vec<String>) {
    let began = Instant::now();
    let mut faults = JoinSet::new();
    for fault in plan.iter().copied() {
        let fleet = fleet.clone();
        faults.spawn(async move {
            sleep_until(began + fault.at).await;
            fleet.begin(fault.kind).await?;
            sleep(fault.lasts).await;
            fleet.end(fault.kind).await?;
            Ok::<_, String>(PastFault { fault, ended: micros() })
        });
    }
    let (mut past, mut impossible) = (Vec::new(), Vec::new());
    while let Some(ended) = faults.join_next().await {
        match ended {
            Ok(Ok(fault)) => past.push(fault),
            Ok(Err(error)) => impossible.push(error),
            Err(error) => impossible.push(error.to_string()),
        }
    }
    (past, impossible)
}
