//! Chains, what follows from them, and the table in `docs/platforms.md`.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::RngSeed;

use super::*;

const DOC: &str = include_str!("../../docs/platforms.md");
const DAY: u64 = 24 * 3600 * 1000;

// === Strategies ===

fn row() -> impl Strategy<Value = Platform> {
    select(Platform::ALL)
}

fn configured() -> impl Strategy<Value = Platform> {
    let duration = prop_oneof![
        Just(None),
        (1..DAY).prop_map(|millis| Some(Duration::from_millis(millis)))
    ];
    let changes = proptest::collection::vec((select(Limit::ALL), duration), 0..4);
    let set = |platform: Platform, (limit, to): (Limit, Option<Duration>)| match to {
        Some(to) => platform.with(limit, to),
        None => platform.without(limit),
    };
    (prop_oneof![row(), Just(Platform::custom("custom"))], changes)
        .prop_map(move |(platform, changes)| changes.into_iter().fold(platform, set))
}

fn chain_of(hop: impl Strategy<Value = Platform>) -> impl Strategy<Value = Chain> {
    proptest::collection::vec(hop, 0..5).prop_map(Chain::from)
}

/// Settings that somebody chose, with anything said or not said.
fn setup() -> impl Strategy<Value = Vec<(usize, Duration)>> {
    proptest::collection::vec((0..14_usize, (1..DAY).prop_map(Duration::from_millis)), 0..10)
}

fn apply(setup: Setup, settings: &[(usize, Duration)]) -> Setup {
    settings
        .iter()
        .fold(setup, |setup, (which, duration)| match which {
            0 => setup.heartbeat(*duration),
            1 => setup.commit_after(*duration),
            2 => setup.total(*duration),
            3 => setup.keep_alive(*duration),
            4 => setup.drain(*duration),
            5 => setup.head(*duration),
            6 => setup.read(*duration),
            7 => setup.queue_timeout(*duration),
            8 => setup.model_wait(*duration),
            9 => setup.call("embed", *duration),
            10 => setup.expected_wait(*duration),
            11 => setup.expected_duration(*duration),
            12 => setup.without_commit().request_total(*duration),
            _ => setup.without_heartbeat().limits_peers(true).sends_header(false),
        })
}

/// The same cases in every run.
fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 512,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(0x11fe),
        ..ProptestConfig::default()
    }
}

// === Chains ===

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_tightest_is_the_least_and_a_members(chain in chain_of(configured()), limit in select(Limit::ALL)) {
        let least = chain.hops().iter().filter_map(|hop| hop.limit(limit)).min();
        let tightest = chain.tightest(limit);
        prop_assert_eq!(tightest.map(|(duration, _)| duration), least);
        if let Some((duration, hop)) = tightest {
            let first = chain.hops().iter().find(|hop| hop.limit(limit) == Some(duration));
            prop_assert_eq!(first, Some(hop));
        }
    }

    #[test]
    fn what_is_written_is_read_again(chain in chain_of(configured())) {
        prop_assert_eq!(chain.to_string().parse::<Chain>(), Ok(chain));
    }

    #[test]
    fn text_never_panics(text in "[a-z(),=0-9 ]{0,24}|\\PC{0,12}") {
        let _ = text.parse::<Chain>();
    }

    #[test]
    fn one_hop_more_never_loosens_anything(chain in chain_of(configured()), hop in configured()) {
        let more: Chain = std::iter::once(hop).chain(chain.hops().iter().copied()).collect();
        let (before, after) = (chain.derived(), more.derived());
        prop_assert!(after.heartbeat() <= before.heartbeat());
        prop_assert!(after.commit_after() <= before.commit_after());
        prop_assert!(before.total().is_none_or(|before| after.total().is_some_and(|after| after <= before)));
        prop_assert!(before.drain().is_none_or(|before| after.drain().is_some_and(|after| after <= before)));
    }

    /// Whatever stands in front: the derived settings have no finding that a setting could mend.
    #[test]
    fn what_was_derived_passes_the_check(chain in chain_of(configured())) {
        let findings = check(&chain, &Setup::derived(&chain.derived()));
        prop_assert!(findings.iter().all(|it| it.remedy() == Remedy::Elsewhere), "{chain}: {findings:?}");
    }

    /// With expectations too, only a cap is left, and it says that no setting mends it.
    #[test]
    fn only_a_cap_defeats_what_was_derived(chain in chain_of(row()), wait in 0..3600_u64, more in 0..3600_u64) {
        let duration = Duration::from_secs(wait + more);
        let setup = Setup::derived(&chain.derived()).expected_wait(Duration::from_secs(wait)).expected_duration(duration);
        let cap = chain.tightest(Limit::Total).map(|(cap, _)| cap);
        for finding in check(&chain, &setup) {
            match finding.code() {
                "duration-cap" => {
                    prop_assert!(cap.is_some_and(|cap| duration >= cap));
                    prop_assert_eq!(finding.remedy(), Remedy::Elsewhere);
                }
                "total-duration" => prop_assert!(chain.derived().total().is_some_and(|total| duration > total)),
                _ => prop_assert_eq!(finding.remedy(), Remedy::Elsewhere, "{}", finding),
            }
        }
    }

    /// The invariant of the module: no platform, known or not, turns a deployment that starts into one that does not.
    #[test]
    fn no_table_stops_a_deployment(chain in chain_of(configured()), settings in setup()) {
        let chosen = apply(Setup::new(), &settings);
        let starts = |chain: &Chain, setup: &Setup| verify(chain, setup, Strictness::Lenient).is_ok();
        prop_assert_eq!(starts(&chain, &chosen), starts(&Chain::direct(), &chosen));
        if starts(&Chain::direct(), &chosen) {
            let derived = apply(Setup::derived(&chain.derived()), &settings);
            prop_assert!(starts(&chain, &derived), "{:?}", check(&chain, &derived));
        }
    }
}

#[test]
fn a_chain_is_made_from_whatever_is_at_hand() {
    let chain: Chain = "Cloudflare, nginx(read=300s)".parse().unwrap();
    assert_eq!(chain.hops()[0], Platform::CLOUDFLARE);
    assert_eq!(
        chain,
        Chain::from([
            Platform::CLOUDFLARE,
            Platform::NGINX.with_read_timeout(Duration::from_secs(300))
        ])
    );
    assert_eq!(chain.to_string(), "cloudflare,nginx(first_byte=300s idle=300s)");
    assert!(Chain::from(Platform::DIRECT).is_direct());
    assert_eq!("direct".parse(), Ok(Chain::direct()));
    for text in ["", "nginx,", "cloudflare nginx", "nginx(idle=3,total=5)"] {
        assert!(text.parse::<Chain>().is_err(), "{text}");
    }
}

#[test]
fn the_tightest_is_named() {
    let chain: Chain = "cloudflare,nginx,heroku".parse().unwrap();
    let tightest = |limit| {
        chain
            .tightest(limit)
            .map(|(duration, hop)| (duration.as_secs(), hop.name()))
    };
    assert_eq!(tightest(Limit::FirstByte), Some((30, "heroku")));
    assert_eq!(tightest(Limit::Idle), Some((55, "heroku")));
    assert_eq!(tightest(Limit::UpstreamKeepAlive), Some((60, "nginx")));
    assert_eq!(tightest(Limit::Total), None);
    let twins: Chain = "varnish,nginx".parse().unwrap();
    assert_eq!(twins.tightest(Limit::Idle).unwrap().1.name(), "varnish");
}

#[test]
fn the_neighbour_is_the_innermost_that_speaks_http() {
    let name = |chain: &str| chain.parse::<Chain>().unwrap().neighbour().map(Platform::name);
    assert_eq!(name("cloudflare,nginx,aws-nlb,kubernetes"), Some("nginx"));
    assert_eq!(name("aws-nlb"), None);
    assert_eq!(name("direct"), None);
}

/// The table in the module's documentation.
#[test]
fn what_is_said_to_follow_does() {
    let docs = include_str!("mod.rs");
    let rows: Vec<Vec<&str>> = docs
        .lines()
        .filter(|line| line.starts_with("//! | `"))
        .map(cells)
        .collect();
    assert_eq!(rows.len(), 9);
    let said = |duration: Option<Duration>| {
        duration.map_or_else(|| "none".to_owned(), |it| limit::Spoken(it).to_string())
    };
    for row in rows {
        let derived = row[0].trim_matches('`').parse::<Chain>().unwrap().derived();
        let actual = [
            Some(derived.heartbeat()),
            Some(derived.commit_after()),
            derived.total(),
            Some(derived.keep_alive()),
            derived.drain(),
        ];
        assert_eq!(row[1..], actual.map(said), "{}", row[0]);
    }
}

// === The rows ===

#[test]
fn every_row_says_all_of_it() {
    let names: HashSet<&str> = Platform::ALL.iter().map(Platform::name).collect();
    assert_eq!(names.len(), Platform::ALL.len(), "two rows have one name");
    for row in Platform::ALL {
        let name = row.name();
        assert_eq!(Platform::by_name(name), Ok(*row));
        assert_eq!(row.to_string(), name);
        assert!(
            row.limit(Limit::Total).is_none() || row.limit(Limit::FirstByte).is_some(),
            "{name}"
        );
        assert!(!row.title().is_empty() && !row.meaning().is_empty(), "{name}");
        if row == &Platform::DIRECT {
            continue;
        }
        assert!(
            !row.source().is_empty() && !row.as_of().is_empty() && !row.configure().is_empty(),
            "{name}"
        );
        assert!(
            row.confidence() > Confidence::Unverified,
            "{name}: a number that nobody has seen is not shipped"
        );
        let cuts = [Limit::FirstByte, Limit::Idle, Limit::Total]
            .iter()
            .any(|limit| row.limit(*limit).is_some());
        assert!(
            !cuts || !(row.cut_before_head().is_empty() || row.cut_after_head().is_empty()),
            "{name}"
        );
    }
}

fn cells(line: &str) -> Vec<&str> {
    let line = line.trim_start_matches("//! ");
    line.trim_matches('|').split('|').map(str::trim).collect()
}

fn table_row(row: &Platform) -> Vec<String> {
    let limit = |limit| {
        row.limit(limit)
            .map_or_else(|| "–".to_owned(), |it| it.as_secs().to_string())
    };
    let mut cells = vec![format!("`{}`", row.name()), row.title().to_owned()];
    cells.extend(Limit::ALL.iter().map(|it| limit(*it)));
    cells.push(row.buffering().to_string());
    cells.extend([row.confidence(), row.behaviour_confidence()].map(|it| it.to_string()));
    cells.push(row.as_of().to_owned());
    cells
}

/// The rows of the first table of the section with that title.
fn section(title: &str) -> Vec<Vec<&'static str>> {
    let start = DOC
        .find(&format!("\n## {title}\n"))
        .expect("the section is there");
    let section = &DOC[start + 3..];
    let section = &section[..section.find("\n## ").unwrap_or(section.len())];
    section
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(cells)
        .collect()
}

#[test]
fn the_document_explains_every_finding() {
    let written: HashMap<&str, &str> = section("What the check finds")
        .into_iter()
        .map(|row| (row[0].trim_matches('`'), row[1]))
        .collect();
    let known: HashMap<&str, &str> = check::tests::severities().into_iter().collect();
    assert_eq!(written, known);
}

#[test]
fn the_document_has_the_same_numbers() {
    let written: HashMap<&str, Vec<&str>> = section("Limits").into_iter().map(|row| (row[0], row)).collect();
    let rows: Vec<Vec<String>> = Platform::ALL
        .iter()
        .filter(|row| **row != Platform::DIRECT)
        .map(table_row)
        .collect();
    let expected: Vec<String> = rows
        .iter()
        .map(|row| format!("| {} |", row.join(" | ")))
        .collect();
    for row in &rows {
        let there = written.get(row[0].as_str());
        assert_eq!(
            there.map(|it| it.join("|")),
            Some(row.join("|")),
            "should be:\n{}\n",
            expected.join("\n")
        );
    }
    assert_eq!(
        written.len(),
        rows.len(),
        "the document has rows that the code does not have"
    );
}

#[test]
fn the_document_says_what_each_row_means_and_where_it_is_from() {
    let written: HashMap<&str, Vec<&str>> = section("Details").into_iter().map(|row| (row[0], row)).collect();
    let rows: Vec<Vec<String>> = Platform::ALL
        .iter()
        .filter(|row| **row != Platform::DIRECT)
        .map(|row| {
            let name = format!("`{}`", row.name());
            let cut = format!("{} / {}", row.cut_before_head(), row.cut_after_head());
            let cut = if row.cut_before_head().is_empty() {
                "–".to_owned()
            } else {
                cut
            };
            let source = match row.kill_source {
                "" => row.source().to_owned(),
                kill => format!("{}; `kill`: {kill}", row.source()),
            };
            [
                name,
                row.meaning().to_owned(),
                cut,
                row.configure().to_owned(),
                source,
            ]
            .to_vec()
        })
        .collect();
    let expected: Vec<String> = rows
        .iter()
        .map(|row| format!("| {} |", row.join(" | ")))
        .collect();
    for row in &rows {
        let there = written.get(row[0].as_str());
        assert_eq!(
            there.map(|it| it.join("|")),
            Some(row.join("|")),
            "should be:\n{}\n",
            expected.join("\n")
        );
    }
    assert_eq!(
        written.len(),
        rows.len(),
        "the document has rows that the code does not have"
    );
}
