//! The series, and the labels that they are counted under.

use ::metrics::SharedString;
use perennial_supervision::SupervisorStatus;

use super::labels::Labels;
use super::series::Series;
use crate::model::Model;

/// The series, and the labels that they are counted under.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) series: Series,
    pub(super) labels: Labels,
}

impl Tally {
    /// Returns the label of an actor.
    pub(super) fn actor(&self, path: &str) -> SharedString {
        self.labels.of(path).into()
    }

    /// Notes the supervisors and pools whose children share a label.
    pub(super) fn note_all(&mut self, model: &Model) {
        model.supervisors.values().for_each(|status| self.note(status));
        model.pools.values().for_each(|status| self.labels.set_dynamic(&status.path));
    }

    pub(super) fn note(&mut self, status: &SupervisorStatus) {
        if status.strategy.is_none() {
            self.labels.set_dynamic(&status.path);
        }
    }
}
