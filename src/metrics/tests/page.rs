//! The page that Prometheus reads, and how a test reads it.

use std::collections::{BTreeMap, BTreeSet};

use metrics::{LocalRecorderGuard, set_default_local_recorder};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusRecorder};

use crate::metrics::ALL;

/// A recorder of a test's own.
pub(super) struct Page(PrometheusRecorder);

/// A line: a name, labels, a value.
struct Sample {
    name: String,
    labels: Vec<(String, String)>,
    value: f64,
}

impl Page {
    pub(super) fn open() -> Self {
        let mut builder = PrometheusBuilder::new();
        for metric in ALL {
            if let Some(buckets) = metric.buckets() {
                let name = Matcher::Full(metric.name().to_owned());
                builder = builder.set_buckets_for_metric(name, buckets).unwrap();
            }
        }
        Self(builder.build_recorder())
    }

    /// Makes this the recorder of the thread.
    pub(super) fn install(&self) -> LocalRecorderGuard<'_> {
        set_default_local_recorder(&self.0)
    }

    pub(super) fn text(&self) -> String {
        self.0.handle().render()
    }

    fn samples(&self) -> Vec<Sample> {
        let text = self.text();
        let lines = text
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'));
        lines.map(Sample::parse).collect()
    }

    /// The sum of all samples of this name whose labels include these.
    pub(super) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let has = |sample: &Sample, (key, value): &(&str, &str)| {
            sample.labels.iter().any(|(k, v)| k == key && v == value)
        };
        let samples = self.samples().into_iter();
        samples
            .filter(|sample| sample.name == name && labels.iter().all(|label| has(sample, label)))
            .map(|sample| sample.value)
            .sum()
    }

    /// All names with their labels, without their values.
    pub(super) fn series(&self) -> BTreeSet<String> {
        let samples = self.samples().into_iter();
        samples
            .map(|sample| format!("{}{:?}", sample.name, sample.labels))
            .collect()
    }

    /// Each metric with its type and the names of its labels.
    pub(super) fn families(&self) -> BTreeMap<String, (String, Vec<String>)> {
        let text = self.text();
        let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        let types = types.map(|line| line.split_once(' ').unwrap());
        let samples = self.samples();
        types
            .map(|(name, kind)| {
                let mine = |sample: &&Sample| {
                    let suffix = sample.name.strip_prefix(name);
                    matches!(suffix, Some("" | "_bucket" | "_sum" | "_count"))
                };
                let labels = samples.iter().find(mine).unwrap().labels.iter();
                let labels = labels.map(|(key, _)| key.clone()).filter(|key| key != "le");
                (name.to_owned(), (kind.to_owned(), labels.collect()))
            })
            .collect()
    }
}

impl Sample {
    fn parse(line: &str) -> Self {
        let (series, value) = line.rsplit_once(' ').unwrap();
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        let labels = labels.trim_end_matches('}').split(',');
        let labels = labels.filter_map(|label| label.split_once('='));
        Self {
            name: name.to_owned(),
            labels: labels
                .map(|(key, value)| (key.to_owned(), value.trim_matches('"').to_owned()))
                .collect(),
            value: value.parse().unwrap(),
        }
    }
}
