//! The floors: the same works by hand, with tasks and channels of tokio and no promises.
//!
//! They have no limits. `./x instructions --floors` counts them.

use tokio::sync::{mpsc, oneshot};

use crate::works::{BATCH, Work, batches, works};

/// All floors, in the order in which they are counted.
pub(crate) const FLOORS: &[Work] = &works![
    bare_cast,
    bare_send_bounded,
    bare_call,
    bare_call_with_timeout,
    bare_spawn_stop,
    bare_restart,
    bare_job,
];

enum Msg {
    Add(u64),
    Get(oneshot::Sender<u64>),
    Crash,
}

/// What takes messages from a channel until one of them is a crash.
macro_rules! counter {
    ($receiver:expr) => {{
        let mut sum = 0;
        loop {
            match $receiver.recv().await {
                None => break Ok(()),
                Some(Msg::Add(number)) => sum += number,
                Some(Msg::Get(reply)) => drop(reply.send(sum)),
                Some(Msg::Crash) => break Err("it was told to"),
            }
        }
    }};
}

async fn get(sender: &mpsc::UnboundedSender<Msg>) -> u64 {
    let (reply, answer) = oneshot::channel();
    sender.send(Msg::Get(reply)).expect("it is open");
    answer.await.expect("it answers")
}

fn counter() -> mpsc::UnboundedSender<Msg> {
    let (sender, mut receiver) = mpsc::unbounded_channel();
    tokio::spawn(async move { counter!(receiver) });
    sender
}

async fn bare_cast(items: u64) {
    let counter = counter();
    for batch in batches(items) {
        for _ in 0..batch {
            counter.send(Msg::Add(1)).expect("it is open");
        }
        get(&counter).await;
    }
    assert_eq!(get(&counter).await, items);
}

async fn bare_send_bounded(items: u64) {
    let (sender, mut receiver) = mpsc::channel(BATCH as usize + 1);
    tokio::spawn(async move { counter!(receiver) });
    for batch in batches(items) {
        for _ in 0..batch {
            sender.send(Msg::Add(1)).await.expect("it is open");
        }
        let (reply, answer) = oneshot::channel();
        sender.send(Msg::Get(reply)).await.expect("it is open");
        answer.await.expect("it answers");
    }
}

async fn bare_call(items: u64) {
    let counter = counter();
    for _ in 0..items {
        get(&counter).await;
    }
}

/// A call as above, within tokio's timeout.
async fn bare_call_with_timeout(items: u64) {
    let counter = counter();
    for _ in 0..items {
        tokio::time::timeout(std::time::Duration::from_secs(5), get(&counter)).await.expect("it is in time");
    }
}

/// A task with a channel, which ends when its channel is closed, and is waited for.
async fn bare_spawn_stop(items: u64) {
    for _ in 0..items {
        let (sender, mut receiver) = mpsc::unbounded_channel::<Msg>();
        let task = tokio::spawn(async move { counter!(receiver) });
        drop(sender);
        assert!(task.await.expect("it ends").is_ok());
    }
}

/// A task that ends with an error is waited for by another, which starts it again with the same
/// channel. There is no window of restarts, no name, and no state that others see.
async fn bare_restart(items: u64) {
    let (sender, mut receiver) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            let task = tokio::spawn(async move { (counter!(receiver), receiver) });
            match task.await.expect("it ends") {
                (Ok(()), _) => break,
                (Err(_), kept) => receiver = kept,
            }
        }
    });
    for _ in 0..items {
        sender.send(Msg::Crash).expect("it is open");
        get(&sender).await;
    }
}

/// Two tasks take jobs from one channel, behind a lock, and send each result back.
async fn bare_job(items: u64) {
    let (jobs, receiver) = mpsc::unbounded_channel::<(u64, oneshot::Sender<u64>)>();
    let receiver = std::sync::Arc::new(tokio::sync::Mutex::new(receiver));
    for _ in 0..2 {
        let receiver = receiver.clone();
        tokio::spawn(async move {
            loop {
                let job = receiver.lock().await.recv().await;
                let Some((number, result)) = job else { break };
                let _ = result.send(number);
            }
        });
    }
    for number in 0..items {
        let (result, job) = oneshot::channel();
        jobs.send((number, result)).expect("it is open");
        assert_eq!(job.await.expect("it succeeds"), number);
    }
}
