//! How the end of a worker counts.

use std::time::Duration;

use perennial_actors::{Actor, Context, ExitReason, Pid, System};

use crate::pool::runtime::worker_exit::{ExitHistory, WorkerEnd};
use crate::report::LivenessFailure;

const FAILURE: LivenessFailure = LivenessFailure::Probe(3);

struct Idle;

impl Actor for Idle {
    type Msg = ();
    type Args = ();

    async fn init((): &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self)
    }

    async fn handle(&mut self, (): (), _: &mut Context<Self>) -> Result<(), ExitReason> {
        Ok(())
    }
}

type Record = fn(&ExitHistory, Pid);

const NOTHING: Record = |_, _| ();
const DISMISSED: Record = ExitHistory::mark_dismissed;
const UNRESPONSIVE: Record = |history, pid| history.mark_unresponsive(pid, FAILURE);
const RECYCLED: Record = ExitHistory::mark_recycled;

#[tokio::test]
async fn the_end_of_a_worker_follows_from_its_reason_and_from_what_its_supervisor_did() {
    let system = System::new();
    let actor = system.spawn::<Idle>(()).await.expect("it starts");
    let pid = actor.pid().expect("it runs");
    let failed = || ExitReason::failed("on purpose");
    let table = [
        (NOTHING, ExitReason::Normal, WorkerEnd::Lost),
        (NOTHING, ExitReason::Killed, WorkerEnd::Lost),
        (DISMISSED, ExitReason::Shutdown(None), WorkerEnd::Dismissed),
        (DISMISSED, ExitReason::Killed, WorkerEnd::Dismissed),
        // It fails or panics while it stops.
        (DISMISSED, failed(), WorkerEnd::Lost),
        (UNRESPONSIVE, ExitReason::Killed, WorkerEnd::Unresponsive(FAILURE)),
        (UNRESPONSIVE, ExitReason::Unresponsive, WorkerEnd::Unresponsive(FAILURE)),
        // It ends by itself first.
        (UNRESPONSIVE, failed(), WorkerEnd::Lost),
        (RECYCLED, ExitReason::Normal, WorkerEnd::Renewed),
        (RECYCLED, failed(), WorkerEnd::Lost),
    ];
    for (record, reason, expected) in table {
        let history = ExitHistory::new(Duration::from_secs(1));
        record(&history, pid);
        assert_eq!(history.end_of(pid, &reason), expected, "{reason}");
    }
}
