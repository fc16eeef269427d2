//! Keeps planned panics off the terminal, and lets no other pass unnoticed.

use std::panic;
use std::sync::{Arc, Mutex, PoisonError};

use super::trap::PlannedPanic;

/// The panics that nobody planned.
#[derive(Clone, Debug, Default)]
pub struct Unplanned(Arc<Mutex<Vec<String>>>);

impl Unplanned {
    /// Sets the panic hook of this process: a planned panic says nothing, any other is shown whole and remembered.
    pub fn watch() -> Self {
        let unplanned = Self::default();
        let (remembered, show) = (unplanned.clone(), panic::take_hook());
        panic::set_hook(Box::new(move |info| {
            if info.payload().is::<PlannedPanic>() {
                return;
            }
            show(info);
            remembered.0.lock().unwrap_or_else(PoisonError::into_inner).push(info.to_string());
        }));
        unplanned
    }

    pub fn all(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
