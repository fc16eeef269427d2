//! Ctrl-C: the first one asks for the report so far, the second one ends the process.

use std::process;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// The exit code of a run that Ctrl-C has ended: 128 and the number of SIGINT, as a shell reports
/// it.
pub const EXIT_CODE: u8 = 130;

/// The state of Ctrl-C: pressed or not.
#[derive(Clone, Debug)]
pub struct Interrupt(watch::Receiver<bool>);

impl Interrupt {
    /// Listens for Ctrl-C from now on.
    pub fn listen() -> Self {
        let (pressed, interrupt) = watch::channel(false);
        // Without a handler, the signal keeps its default, which ends the process.
        if let Ok(mut signals) = signal(SignalKind::interrupt()) {
            tokio::spawn(async move {
                signals.recv().await;
                pressed.send_replace(true);
                print_error!("\nchaos: stopping, the report so far follows; Ctrl-C again ends it at once");
                signals.recv().await;
                process::exit(i32::from(EXIT_CODE));
            });
        }
        Self(interrupt)
    }

    pub fn is_requested(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits for the first Ctrl-C.
    pub async fn requested(&self) {
        if self.0.clone().wait_for(|pressed| *pressed).await.is_err() {
            // There is no handler.
            std::future::pending::<()>().await;
        }
    }
}
