//! What a stack is built to behind each platform, and what is refused.

use std::time::Duration;

use proptest::prelude::*;
use tower_lifeline::lifeline::LifelineBuilder;
use tower_lifeline::platform::{Chain, Limit, Platform, Setup, Severity};
use tower_lifeline::sse_heartbeat::{EarlyCommit, HeartbeatSettings};
use tower_lifeline::{Lifeline, PhaseLimits, Reporter};

use super::{quiet, secs};

fn behind(chain: &str) -> LifelineBuilder {
    let chain: Chain = chain.parse().unwrap();
    Lifeline::behind(chain).reporter(Reporter::silent())
}

fn beats(every: u64) -> HeartbeatSettings {
    HeartbeatSettings::builder()
        .interval(secs(every))
        .build()
        .unwrap()
}

fn refused(builder: LifelineBuilder) -> String {
    builder.build().unwrap_err().to_string()
}

#[test]
fn what_nobody_said_follows_from_the_platforms() {
    // Interval, commit point, queue timeout, read, total.
    let cases = [
        ("direct", [15_000, 10_000, 5000, 90_000, 120_000]),
        ("heroku", [15_000, 10_000, 5000, 90_000, 120_000]),
        ("envoy", [15_000, 7500, 3750, 13_500, 13_500]),
        ("nginx(read=20s)", [6667, 10_000, 5000, 90_000, 120_000]),
        ("cloudflare,nginx(read=6s)", [2000, 3000, 1500, 90_000, 120_000]),
        ("railway", [15_000, 10_000, 5000, 90_000, 120_000]),
    ];
    for (chain, expected) in cases {
        let lifeline = behind(chain).build().unwrap();
        let (heartbeat, phases) = (lifeline.heartbeat(), lifeline.phases());
        let rounded = |time: Duration| (time.as_nanos() + 500_000) / 1_000_000;
        let seen = [
            heartbeat.interval(),
            heartbeat.commit_after(),
            lifeline.gate().figures().queue_timeout,
            phases.read().unwrap(),
            phases.total().unwrap(),
        ];
        assert_eq!(seen.map(rounded), expected, "{chain}");
        assert_eq!(phases.head(), phases.read(), "{chain}");
        assert_eq!(*lifeline.chain(), chain.parse().unwrap());
    }
}

#[cfg(feature = "serve")]
#[test]
fn the_server_outlives_its_neighbours_connections_and_is_drained_before_it_is_killed() {
    // Idle connections, and the whole drain.
    let cases = [
        ("direct", [120, 23]),
        ("cloudflare", [915, 23]),
        ("envoy", [3615, 23]),
        ("fly", [120, 4]),
        ("heroku", [120, 23]),
        ("nginx(keep_alive=300s)", [315, 23]),
        ("nginx(kill=10s)", [120, 8]),
    ];
    for (chain, expected) in cases {
        let lifeline = behind(chain).build().unwrap();
        let server = lifeline.server();
        let seen = [server.keep_alive_idle(), server.drain_bound()];
        assert_eq!(seen.map(|time| time.as_secs()), expected, "{chain}");
    }
}

#[cfg(feature = "serve")]
#[test]
fn the_server_treats_slow_clients_as_the_stack_does() {
    use tower_lifeline::SlowClientLimits;
    use tower_lifeline::serve::ServeSettings;

    let ten = SlowClientLimits::builder().stall(secs(10)).build().unwrap();
    let five = SlowClientLimits::builder().stall(secs(5)).build().unwrap();
    let own = ServeSettings::builder().drain(secs(7)).build().unwrap();
    let stall = |builder: LifelineBuilder| {
        let lifeline = builder.build().unwrap();
        let limits = *lifeline.server().slow_clients();
        (limits.stall(), limits.is_report_only())
    };
    assert_eq!(stall(quiet()), (secs(60), false));
    assert_eq!(stall(quiet().slow_clients(ten)), (secs(10), false));
    assert_eq!(stall(quiet().server(own).slow_clients(ten)), (secs(10), false));
    let own_too = own.to_builder().slow_clients(five).build().unwrap();
    assert_eq!(stall(quiet().slow_clients(ten).server(own_too)), (secs(5), false));
    for builder in [
        quiet().without_slow_clients(),
        quiet().without_slow_clients().server(own),
    ] {
        let (stall, is_report_only) = stall(builder);
        assert!(stall > secs(1 << 30) && is_report_only, "{stall:?}");
    }
    let drain = quiet().server(own).build().unwrap().server().drain();
    assert_eq!(drain, secs(7));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_chain_can_be_built_for_and_is_kept_clear_of(
        hops in prop::collection::vec(prop::sample::select(Platform::ALL), 0..4)
    ) {
        let chain: Chain = hops.into_iter().collect();
        let lifeline = Lifeline::behind(chain.clone()).reporter(Reporter::silent()).build();
        let lifeline = lifeline.map_err(|error| TestCaseError::fail(format!("{chain}: {error}")))?;
        let within = |limit| chain.tightest(limit).map_or(Duration::MAX, |(limit, _)| limit);
        prop_assert!(lifeline.heartbeat().interval() <= within(Limit::Idle) / 3, "{}", chain);
        prop_assert!(lifeline.heartbeat().commit_after() <= within(Limit::FirstByte) / 2, "{}", chain);
        let phases = lifeline.phases();
        prop_assert!(phases.total().unwrap() < within(Limit::Total), "{}", chain);
        prop_assert!(phases.read() <= phases.total() && phases.head() <= phases.total(), "{}", chain);
        let wait = lifeline.gate().figures().queue_timeout;
        prop_assert!(wait < lifeline.heartbeat().commit_after(), "{}", chain);
        let worst = lifeline.findings().iter().map(|finding| finding.severity()).max();
        prop_assert!(worst < Some(Severity::Contradiction));
    }
}

#[test]
fn what_the_table_says_warns_and_refuses_only_where_that_was_asked_for() {
    let builder = || behind("heroku").heartbeat(beats(60));
    let lifeline = builder().build().unwrap();
    let codes: Vec<_> = lifeline.findings().iter().map(|finding| finding.code()).collect();
    assert!(codes.contains(&"heartbeat-idle"), "{codes:?}");
    let sentence = refused(builder().strict());
    assert!(
        sentence.contains("heroku") && sentence.contains("55 s") && sentence.contains("15 s"),
        "{sentence}"
    );
    // What follows from the table passes it.
    for platform in ["direct", "nginx", "cloudflare", "aws-alb"] {
        let built = behind(platform)
            .expecting(Setup::new().expected_wait(secs(60)))
            .strict()
            .build();
        assert!(built.is_ok(), "{platform}: {}", built.unwrap_err());
    }
}

#[test]
fn findings_name_what_the_stack_itself_is_set_to() {
    let total = PhaseLimits::builder().total(secs(900)).build().unwrap();
    let lifeline = behind("railway").phases(total).build().unwrap();
    let found = lifeline
        .findings()
        .iter()
        .find(|finding| finding.code() == "total-cap");
    assert!(
        found.unwrap().to_string().contains("900 s"),
        "{:?}",
        lifeline.findings()
    );
    // The usual total is shorter than what railway allows: nothing is to be said of it.
    assert!(
        behind("railway")
            .build()
            .unwrap()
            .findings()
            .iter()
            .all(|it| it.code() != "total-cap")
    );
}

#[test]
fn contradictions_refuse_with_a_sentence() {
    let commit_after = |after| {
        let settings = HeartbeatSettings::builder().commit(EarlyCommit::JsonRpcRequests, secs(after));
        quiet().heartbeat(settings.build().unwrap())
    };
    let cases: [(LifelineBuilder, &[&str]); 9] = [
        (
            commit_after(5).queue_timeout(secs(6)),
            &["wait 6 s for a seat", "after 5 s"],
        ),
        (
            quiet().expecting(Setup::new().expected_wait(secs(100))),
            &["`head` limit is 90 s", "100 s"],
        ),
        // The total that nobody chose cuts as any other does.
        (
            quiet().expecting(Setup::new().expected_duration(secs(200))),
            &["120 s", "200 s"],
        ),
        (
            quiet().expecting(Setup::new().call("embed", secs(130))),
            &["`embed`", "130 s", "120 s"],
        ),
        (quiet().max_in_flight(0), &["`max_in_flight` is zero"]),
        (
            quiet().queue_timeout(Duration::ZERO),
            &["`queue_timeout` is zero"],
        ),
        (quiet().max_queue(1 << 21), &["`max_queue`"]),
        (
            quiet()
                .phases(
                    PhaseLimits::builder()
                        .read(secs(20))
                        .total(secs(30))
                        .build()
                        .unwrap(),
                )
                .without_heartbeat()
                .queue_timeout(secs(40)),
            &["queue timeout is 40 s", "30 s"],
        ),
        (
            quiet().expecting(Setup::new().expected_wait(secs(80)).model_wait(secs(60))),
            &["given up after 60 s", "80 s"],
        ),
    ];
    for (builder, words) in cases {
        let sentence = refused(builder);
        assert!(words.iter().all(|word| sentence.contains(word)), "{sentence}");
    }
}

#[test]
fn a_pool_that_is_smaller_than_the_gate_is_worth_a_line() {
    let expecting = || quiet().expecting(Setup::new().database_pool(10));
    let codes = |builder: LifelineBuilder| -> Vec<_> {
        let lifeline = builder.build().unwrap();
        lifeline.findings().iter().map(|finding| finding.code()).collect()
    };
    assert_eq!(codes(expecting().max_in_flight(64)), ["gate-pool"]);
    assert!(codes(expecting().max_in_flight(10)).is_empty());
    assert!(codes(expecting().without_gate()).is_empty());
}
