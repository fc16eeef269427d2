//! Timers, idle timeouts, piped futures and continuations: messages that an actor sends to itself,
//! and that end with its incarnation.
//!
//! ```text
//! cargo run --release --example timers
//! ```

#[macro_use]
#[path = "support/output.rs"]
mod output;

use std::error::Error;
use std::time::Duration;

use perennial::{Actor, Context, ExitReason, Reply, System, TimerId};

const TICK: Duration = Duration::from_millis(5);

/// Loads its data after its start, ticks, saves some time after the last change, and stops when
/// idle.
struct Cache {
    journal: Vec<&'static str>,
    ticks: u32,
    ticker: Option<TimerId>,
    done: Option<Reply<Vec<&'static str>>>,
}

enum Msg {
    Load,
    Fetched(usize),
    Tick,
    Change,
    Save,
    Idle,
    /// Answered when the cache stops by itself.
    WaitForTheEnd(Reply<Vec<&'static str>>),
}

impl Actor for Cache {
    type Msg = Msg;
    type Args = ();

    async fn init(_: &(), ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        // The start is complete when init returns. A continuation comes before the mailbox.
        ctx.continue_with(Msg::Load);
        let ticker = ctx.send_interval(TICK, || Msg::Tick);
        Ok(Self { journal: Vec::new(), ticks: 0, ticker: Some(ticker), done: None })
    }

    async fn handle(&mut self, msg: Msg, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Load => {
                self.journal.push("load");
                // Runs on a thread for blocking work. The result comes as a message.
                ctx.pipe_blocking(|| (1..=1000).sum::<usize>(), Msg::Fetched);
            }
            Msg::Fetched(sum) => {
                assert_eq!(sum, 500_500);
                self.journal.push("fetched");
            }
            Msg::Tick => {
                self.ticks += 1;
                if self.ticks == 3 {
                    let left = self.ticker.take().and_then(|ticker| ctx.cancel_timer(ticker));
                    assert!(left.is_some_and(|left| left <= TICK));
                    self.journal.push("three ticks");
                    self.stop_when_idle(ctx);
                }
            }
            Msg::Change => {
                self.journal.push("change");
                // Each change restarts the same timer, so saving waits for a pause.
                ctx.start_timer("save", 2 * TICK, Msg::Save);
            }
            Msg::Save => {
                self.journal.push("save");
                self.stop_when_idle(ctx);
            }
            Msg::WaitForTheEnd(reply) => self.done = Some(reply),
            Msg::Idle => {
                self.journal.push("idle");
                if let Some(done) = self.done.take() {
                    // OTP's `{stop, Reason, Reply}`: terminate runs first, then the answer is sent.
                    ctx.stop_and_reply(ExitReason::Normal, done, std::mem::take(&mut self.journal));
                }
            }
        }
        Ok(())
    }
}

impl Cache {
    fn stop_when_idle(&self, ctx: &mut Context<Self>) {
        if self.ticker.is_none() {
            ctx.idle_timeout(4 * TICK, Msg::Idle);
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let cache = System::new().spawn::<Cache>(()).await?;
    for _ in 0..3 {
        cache.cast(Msg::Change)?;
    }
    let down = cache.monitor();
    let journal = cache.call(Msg::WaitForTheEnd).await?;
    print_line!("{}", journal.join(", "));
    assert!(matches!(down.await.reason, ExitReason::Normal));

    let count = |what| journal.iter().filter(|line| **line == what).count();
    assert_eq!(journal[0], "load", "a continuation comes before the mailbox");
    assert_eq!(count("change"), 3);
    assert_eq!(count("save"), 1, "three changes in a row are saved once");
    assert_eq!((count("fetched"), count("three ticks")), (1, 1));
    assert_eq!(journal.last(), Some(&"idle"));
    Ok(())
}
