//! The life of one incarnation that is a ractor actor, as its host sees it.

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

/// For how long an incarnation that has ended waits for what only others can bring about: that those below it are gone, which
/// ractor has killed, and that ractor's event has come to the supervisor.
const PATIENCE: Duration = Duration::from_secs(5);

/// Lives through one incarnation.
pub(super) async fn live<A: Actor>(
    attachment: MailboxConsumer<A::Msg>,
    make: Arc<dyn Fn() -> (A, A::Arguments) + Send + Sync>,
    link: Option<RactorLink>,
) {
    let system = attachment.system().clone();
    let (actor, args) = match catch_panic(Some(&system), || make()) {
        Ok(made) => made,
        Err(reason) => return attachment.end(reason),
    };
    let mut host = Host { house: Arc::new(HostShared::new(actor, &attachment)), attachment };
    let reason = match host.start(args, link).await {
        Ok(spawned) => host.serve(spawned).await,
        Err(reason) => reason,
    };
    wait_for(host.house.descendants(), &system).await;
    // The actor and its state, which may panic as they go.
    let Host { house, attachment } = host;
    let reason = house.clear().unwrap_or(reason);
    attachment.end(reason);
}

struct Host<A: Actor> {
    house: Arc<HostShared<A>>,
    attachment: MailboxConsumer<A::Msg>,
}

/// A ractor actor that has started.
struct Spawned {
    actor: ActorCell,
    ended: JoinHandle<()>,
    text: oneshot::Receiver<Option<String>>,
}

impl<A: Actor> Host<A> {
    /// Starts the actor, in this task: whoever is told to stop meanwhile, or killed, only has to drop the attempt.
    async fn start(&mut self, args: A::Arguments, link: Option<RactorLink>) -> Result<Spawned, ExitReason> {
        let (farewell, text) = StopReasonSender::new();
        let (hosted, args) = (Wrapper(self.house.clone()), (Guarded::new(args), farewell));
        let spawning: Pin<Box<dyn Future<Output = _> + Send>> = match link {
            Some(link) => Box::pin(Wrapper::spawn_linked(None, hosted, args, link.into_cell())),
            None => Box::pin(Wrapper::spawn(None, hosted, args)),
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
            .map_err(|error: SpawnErr| self.house.failure().unwrap_or_else(|| ExitReason::failed(error)))?;
        self.attachment.started();
        Ok(Spawned { actor: actor.get_cell(), ended, text })
    }

    /// Calls the actor to its messages and passes orders on, until it is gone; why it ended.
    async fn serve(&mut self, spawned: Spawned) -> ExitReason {
        let Spawned { actor, mut ended, text } = spawned;
        let (mut told, mut killed) = (None, false);
        let joined = poll_fn(|cx| {
            loop {
                if let Poll::Ready(joined) = Pin::new(&mut ended).poll(cx) {
                    return Poll::Ready(joined);
                }
                if killed {
                    // Nothing else can be done. If it does not die, it is its supervisor that gives up.
                    return Poll::Pending;
                }
                match self.house.poll(&mut self.attachment, told.is_none(), cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(MailboxEvent::Message(())) => self.house.ring(),
                    Poll::Ready(MailboxEvent::Stop(reason)) => {
                        told.get_or_insert(reason);
                        actor.stop(None);
                    }
                    Poll::Ready(_) => {
                        killed = true;
                        self.house.note_below(&actor);
                        actor.kill();
                    }
                }
            }
        });
        let joined = joined.await;
        self.why(joined, told, text).await
    }

    /// Why it ended, now that it is gone.
    async fn why(
        &mut self,
        joined: Result<(), JoinError>,
        told: Option<ExitReason>,
        text: oneshot::Receiver<Option<String>>,
    ) -> ExitReason {
        // Not a callback, but something that was dropped with one.
        let panicked = joined.err().filter(JoinError::is_panic);
        let panicked = panicked.map(host::reason_of_join);
        if let Some(reason) = self.house.failure().or(panicked) {
            return reason;
        }
        if !self.house.has_said_good_bye() {
            return ExitReason::Killed;
        }
        match told {
            Some(reason) => reason,
            None => self.own_reason(text).await,
        }
    }

    /// The reason that it gave itself. Its supervisor was sent the text, and passes it on when it comes to that; unless it is on its
    /// way out and tells its children to stop instead.
    async fn own_reason(&mut self, text: oneshot::Receiver<Option<String>>) -> ExitReason {
        let order = poll_fn(|cx| self.attachment.poll_order(cx));
        tokio::select! {
            biased;
            text = text => match text.ok().flatten() {
                Some(text) => ExitReason::shutdown_with(text),
                None => ExitReason::Normal,
            },
            step = order => reason_of(step),
            () = tokio::time::sleep(PATIENCE) => ExitReason::Normal,
        }
    }
}

/// The reason that an order gives.
fn reason_of(step: MailboxEvent<()>) -> ExitReason {
    match step {
        MailboxEvent::Stop(reason) => reason,
        _ => ExitReason::Killed,
    }
}

/// Waits until those are gone who were below an actor. Ractor has killed them, and did not wait.
async fn wait_for(below: Vec<ActorCell>, system: &System) {
    let deadline = Instant::now() + PATIENCE;
    for cell in below {
        if timeout_at(deadline, cell.wait(None)).await.is_err() {
            log::ractor_child_outlives(system, cell.get_id());
        }
    }
}
