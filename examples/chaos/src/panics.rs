//! Hides planned panics from the terminal, and collects all others.

use std::panic;
use std::sync::{Arc, Mutex, PoisonError};

use super::fault_point::PlannedPanic;

/// The panics that were not planned.
#[derive(Clone, Debug, Default)]
pub struct UnplannedPanics(Arc<Mutex<Vec<String>>>);

impl UnplannedPanics {
    /// Sets the panic hook of this process. It prints nothing for a planned panic. It prints and
    /// collects any other.
    pub fn collect() -> Self {
        let unplanned = Self::default();
        let (collected, print) = (unplanned.clone(), panic::take_hook());
        panic::set_hook(Box::new(move |info| {
            if info.payload().is::<PlannedPanic>() {
                return;
            }
            print(info);
            collected.0.lock().unwrap_or_else(PoisonError::into_inner).push(info.to_string());
        }));
        unplanned
    }

    pub fn all(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
