//! The message of a log line, and the fields of a line or a span, as text.

use std::fmt::{self, Write};

use tracing::field::{Field, Visit};

#[derive(Default)]
pub(crate) struct Text {
    pub(crate) message: String,
    /// ` field=value` for each field.
    pub(crate) fields: String,
}

impl Visit for Text {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.message = format!("{value:?}");
        } else {
            write!(self.fields, " {}={value:?}", field.name()).expect("a string takes it");
        }
    }
}
