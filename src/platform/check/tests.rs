//! Every rule fires where it should, and not one step before.

use std::collections::HashSet;
use std::time::Duration;

use super::*;
use crate::platform::{Buffering, Limit, Platform};

const MS: Duration = Duration::from_millis(1);

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn new() -> Setup {
    Setup::new()
}

struct Example {
    code: &'static str,
    chain: &'static str,
    fires: Setup,
    severity: Severity,
    hop: Option<&'static str>,
    /// The same, at the edge where nothing is wrong yet.
    passes: Setup,
}

fn example(
    code: &'static str,
    chain: &'static str,
    fires: Setup,
    severity: Severity,
    hop: &'static str,
    passes: Setup,
) -> Example {
    Example {
        code,
        chain,
        fires,
        severity,
        hop: (!hop.is_empty()).then_some(hop),
        passes,
    }
}

#[rustfmt::skip]
fn examples() -> Vec<Example> {
    use Severity::{Contradiction, Note, Warning};
    let edge = secs(30) - MS;
    vec![
        example("heartbeat-idle", "cloudflare,heroku", new().heartbeat(secs(55)), Warning, "heroku", new().heartbeat(secs(55) - MS)),
        example("heartbeat-margin", "nginx", new().heartbeat(secs(30) + MS), Note, "nginx", new().heartbeat(secs(30))),
        example("heartbeat-margin", "nginx", new().heartbeat(secs(60) - MS), Note, "nginx", new().heartbeat(secs(60))),
        example("no-heartbeat", "heroku", new().without_heartbeat().expected_wait(secs(55)), Warning, "heroku", new().without_heartbeat().expected_wait(secs(55) - MS)),
        example("no-heartbeat", "heroku", new().without_heartbeat().expected_wait(secs(80)), Warning, "heroku", new().heartbeat(secs(15)).expected_wait(secs(80))),
        example("commit-first-byte", "heroku", new().commit_after(secs(30)), Warning, "heroku", new().commit_after(edge)),
        example("commit-first-byte", "custom(total=15)", new().commit_after(secs(15)), Warning, "custom", new().commit_after(secs(15) - MS)),
        example("commit-margin", "heroku", new().commit_after(secs(24) + MS), Note, "heroku", new().commit_after(secs(24))),
        example("no-commit", "heroku", new().without_commit().expected_wait(secs(30)), Warning, "heroku", new().without_commit().expected_wait(edge)),
        example("no-commit", "heroku", new().without_commit().expected_wait(secs(30)), Warning, "heroku", new().commit_after(secs(10)).expected_wait(secs(30))),
        example("head-first-byte", "heroku", new().without_commit().head(secs(30)), Warning, "heroku", new().without_commit().head(edge)),
        example("head-first-byte", "heroku", new().without_commit().head(secs(90)), Warning, "heroku", new().commit_after(secs(10)).head(secs(90))),
        example("queue-first-byte", "heroku", new().queue_timeout(secs(30)), Warning, "heroku", new().queue_timeout(edge)),
        example("duration-cap", "railway", new().expected_duration(secs(900)), Warning, "railway", new().expected_duration(secs(900) - MS)),
        example("total-cap", "nginx,railway", new().total(secs(900)), Warning, "railway", new().total(secs(900) - MS)),
        example("client-timer", "direct", new().sends_progress(false).expected_duration(secs(60)), Note, "", new().sends_progress(false).expected_duration(secs(60) - MS)),
        example("client-timer", "direct", new().sends_progress(false).expected_duration(secs(60)), Note, "", new().sends_progress(true).expected_duration(secs(600))),
        example("buffering", "nginx", new().sends_header(false), Warning, "nginx", new().sends_header(true)),
        example("header-taken", "nginx,kong", new().sends_header(true), Note, "nginx", new().sends_header(false)),
        example("keep-alive", "nginx", new().keep_alive(secs(60)), Warning, "nginx", new().keep_alive(secs(60) + MS)),
        example("keep-alive", "nginx,aws-nlb", new().keep_alive(secs(5)), Warning, "nginx", new().keep_alive(secs(61))),
        example("peers-behind-proxy", "aws-alb", new().limits_peers(true), Warning, "aws-alb", new().limits_peers(false)),
        example("drain-kill", "cloudflare,fly", new().drain(secs(5)), Warning, "fly", new().drain(secs(5) - MS)),
        example("request-read", "traefik", new().request_total(secs(60)), Note, "traefik", new().request_total(secs(60) - MS)),
        example("queue-commit", "direct", new().queue_timeout(secs(10)).commit_after(secs(10)), Contradiction, "", new().queue_timeout(secs(10) - MS).commit_after(secs(10))),
        example("model-wait", "direct", new().model_wait(secs(80) - MS).expected_wait(secs(80)), Contradiction, "", new().model_wait(secs(80)).expected_wait(secs(80))),
        example("phase-wait", "direct", new().read(secs(80) - MS).expected_wait(secs(80)), Contradiction, "", new().read(secs(80)).expected_wait(secs(80))),
        example("phase-wait", "direct", new().head(secs(80) - MS).expected_wait(secs(80)), Contradiction, "", new().head(secs(80)).expected_wait(secs(80))),
        example("total-duration", "direct", new().total(secs(120)).expected_duration(secs(120) + MS), Contradiction, "", new().total(secs(120)).expected_duration(secs(120))),
        example("phase-total", "direct", new().total(secs(60)).head(secs(60) + MS), Contradiction, "", new().total(secs(60)).head(secs(60))),
        example("phase-total", "direct", new().total(secs(60)).read(secs(60) + MS), Contradiction, "", new().total(secs(60)).read(secs(60))),
        example("phase-total", "direct", new().total(secs(60)).queue_timeout(secs(60) + MS), Contradiction, "", new().total(secs(60)).queue_timeout(secs(60))),
        example("phase-total", "direct", new().total(secs(60)).commit_after(secs(60) + MS), Contradiction, "", new().total(secs(60)).commit_after(secs(60))),
        example("call-total", "direct", new().total(secs(60)).call("embed", secs(60) + MS), Contradiction, "", new().total(secs(60)).call("embed", secs(60))),
        example("gate-pool", "direct", new().max_in_flight(11).database_pool(10), Warning, "", new().max_in_flight(10).database_pool(10)),
    ]
}

/// The worst that each rule says, by the examples.
pub(in crate::platform) fn severities() -> Vec<(&'static str, &'static str)> {
    let mut examples = examples();
    examples.sort_by_key(|example| example.severity);
    examples
        .iter()
        .map(|example| (example.code, example.severity.as_str()))
        .collect()
}

fn found(chain: &str, setup: &Setup, code: &str) -> Option<Finding> {
    let chain = chain.parse().unwrap();
    check(&chain, setup)
        .into_iter()
        .find(|finding| finding.code() == code)
}

#[test]
fn every_rule_fires_where_it_should_and_not_one_step_before() {
    for Example {
        code,
        chain,
        fires,
        severity,
        hop,
        passes,
    } in examples()
    {
        let finding = found(chain, &fires, code)
            .unwrap_or_else(|| panic!("{code} does not fire on {chain}: {fires:?}"));
        assert_eq!((finding.severity(), finding.hop()), (severity, hop), "{finding}");
        assert_eq!(found(chain, &passes, code), None, "{code} fires on {passes:?}");
        // A limit of a platform is that of its own chain alone.
        if hop.is_some() {
            assert_eq!(
                found("direct", &fires, code),
                None,
                "{code} needs no platform to fire"
            );
        }
    }
}

#[test]
fn every_rule_has_an_example_and_a_name_of_its_own() {
    let codes: HashSet<&str> = RULES.iter().map(|rule| rule.code).collect();
    let shown: HashSet<&str> = examples().iter().map(|example| example.code).collect();
    assert_eq!(codes, shown);
    assert_eq!(codes.len(), RULES.len(), "two rules have one code");
}

#[test]
fn what_is_not_said_is_not_checked() {
    for row in Platform::ALL {
        let findings = check(&Chain::from(*row), &Setup::new());
        let codes: Vec<&str> = findings.iter().map(Finding::code).collect();
        assert!(
            codes.iter().all(|code| *code == "buffering"),
            "{}: {codes:?}",
            row.name()
        );
    }
}

#[test]
fn a_finding_says_what_why_where_and_what_to_set() {
    for example in examples() {
        let finding = found(example.chain, &example.fires, example.code).unwrap();
        let text = finding.to_string();
        for part in [
            finding.what(),
            finding.why(),
            finding.set(),
            finding.code(),
            finding.severity().as_str(),
        ] {
            assert!(!part.is_empty() && text.contains(part), "{text}");
        }
        assert!(!text.contains("  \n") && !text.contains("()"), "{text}");
    }
    let cut = found("heroku", &new().heartbeat(secs(60)), "heartbeat-idle").unwrap();
    assert_eq!(
        cut.to_string(),
        "warning[heartbeat-idle] heroku: a heartbeat comes every 60 s, and heroku cuts a response that is silent for 55 s\n  \
         why: the first silence that is long enough ends the stream \
         (https://devcenter.heroku.com/articles/request-timeout, as of 2024-05-07, verified)\n  \
         set: the heartbeat interval to 15 s"
    );
    assert_eq!(cut.remedy(), Remedy::Settings);
}

#[test]
fn a_number_that_somebody_configured_is_not_called_documented() {
    let finding = found("heroku(idle=20)", &new().heartbeat(secs(60)), "heartbeat-idle").unwrap();
    assert!(finding.why().contains("as it was configured here"), "{finding}");
    let finding = found(
        "nginx(total=5)",
        &new().commit_after(secs(60)),
        "commit-first-byte",
    )
    .unwrap();
    assert!(finding.why().contains("as it was configured here"), "{finding}");
    let namesake = Chain::from(Platform::custom("nginx").with(Limit::Idle, secs(60)));
    let finding = &check(&namesake, &new().heartbeat(secs(60)))[0];
    assert!(finding.why().contains("as it was configured here"), "{finding}");
    let finding = found("heroku", &new().drain(secs(60)), "drain-kill").unwrap();
    assert!(finding.why().contains("dyno-shutdown-behavior"), "{finding}");
}

#[test]
fn each_hop_that_holds_back_is_named() {
    let chain: Chain = "azure-appgw,nginx,aws-apigw-http".parse().unwrap();
    let findings = check(&chain, &new().sends_header(false));
    let hops: HashSet<_> = findings.iter().map(Finding::hop).collect();
    assert_eq!(
        hops,
        HashSet::from([Some("azure-appgw"), Some("nginx"), Some("aws-apigw-http")])
    );
    let configured = chain
        .hops()
        .iter()
        .map(|hop| hop.with_buffering(Buffering::Streams));
    assert_eq!(check(&configured.collect(), &new().sends_header(false)), []);
}

#[test]
fn a_cap_says_that_no_heartbeat_helps_and_what_does() {
    let finding = found(
        "gcp-cloud-run",
        &new().expected_duration(secs(1200)),
        "duration-cap",
    )
    .unwrap();
    assert_eq!(finding.remedy(), Remedy::Elsewhere);
    assert!(finding.why().contains("no heartbeat"), "{finding}");
    assert!(
        finding.set().contains("--timeout=3600") && finding.set().contains("task"),
        "{finding}"
    );
}

#[test]
fn contradictions_refuse_and_the_table_only_warns() {
    let chain: Chain = "heroku".parse().unwrap();
    let warned = new().heartbeat(secs(60)).commit_after(secs(40));
    let findings = verify(&chain, &warned, Strictness::Lenient).unwrap();
    assert!(findings.len() == 2 && findings.iter().all(|it| it.severity() == Severity::Warning));
    let refused = verify(&chain, &warned, Strictness::Strict)
        .unwrap_err()
        .to_string();
    assert!(
        refused.contains("[heartbeat-idle]") && refused.contains("[commit-first-byte]"),
        "{refused}"
    );

    let contradicted = warned.queue_timeout(secs(41));
    let refused = verify(&chain, &contradicted, Strictness::Lenient)
        .unwrap_err()
        .to_string();
    assert!(
        refused.contains("[queue-commit]") && !refused.contains("[heartbeat-idle]"),
        "{refused}"
    );

    let noted = new().heartbeat(secs(40));
    assert_eq!(verify(&chain, &noted, Strictness::Strict).unwrap().len(), 1);
}

#[test]
fn a_contradiction_with_what_the_table_gave_is_a_warning_until_somebody_chooses() {
    let chain = Chain::from(Platform::custom("ours").with(Limit::Total, secs(10)));
    let derived = Setup::derived(&chain.derived());
    let own = |setup: Setup| {
        setup
            .queue_timeout(secs(20))
            .read(secs(90))
            .expected_duration(secs(9) + MS)
            .call("embed", secs(30))
    };
    let findings = verify(&chain, &own(derived.clone()), Strictness::Lenient).unwrap();
    let codes: HashSet<&str> = findings.iter().map(Finding::code).collect();
    assert!(codes.is_superset(&HashSet::from([
        "queue-commit",
        "phase-total",
        "total-duration",
        "call-total"
    ])));
    let chosen = own(derived.total(secs(9)));
    assert!(verify(&chain, &chosen, Strictness::Lenient).is_err());
}

#[test]
fn the_worst_comes_first() {
    let setup = new()
        .heartbeat(secs(40))
        .commit_after(secs(40))
        .queue_timeout(secs(41));
    let severities: Vec<Severity> = check(&Chain::from(Platform::HEROKU), &setup)
        .iter()
        .map(Finding::severity)
        .collect();
    assert_eq!(
        severities,
        [Severity::Contradiction, Severity::Warning, Severity::Note]
    );
}
