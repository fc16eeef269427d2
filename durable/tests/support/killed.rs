//! A process that writes is killed with SIGKILL at random moments: the part that does not know
//! which store it writes to.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use perennial_durable::{
    Applied, AttemptEnd, AttemptFailure, Batch, JobFilter, JobId, JobRecord, NewJob, Op, RecordState, Store,
    Timestamp,
};

use crate::support::{payload, this_program};

/// Names the store to the process that is killed.
const ADDRESS: &str = "PERENNIAL_KILLED_ADDRESS";
const QUEUE: &str = "q";

/// The first line of a process that has opened the store.
const UP: &str = "up";

/// Opens the store of an address.
pub(crate) type Open = fn(&str) -> Arc<dyn Store>;

/// What the killed processes have printed: each line follows an acknowledgement.
#[derive(Default)]
struct Acknowledged {
    stored: BTreeMap<u64, String>,
    done: BTreeSet<u64>,
}

impl Acknowledged {
    fn read(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["stored", id, text] => {
                self.stored.insert(id.parse().expect("a number"), text.to_owned());
            }
            ["done", id] => {
                self.done.insert(id.parse().expect("a number"));
            }
            _ => {}
        }
    }

    fn check(&self, store: &dyn Store) {
        let all = block_on(store.jobs(JobFilter::default())).expect("jobs");
        let all: BTreeMap<u64, JobRecord> = all.into_iter().map(|record| (record.id.0, record)).collect();
        for (id, text) in &self.stored {
            let record = all.get(id).unwrap_or_else(|| panic!("job {id} was acknowledged and is lost"));
            assert_eq!(record.job.payload, payload(text));
        }
        for id in &self.done {
            assert_eq!(all[id].state, RecordState::Completed, "the outcome of job {id} is lost");
            assert_eq!(all[id].output, Some(payload("out")));
        }
    }
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
}

/// Numbers that differ in each run; the first is printed.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// Starts this program with the test that is the process to be killed.
fn start(test: &str, address: &str) -> Child {
    this_program(test)
        .env(ADDRESS, address)
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .expect("a process")
}

fn lines(child: &mut Child) -> Receiver<String> {
    let (sender, lines) = channel();
    let output = child.stdout.take().expect("a pipe");
    // A line that was cut off by the kill has no end, and may lack a part of its number.
    thread::spawn(move || {
        let mut output = BufReader::new(output);
        let mut line = String::new();
        while output.read_line(&mut line).is_ok_and(|read| read > 0) && line.ends_with('\n') {
            let _ = sender.send(line.trim_end().to_owned());
            line.clear();
        }
    });
    lines
}

/// Kills processes that run this test, each within this time since it had opened the store, and
/// checks the store after each. One in eight is killed within this time since its start.
pub(crate) fn kill_again_and_again(test: &str, address: &str, micros: u64, open: Open) {
    let kills: u32 = env::var("PERENNIAL_KILLS").map_or(25, |kills| kills.parse().expect("a number"));
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a time after 1970");
    let mut random = Random(since.as_micros().try_into().expect("64 bits"));
    print(&format!("the seed is {}", random.0));
    let mut acknowledged = Acknowledged::default();
    for kill in 1..=kills {
        let mut child = start(test, address);
        let lines = lines(&mut child);
        if random.below(8) > 0 {
            while !lines.recv().expect("the process ended by itself").ends_with(UP) {}
        }
        let end = Instant::now() + Duration::from_micros(random.below(micros));
        loop {
            match lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) => acknowledged.read(&line),
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => panic!("the process ended by itself"),
            }
        }
        child.kill().expect("a process");
        child.wait().expect("a process");
        lines.iter().for_each(|line| acknowledged.read(&line));
        let store = open(address);
        acknowledged.check(&*store);
        if kill == kills {
            block_on(store.check()).expect("a store in order");
        }
    }
    print(&format!("{} jobs stored, {} done", acknowledged.stored.len(), acknowledged.done.len()));
    assert!(kills < 25 || !acknowledged.done.is_empty(), "no process lived long enough to do a job");
}

/// Stores and does jobs for ever. It does nothing without an address.
pub(crate) fn be_killed(open: Open) {
    let Ok(address) = env::var(ADDRESS) else { return };
    let store = open(&address);
    print(UP);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("a runtime");
    runtime.block_on(async move {
        for orphan in store.orphans(QUEUE, usize::MAX).await.expect("jobs") {
            let retry = AttemptEnd::Retry { failure: AttemptFailure::ProcessEnded, due: Timestamp(1) };
            finish(&*store, &orphan, retry).await;
        }
        let submitters = (0..4).map(|number| tokio::spawn(submit(store.clone(), number)));
        let submitters: Vec<_> = submitters.collect();
        work(&*store).await;
        drop(submitters);
    });
}

async fn finish(store: &dyn Store, record: &JobRecord, end: AttemptEnd) {
    let op = Op::Finish { job: record.id, attempt: record.attempt, end };
    store.commit(Batch::of(Timestamp(1), op)).await.expect("a commit");
}

fn print(line: &str) {
    let mut output = std::io::stdout().lock();
    writeln!(output, "{line}").and_then(|()| output.flush()).expect("an open pipe");
}

async fn submit(store: Arc<dyn Store>, submitter: u32) {
    for number in 0.. {
        let text = format!("{}-{submitter}-{number}", store.epoch().0);
        let new = NewJob { retention: Duration::MAX, ..NewJob::new(QUEUE, payload(&text)) };
        match store.commit(Batch::of(Timestamp(1), Op::Enqueue(Box::new(new)))).await.expect("a commit")[..] {
            [Applied::Enqueued(JobId(id))] => print(&format!("stored {id} {text}")),
            ref other => panic!("{other:?}"),
        }
    }
}

async fn work(store: &dyn Store) {
    loop {
        let lease = Batch::of(Timestamp(1), Op::Lease { queue: QUEUE.to_owned(), max: 3 });
        let applied = store.commit(lease).await.expect("a commit");
        let [Applied::Leased(leased)] = &applied[..] else { panic!("{applied:?}") };
        for record in &leased.jobs {
            finish(store, record, AttemptEnd::Completed(Some(payload("out")))).await;
            print(&format!("done {}", record.id));
        }
        tokio::task::yield_now().await;
    }
}
