//! A ring of tasks with a channel each.

use std::sync::Arc;

use anyhow::Context;
use tokio::sync::{Notify, mpsc};

use crate::work::Begin;

async fn pass_on(
    mut numbers: mpsc::UnboundedReceiver<u64>,
    next: mpsc::UnboundedSender<u64>,
    reached: Arc<Notify>,
) {
    while let Some(number) = numbers.recv().await {
        if number == 0 {
            reached.notify_one();
        } else if next.send(number - 1).is_err() {
            return;
        }
    }
}

pub(super) fn start(actors: u64, reached: Arc<Notify>) -> Begin {
    let (first, mut numbers) = mpsc::unbounded_channel();
    for _ in 1..actors {
        let (next, received) = mpsc::unbounded_channel();
        tokio::spawn(pass_on(numbers, next, reached.clone()));
        numbers = received;
    }
    tokio::spawn(pass_on(numbers, first.clone(), reached));
    Box::new(move |number| first.send(number).context("the task is gone"))
}
