//! The host task of one incarnation that is a ractor actor.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use perennial_actors::host::{self, Guarded, MailboxConsumer, MailboxEvent, catch_panic};
use perennial_actors::{ExitReason, System};
use ractor::concurrency::JoinHandle;
use ractor::{Actor, ActorCell, SpawnErr};
use tokio::sync::oneshot;
use tokio::task::JoinError;
use tokio::time::{Instant, timeout_at};

use super::host_shared::HostShared;
use super::wrapper::Wrapper;
use crate::link::{RactorLink, StopReasonSender};
use crate::log;

/// How long an ended incarnation waits for two things that happen elsewhere: the end of its
/// descendants, which ractor has killed, and the arrival of ractor's event at the supervisor.
const EXIT_TIMEOUT: Duration = Duration::from_secs(5);

/// Runs one incarnation.
pub(super) async fn run<A: Actor>(
    attachment: MailboxConsumer<A::Msg>,
    make: Arc<dyn Fn() -> (A, A::Arguments) + Send + Sync>,
    link: Option<RactorLink>,
) {
    let system = attachment.system().clone();
    let (actor, args) = match catch_panic(Some(&system), || make()) {
        Ok(made) => made,
        Err(reason) => return attachment.end(reason),
    };
    let mut host = Host { shared: Arc::new(HostShared::new(actor, &attachment)), attachment };
    let reason = match host.start(args, link).await {
        Ok(spawned) => host.serve(spawned).await,
        Err(reason) => reason,
    };
    wait_for(host.shared.take_descendants(), &system).await;
    // This drops the actor and its state. A panic of a drop is the exit reason.
    let Host { shared, attachment } = host;
    let reason = shared.clear().unwrap_or(reason);
    attachment.end(reason);
}

/// The host of one incarnation.
struct Host<A: Actor> {
    shared: Arc<HostShared<A>>,
    attachment: MailboxConsumer<A::Msg>,
}

/// A ractor actor that has started.
struct Spawned {
    actor: ActorCell,
    ended: JoinHandle<()>,
    text: oneshot::Receiver<Option<String>>,
}

impl<A: Actor> Host<A> {
    /// Starts the actor. A stop or a kill meanwhile drops the attempt, because it runs in this
    /// task.
    async fn start(&mut self, args: A::Arguments, link: Option<RactorLink>) -> Result<Spawned, ExitReason> {
        let (reason_sender, text) = StopReasonSender::new();
        let (wrapper, args) = (Wrapper(self.shared.clone()), (Guarded::new(args), reason_sender));
        let spawning: Pin<Box<dyn Future<Output = _> + Send>> = match link {
            Some(link) => Box::pin(Wrapper::spawn_linked(None, wrapper, args, link.into_cell())),
            None => Box::pin(Wrapper::spawn(None, wrapper, args)),
        };
        let system = self.attachment.system().clone();
        let mut spawning = Guarded::new(spawning);
        let spawned = poll_fn(|cx| {
            if let Poll::Ready(step) = self.attachment.poll_order(cx) {
                return Poll::Ready(Err(reason_of(step)));
            }
            match catch_panic(Some(&system), || spawning.as_mut().poll(cx)) {
                Ok(Poll::Pending) => Poll::Pending,
                Ok(Poll::Ready(spawned)) => Poll::Ready(Ok(spawned)),
                Err(panicked) => Poll::Ready(Err(panicked)),
            }
        });
        let spawned = spawned.await;
        catch_panic(Some(&system), || drop(spawning.into_inner()))?;
        let (actor, ended) = spawned?
            .map_err(|error: SpawnErr| self.shared.failure().unwrap_or_else(|| ExitReason::failed(error)))?;
        self.attachment.started();
        Ok(Spawned { actor: actor.get_cell(), ended, text })
    }

    /// Passes messages and control signals to the actor until it has ended. Returns the exit
    /// reason.
    async fn serve(&mut self, spawned: Spawned) -> ExitReason {
        let Spawned { actor, mut ended, text } = spawned;
        let (mut requested, mut killed) = (None, false);
        let joined = poll_fn(|cx| {
            loop {
                if let Poll::Ready(joined) = Pin::new(&mut ended).poll(cx) {
                    return Poll::Ready(joined);
                }
                if killed {
                    // If the actor does not end, its supervisor abandons it.
                    return Poll::Pending;
                }
                match self.shared.poll(&mut self.attachment, requested.is_none(), cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(MailboxEvent::Message(())) => self.shared.ring(),
                    Poll::Ready(MailboxEvent::Stop(reason)) => {
                        requested.get_or_insert(reason);
                        actor.stop(None);
                    }
                    Poll::Ready(_) => {
                        killed = true;
                        self.shared.record_descendants(&actor);
                        actor.kill();
                    }
                }
            }
        });
        let joined = joined.await;
        self.exit_reason(joined, requested, text).await
    }

    /// Returns the exit reason of an actor that has ended.
    async fn exit_reason(
        &mut self,
        joined: Result<(), JoinError>,
        requested: Option<ExitReason>,
        text: oneshot::Receiver<Option<String>>,
    ) -> ExitReason {
        // The panic was not in a callback, but in a drop after one.
        let panicked = joined.err().filter(JoinError::is_panic);
        let panicked = panicked.map(host::reason_of_join);
        if let Some(reason) = self.shared.failure().or(panicked) {
            return reason;
        }
        if !self.shared.stopped_cleanly() {
            return ExitReason::Killed;
        }
        match requested {
            Some(reason) => reason,
            None => self.own_reason(text).await,
        }
    }

    /// Returns the reason with which the actor stopped itself. Ractor sends the text to the
    /// supervisor, which passes it on when it handles that event. A supervisor that is ending sends
    /// a stop instead.
    async fn own_reason(&mut self, text: oneshot::Receiver<Option<String>>) -> ExitReason {
        let order = poll_fn(|cx| self.attachment.poll_order(cx));
        tokio::select! {
            biased;
            text = text => match text.ok().flatten() {
                Some(text) => ExitReason::shutdown_with(text),
                None => ExitReason::Normal,
            },
            step = order => reason_of(step),
            () = tokio::time::sleep(EXIT_TIMEOUT) => ExitReason::Normal,
        }
    }
}

/// Returns the exit reason that a control signal implies.
fn reason_of(step: MailboxEvent<()>) -> ExitReason {
    match step {
        MailboxEvent::Stop(reason) => reason,
        _ => ExitReason::Killed,
    }
}

/// Waits until the descendants of an actor have ended. Ractor has killed them and did not wait.
async fn wait_for(descendants: Vec<ActorCell>, system: &System) {
    let deadline = Instant::now() + EXIT_TIMEOUT;
    for cell in descendants {
        if timeout_at(deadline, cell.wait(None)).await.is_err() {
            log::ractor_child_outlives(system, cell.get_id());
        }
    }
}
