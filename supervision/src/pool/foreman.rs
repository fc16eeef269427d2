//! The one in a pool who keeps its times: delays, retries, rates, and how many workers there are.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use perennial_actors::{Actor, Context, ExitReason};

use super::handle::PoolHandle;
use super::office::Look;
use super::scale::{Load, Scale};

/// How often it looks whether there are too few workers, or too many.
const ROUND: Duration = Duration::from_millis(100);

/// Keeps the times of a pool.
pub(super) struct Foreman<J, T, E> {
    pool: PoolHandle<J, T, E>,
    scale: Option<Scale>,
    resizing: Option<tokio::task::JoinHandle<()>>,
}

impl<J, T, E> Actor for Foreman<J, T, E>
where
    J: Send + Sync + 'static,
    T: Send + 'static,
    E: Send + Sync + 'static,
{
    type Msg = Look;
    type Args = Arc<(PoolHandle<J, T, E>, Option<Scale>)>;

    async fn init(args: &Self::Args, ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        let (pool, scale) = (args.0.clone(), args.1.clone());
        pool.close_with_the_tree();
        ctx.continue_with(Look);
        Ok(Self { pool, scale, resizing: None })
    }

    async fn handle(&mut self, _: Look, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        let shared = self.pool.shared();
        let now = shared.now();
        let (next, oldest, queued) = shared.with(|board| {
            let roused = board.tick(now);
            ((board.next_deadline(now), board.oldest(), board.waiting()), roused)
        });
        self.resize(Load {
            queued,
            waited: oldest.map_or(Duration::ZERO, |since| now.saturating_sub(since)),
        });
        let round = self.scale.is_some().then_some(ROUND);
        let due = next.map(|next| next.saturating_sub(now).max(Duration::from_millis(1)));
        if let Some(wait) = [round, due].into_iter().flatten().min() {
            ctx.start_timer("look", wait, Look);
        }
        Ok(())
    }
}

impl<J, T, E> Foreman<J, T, E>
where
    J: Send + Sync + 'static,
    T: Send + 'static,
    E: Send + Sync + 'static,
{
    /// One change at a time, and in a task of its own: whoever asks a supervisor must not keep it waiting.
    fn resize(&mut self, load: Load) {
        let Some(scale) = &mut self.scale else { return };
        if self.resizing.as_ref().is_some_and(|resizing| !resizing.is_finished()) {
            return;
        }
        let shared = self.pool.shared();
        let workers = shared.wanted.load(Ordering::Acquire);
        let wanted = scale.judge(workers, load, shared.now());
        if wanted != workers {
            let pool = self.pool.clone();
            self.resizing = Some(tokio::spawn(async move {
                if let Err(error) = pool.resize(wanted).await {
                    tracing::debug!(%error, "pool was not resized");
                }
            }));
        }
    }
}
