//! An actor that handles a number only after its test releases it.

use std::sync::Arc;

use perennial_actors::{Actor, Address, Context, ExitReason, MailboxConfig, Reply, System};
use tokio::sync::Semaphore;

pub(crate) enum Msg {
    Note(u32),
    Ask(u32, Reply<u32>),
    Notes(Reply<Vec<u32>>),
}

impl From<u32> for Msg {
    fn from(n: u32) -> Self {
        Self::Note(n)
    }
}

/// Handles a note or a question for each permit of its semaphore.
pub(crate) struct Slow {
    gate: Arc<Semaphore>,
    notes: Vec<u32>,
}

impl Actor for Slow {
    type Msg = Msg;
    type Args = Arc<Semaphore>;

    async fn init(gate: &Arc<Semaphore>, _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self { gate: gate.clone(), notes: Vec::new() })
    }

    async fn handle(&mut self, msg: Msg, _: &mut Context<Self>) -> Result<(), ExitReason> {
        if !matches!(msg, Msg::Notes(_)) {
            self.gate.acquire().await?.forget();
        }
        match msg {
            Msg::Note(n) => self.notes.push(n),
            Msg::Ask(n, reply) => reply.send(n),
            Msg::Notes(reply) => reply.send(self.notes.clone()),
        }
        Ok(())
    }
}

pub(crate) struct Stage {
    pub(crate) system: System,
    pub(crate) slow: Address<Msg>,
    gate: Arc<Semaphore>,
}

/// Starts an actor that waits in the handler of note 0.
pub(crate) async fn stage(capacity: usize, mailbox: impl FnOnce(MailboxConfig) -> MailboxConfig) -> Stage {
    let (system, gate) = (System::new(), Arc::new(Semaphore::new(0)));
    let bounded = MailboxConfig::bounded(capacity);
    let slow = system.spawn::<Slow>(gate.clone()).mailbox(mailbox(bounded)).await.expect("it starts");
    slow.cast(Msg::Note(0)).expect("it is empty");
    // Its handler begins before another note is sent.
    tokio::task::yield_now().await;
    assert!(slow.handle().info().busy_for.is_some());
    Stage { system, slow, gate }
}

impl Stage {
    pub(crate) fn open(&self) {
        self.gate.add_permits(Semaphore::MAX_PERMITS / 2);
    }

    /// Lets it handle one message.
    pub(crate) fn let_one_through(&self) {
        self.gate.add_permits(1);
    }

    /// Returns its notes after it has handled everything.
    pub(crate) async fn notes(&self) -> Vec<u32> {
        self.open();
        self.slow.call(Msg::Notes).await.expect("it lives")
    }
}
