//! The series of all metrics: a bounded number for each.

use std::collections::HashMap;

use ::metrics::SharedString;

use super::catalog::MetricInfo;

/// The most series of one metric.
pub(super) const MAX_SERIES: usize = 1_000;

/// The number of series that are kept for what exceeds the rest: one for each value of the labels
/// whose values are fixed.
const RESERVED: usize = 16;

/// The labels whose values are fixed. The values of the others come from the program.
const FIXED: [&str; 5] = ["state", "reason", "outcome", "check", "why"];

/// Stands for all values of a label beyond the most.
pub(super) const OTHER: SharedString = SharedString::const_str("other");

type Values = Vec<SharedString>;

/// What a metric counts, by the values of its labels.
#[derive(Debug, Default)]
pub(super) struct Series {
    counters: Table<u64>,
    gauges: Table<f64>,
    /// What histograms got since it was published.
    samples: Table<Vec<(f64, u64)>>,
}

/// What is published of one series.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Counter(u64),
    Gauge(f64),
    Histogram(Vec<(f64, u64)>),
}

impl Series {
    /// Adds to a counter.
    pub(super) fn count(&mut self, metric: &'static MetricInfo, values: Values, number: u64) {
        if number > 0 {
            *self.counters.entry(metric, values) += number;
        }
    }

    /// Sets all gauges to zero. Series that are not set again are those of what is gone.
    pub(super) fn reset_gauges(&mut self) {
        self.gauges.0.values_mut().flat_map(|(_, series)| series.values_mut()).for_each(|value| *value = 0.0);
    }

    /// Adds to a gauge.
    pub(super) fn add(&mut self, metric: &'static MetricInfo, values: Values, value: f64) {
        *self.gauges.entry(metric, values) += value;
    }

    /// Raises a gauge to a value, unless it is greater.
    pub(super) fn raise(&mut self, metric: &'static MetricInfo, values: Values, value: f64) {
        let gauge = self.gauges.entry(metric, values);
        *gauge = gauge.max(value);
    }

    /// Adds a number of equal samples to a histogram.
    pub(super) fn sample(&mut self, metric: &'static MetricInfo, values: Values, value: f64, number: u64) {
        if number > 0 {
            self.samples.entry(metric, values).push((value, number));
        }
    }

    /// Returns all series to be published.
    pub(super) fn take(&mut self) -> Vec<(&'static MetricInfo, Values, Value)> {
        let counters =
            self.counters.all().map(|(metric, values, value)| (metric, values, Value::Counter(*value)));
        let mut all: Vec<_> = counters.collect();
        let gauges = self.gauges.all().map(|(metric, values, value)| (metric, values, Value::Gauge(*value)));
        all.extend(gauges);
        for (metric, series) in self.samples.0.values_mut() {
            let taken = series.iter_mut().filter(|(_, samples)| !samples.is_empty());
            all.extend(taken.map(|(values, samples)| {
                (*metric, values.clone(), Value::Histogram(std::mem::take(samples)))
            }));
        }
        all
    }
}

/// The series of the metrics of one kind.
#[derive(Debug)]
struct Table<T>(HashMap<&'static str, (&'static MetricInfo, HashMap<Values, T>)>);

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<T: Default> Table<T> {
    /// Returns the series with these values, or that of what exceeds the most.
    fn entry(&mut self, metric: &'static MetricInfo, mut values: Values) -> &mut T {
        let (_, series) = self.0.entry(metric.name).or_insert_with(|| (metric, HashMap::new()));
        if series.len() >= MAX_SERIES - RESERVED && !series.contains_key(&values) {
            for (label, value) in metric.labels.iter().zip(&mut values) {
                if !FIXED.contains(label) {
                    *value = OTHER;
                }
            }
        }
        series.entry(values).or_default()
    }

    fn all(&self) -> impl Iterator<Item = (&'static MetricInfo, Values, &T)> {
        let rows = self.0.values();
        rows.flat_map(|(metric, series)| {
            series.iter().map(|(values, value)| (*metric, values.clone(), value))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::catalog::{ENDS, MAILBOX};
    use super::*;

    fn counted(series: &mut Series) -> Vec<(Values, u64)> {
        let counters = series.take().into_iter().filter_map(|(_, values, value)| match value {
            Value::Counter(number) => Some((values, number)),
            _ => None,
        });
        counters.collect()
    }

    #[test]
    fn what_exceeds_the_most_series_is_counted_as_other_with_its_fixed_labels() {
        let mut series = Series::default();
        for number in 0..5_000 {
            for reason in ["normal", "failed"] {
                let actor = SharedString::from(format!("actor {number}"));
                series.count(ENDS, vec![actor, reason.into()], 1);
            }
        }
        let counted = counted(&mut series);
        assert!(counted.len() <= MAX_SERIES, "{}", counted.len());
        assert_eq!(counted.iter().map(|(_, number)| number).sum::<u64>(), 10_000);
        let others = counted.iter().filter(|(values, _)| values[0] == OTHER);
        let others: Vec<u64> = others.map(|(_, number)| *number).collect();
        assert_eq!(others, [5_000 - 492, 5_000 - 492], "one for each reason");
    }

    #[test]
    fn gauge_of_what_is_gone_is_zero() {
        let mut series = Series::default();
        series.add(MAILBOX, vec!["a".into()], 3.0);
        series.reset_gauges();
        assert!(matches!(series.take()[..], [(_, _, Value::Gauge(0.0))]));
    }

    #[test]
    fn samples_are_published_once() {
        let mut series = Series::default();
        series.sample(MAILBOX, vec!["a".into()], 0.5, 2);
        assert!(matches!(&series.take()[..], [(_, _, Value::Histogram(samples))] if samples == &[(0.5, 2)]));
        assert!(series.take().is_empty());
    }
}
