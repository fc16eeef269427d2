//! Gives the series to the recorder of the facade. It is foreign code, so each call runs under a
//! guard: a series whose recorder panics costs no other.

use ::metrics::{Key, Label, Level, Metadata, Recorder, SharedString, with_recorder};
use perennial_actors::host::ignore_panic;

use super::catalog::{ALL, MetricInfo, MetricKind};
use super::series::Value;

const METADATA: Metadata<'static> = Metadata::new("perennial", Level::INFO, Some(module_path!()));

/// Publishes series. It is called under no lock.
pub(super) fn publish(series: Vec<(&'static MetricInfo, Vec<SharedString>, Value)>) {
    describe();
    for (metric, values, value) in series {
        let labels = metric.labels.iter().zip(values).map(|(label, value)| Label::new(*label, value));
        let key = Key::from_parts(metric.name, labels.collect::<Vec<_>>());
        with_guarded(|recorder| match value {
            Value::Counter(number) => recorder.register_counter(&key, &METADATA).absolute(number),
            Value::Gauge(number) => recorder.register_gauge(&key, &METADATA).set(number),
            Value::Histogram(samples) => {
                let histogram = recorder.register_histogram(&key, &METADATA);
                for (sample, number) in samples {
                    histogram.record_many(sample, usize::try_from(number).unwrap_or(usize::MAX));
                }
            }
        });
    }
}

/// Describes all metrics each time, because a recorder may be installed later.
fn describe() {
    for metric in ALL {
        let (name, unit, text) = (metric.name.into(), Some(metric.unit()), metric.description.into());
        with_guarded(|recorder| match metric.kind {
            MetricKind::Counter => recorder.describe_counter(name, unit, text),
            MetricKind::Gauge => recorder.describe_gauge(name, unit, text),
            MetricKind::Histogram => recorder.describe_histogram(name, unit, text),
        });
    }
}

fn with_guarded(call: impl FnOnce(&dyn Recorder)) {
    ignore_panic(|| with_recorder(call));
}
