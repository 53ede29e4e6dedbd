//! Handles of metrics: registered once, kept, and found again by their labels.

use std::collections::HashMap;
use std::fmt;
use std::sync::{PoisonError, RwLock};

use metrics::{Counter, Gauge, Histogram, Key, Label, Level, Metadata, with_recorder};

use super::table::{ALL, Metric, MetricKind};

/// What can be registered.
pub(super) trait Handle: Sized {
    fn register(metric: &Metric, values: &[&'static str]) -> Self;
}

/// The metrics of one name, each found by the values of its labels.
pub(super) struct Family<H, const LABELS: usize> {
    metric: &'static Metric,
    known: RwLock<HashMap<[&'static str; LABELS], H>>,
}

const METADATA: Metadata<'static> = Metadata::new("tower_lifeline", Level::INFO, Some("tower_lifeline"));

/// Tells the recorder what all metrics mean.
pub(super) fn describe() {
    with_recorder(|recorder| {
        for metric in ALL {
            let (name, unit, text) = (metric.name.into(), Some(metric.unit()), metric.description.into());
            match metric.kind {
                MetricKind::Counter => recorder.describe_counter(name, unit, text),
                MetricKind::Gauge => recorder.describe_gauge(name, unit, text),
                MetricKind::Latency | MetricKind::Silence => recorder.describe_histogram(name, unit, text),
            }
        }
    });
}

fn key(metric: &Metric, values: &[&'static str]) -> Key {
    let labels = metric.labels.iter().zip(values);
    let labels: Vec<_> = labels
        .map(|(label, value)| Label::from_static_parts(label, value))
        .collect();
    Key::from_parts(metric.name, labels)
}

// === impl Handle ===

impl Handle for Counter {
    fn register(metric: &Metric, values: &[&'static str]) -> Self {
        with_recorder(|recorder| recorder.register_counter(&key(metric, values), &METADATA))
    }
}

impl Handle for Gauge {
    fn register(metric: &Metric, values: &[&'static str]) -> Self {
        with_recorder(|recorder| recorder.register_gauge(&key(metric, values), &METADATA))
    }
}

impl Handle for Histogram {
    fn register(metric: &Metric, values: &[&'static str]) -> Self {
        with_recorder(|recorder| recorder.register_histogram(&key(metric, values), &METADATA))
    }
}

// === impl Family ===

impl<H: Handle, const LABELS: usize> Family<H, LABELS> {
    /// A family whose members become known when they are first used.
    pub(super) fn new(metric: &'static Metric) -> Self {
        Self {
            metric,
            known: RwLock::default(),
        }
    }

    /// A family of which these exist, at zero, before anything happens.
    pub(super) fn of(
        metric: &'static Metric,
        values: impl IntoIterator<Item = [&'static str; LABELS]>,
    ) -> Self {
        let known = values
            .into_iter()
            .map(|values| (values, H::register(metric, &values)));
        Self {
            metric,
            known: RwLock::new(known.collect()),
        }
    }

    pub(super) fn with(&self, values: [&'static str; LABELS], note: impl FnOnce(&H)) {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(handle) = known.get(&values) {
            return note(handle);
        }
        drop(known);
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        note(
            known
                .entry(values)
                .or_insert_with(|| H::register(self.metric, &values)),
        );
    }
}

impl<const LABELS: usize> Family<Counter, LABELS> {
    pub(super) fn count(&self, values: [&'static str; LABELS]) {
        self.with(values, |counter| counter.increment(1));
    }
}

impl<H, const LABELS: usize> fmt::Debug for Family<H, LABELS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Family").field(&self.metric.name).finish()
    }
}
