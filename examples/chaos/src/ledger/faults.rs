//! Kills incarnations of accounts, and abandons some that wake up beside the next one.

use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fastrand::Rng;
use perennial::{Address, SupervisorHandle};
use tokio::sync::oneshot;
use tokio::time::sleep;

use super::account::Msg;
use super::protocol::Answer;
use super::worker::say;

/// One in so many faults abandons an incarnation.
const ABANDON_EVERY: u32 = 3;

/// The longest time between two faults, in microseconds.
const REST: u64 = 8_000;

/// How long an incarnation blocks its thread if nothing releases it.
const LONGEST: Duration = Duration::from_secs(5);

/// Where an incarnation blocks its thread, in place of the next one that sends money.
#[derive(Debug, Default)]
pub struct Stall(Mutex<Option<(oneshot::Sender<u32>, mpsc::Receiver<()>)>>);

impl Stall {
    /// Blocks the thread of the next account that sends money, until the sender is used. The other
    /// end says which account it is.
    fn arm(&self) -> (oneshot::Receiver<u32>, mpsc::Sender<()>) {
        let ((begin, begun), (release, released)) = (oneshot::channel(), mpsc::channel());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((begin, released));
        (begun, release)
    }

    /// Blocks the thread if that is asked for.
    pub fn pass(&self, account: u32) {
        let armed = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some((begin, released)) = armed else { return };
        if begin.send(account).is_ok() {
            // The other tasks of this thread go on elsewhere.
            let _ = tokio::task::block_in_place(|| released.recv_timeout(LONGEST));
        }
    }
}

/// What the faults befall.
pub struct Targets {
    pub accounts: Vec<Address<Msg>>,
    pub supervisor: SupervisorHandle,
    pub stall: Arc<Stall>,
}

impl Targets {
    /// Injects faults until it is stopped, or the other end is dropped. The first one abandons an
    /// incarnation.
    pub async fn inject(self, seed: u64, mut stop: oneshot::Receiver<()>) {
        let mut rng = Rng::with_seed(seed);
        for number in 0_u32.. {
            if number % ABANDON_EVERY == 0 {
                let (begun, release) = self.stall.arm();
                let account = tokio::select! {
                    biased;
                    account = begun => account,
                    _ = &mut stop => return,
                };
                if let Ok(account) = account {
                    self.abandon(account, &release).await;
                }
            } else {
                let account = &self.accounts[rng.usize(..self.accounts.len())];
                if account.handle().kill().is_ok() {
                    say(&Answer::Killed);
                }
            }
            tokio::select! {
                biased;
                _ = &mut stop => return,
                () = sleep(Duration::from_micros(rng.u64(..REST))) => {}
            }
        }
    }

    /// Replaces an incarnation that blocks its thread, and lets it go on then.
    async fn abandon(&self, account: u32, release: &mpsc::Sender<()>) {
        let id = account.to_string();
        // It is killed, and abandoned because it does not end.
        let is_over = self.supervisor.terminate_child(&*id).await.is_ok();
        let is_back = is_over && self.supervisor.restart_child(&*id).await.is_ok();
        let is_release = release.send(()).is_ok();
        if is_back && is_release {
            say(&Answer::Killed);
            say(&Answer::Abandoned);
        }
    }
}
