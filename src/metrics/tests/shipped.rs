//! What is shipped beside the code: a dashboard, alert rules and their runbook.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Page, everything};
use crate::metrics::{ALL, Metric, SILENCE_BUCKETS};

const DASHBOARD: &str = include_str!("../../../docs/grafana/dashboard.json");
const ALERTS: &str = include_str!("../../../docs/grafana/alerts.yml");
const ALERT_TESTS: &str = include_str!("../../../docs/grafana/alerts.test.yml");
const RUNBOOK: &str = include_str!("../../../docs/grafana/README.md");

/// Every metric that a text names, as its samples are called.
fn named(text: &str) -> BTreeSet<String> {
    let starts = text.match_indices("lifeline_").map(|(at, _)| &text[at..]);
    let words = starts.map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        rest[..end.unwrap_or(rest.len())].to_owned()
    });
    words.collect()
}

fn alerts() -> Vec<&'static str> {
    ALERTS
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "))
        .collect()
}

/// The dashboard's queries, with the type and the place of their panels.
fn panels() -> Vec<Value> {
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    dashboard["panels"].as_array().unwrap().clone()
}

#[tokio::test(start_paused = true)]
async fn every_metric_that_is_asked_for_is_exported() {
    let page = Page::open();
    everything(&page).await;
    let exported: BTreeSet<_> = named(&page.text());
    for (what, text) in [
        ("dashboard", DASHBOARD),
        ("alerts", ALERTS),
        ("tests of the alerts", ALERT_TESTS),
        ("runbook", RUNBOOK),
    ] {
        let unknown: Vec<_> = named(text).difference(&exported).cloned().collect();
        assert!(unknown.is_empty(), "{what}: {unknown:?}");
    }
}

#[test]
fn every_metric_is_shown() {
    let asked = named(DASHBOARD);
    let shown = |metric: &&Metric| {
        ["", "_bucket", "_count"]
            .iter()
            .any(|suffix| asked.contains(&[metric.name(), suffix].concat()))
    };
    let missing: Vec<_> = ALL.iter().filter(|metric| !shown(metric)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// The names of labels that expressions select or group by.
fn labels(expression: &str) -> BTreeSet<String> {
    let selected = expression
        .split('{')
        .skip(1)
        .filter_map(|rest| rest.split_once('}'))
        .flat_map(|(inside, _)| inside.split(','))
        .filter_map(|matcher| matcher.split(['=', '!']).next());
    let grouped = expression
        .split("by (")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'))
        .flat_map(|(inside, _)| inside.split(','));
    selected
        .chain(grouped)
        .map(|label| label.trim().to_owned())
        .collect()
}

#[test]
fn queries_use_labels_that_their_metrics_have() {
    let panels = panels();
    let queries = panels.iter().filter_map(|panel| panel["targets"].as_array());
    for query in queries.flatten() {
        let expression = query["expr"].as_str().unwrap();
        let names = named(expression);
        assert_eq!(names.len(), 1, "{expression}");
        let metric = ALL
            .iter()
            .filter(|metric| names.iter().any(|name| name.starts_with(metric.name())))
            .max_by_key(|metric| metric.name().len())
            .unwrap();
        let known = |label: &String| {
            metric.labels().contains(&label.as_str()) || ["job", "instance", "le"].contains(&label.as_str())
        };
        let unknown: Vec<_> = labels(expression)
            .into_iter()
            .filter(|label| !known(label))
            .collect();
        assert!(unknown.is_empty(), "{expression}: {unknown:?}");
        let legend = query["legendFormat"].as_str().unwrap();
        let used = legend
            .split("{{")
            .skip(1)
            .filter_map(|rest| rest.split_once("}}"));
        for (label, _) in used {
            assert!(
                label == "le" || labels(expression).contains(label),
                "{legend}: {expression}"
            );
        }
    }
}

#[test]
fn the_dashboard_can_be_imported() {
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    assert!(
        dashboard["id"].is_null(),
        "an id would overwrite somebody else's dashboard"
    );
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    assert!(
        variables
            .iter()
            .any(|variable| variable["type"] == "datasource" && variable["name"] == "datasource")
    );
    let (mut ids, mut taken) = (BTreeSet::new(), BTreeSet::new());
    let mut rows = Vec::new();
    for panel in panels() {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{panel}");
        let place = |key: &str| panel["gridPos"][key].as_u64().unwrap();
        for y in place("y")..place("y") + place("h") {
            for x in place("x")..place("x") + place("w") {
                assert!(x < 24 && taken.insert((x, y)), "{} overlaps", panel["title"]);
            }
        }
        if panel["type"] == "row" {
            rows.push(panel["title"].as_str().unwrap().to_owned());
        } else {
            assert_eq!(panel["datasource"]["uid"], "${datasource}");
        }
    }
    let expected = [
        "Traffic",
        "Overload",
        "Phases and timeouts",
        "Streams and clients",
        "Outgoing",
        "Runtime",
    ];
    assert_eq!(rows, expected);
}

#[test]
fn every_alert_has_its_place_in_the_runbook() {
    let sections = RUNBOOK.split("\n### ").skip(1);
    let sections: Vec<_> = sections
        .map(|section| section.split_once('\n').unwrap())
        .collect();
    let titles: Vec<_> = sections.iter().map(|(title, _)| *title).collect();
    assert_eq!(titles, alerts());
    for (title, text) in sections {
        assert!(text.trim().len() > 200, "{title}: that is no help at night");
        let link = format!(
            "runbook_url: docs/grafana/README.md#{}\n",
            title.to_ascii_lowercase()
        );
        assert!(ALERTS.contains(&link), "{title} is not linked");
    }
}

#[test]
fn each_limit_that_is_watched_has_a_bucket_of_its_own() {
    let rules = ALERTS.split("- record: ").skip(1);
    let mut limits = 0;
    for rule in rules {
        let number = |before: &str, after: &str| -> Vec<f64> {
            let found = rule.split(before).skip(1);
            let found = found.filter_map(|rest| rest.split_once(after));
            found.map(|(number, _)| number.parse().unwrap()).collect()
        };
        let (edges, limit) = (number("le=~\"", "("), number("silence: \"", "s\" }"));
        let ([upper, lower], [limit]) = (&edges[..], &limit[..]) else {
            panic!("{rule}")
        };
        assert!(lower < limit && limit < upper, "{rule}");
        assert!(
            SILENCE_BUCKETS.windows(2).any(|pair| pair == [*lower, *upper]),
            "{limit} s"
        );
        limits += 1;
    }
    assert_eq!(limits, 17);
    assert!(SILENCE_BUCKETS.is_sorted());
}
