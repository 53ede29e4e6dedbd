//! A stack as data: every key, what is refused, and what the refusal says.

use std::time::Duration;

use serde_json::{Map, Value, json};
use tower_lifeline::lifeline::{LifelineConfig, Span};
use tower_lifeline::sse_heartbeat::EarlyCommit;
use tower_lifeline::{ConfigError, Lifeline, Phase};

use super::secs;

fn read(json: &Value) -> Result<LifelineConfig, serde_json::Error> {
    serde_json::from_value(json.clone())
}

fn built(json: &Value) -> Result<Lifeline, ConfigError> {
    read(json).unwrap().builder()?.build()
}

fn refused(json: &Value) -> String {
    built(json).unwrap_err().to_string()
}

/// Every key, with values that go together, and none of them a default.
fn everything() -> Value {
    let mut all = json!({
        "behind": "cloudflare,nginx(read=300s)",
        "strict": true,
        "gate": {
            "off": false, "max_in_flight": 8, "max_queue": 4, "queue_timeout": "3s",
            "health": ["/healthz", "/readyz"], "mcp": ["/mcp"],
        },
        "phases": { "head": "40s", "read": "50s", "total": "100s", "endless_read": "1h", "endless_total": "2h", "report_only": true },
        "heartbeat": {
            "off": false, "interval": "12s", "commit": "any_request", "commit_after": "7500ms",
            "max_late_body": 65536, "goodbye": true,
        },
        "slow_clients": { "off": false, "stall": "20s", "min_rate": 1000, "grace": "5s", "report_only": true },
        "request_body": { "idle": "10s", "total": "none", "min_rate": 500, "grace": "4s" },
    });
    if cfg!(feature = "serve") {
        all["server"] = json!({
            "request_head": "5s", "keep_alive_idle": "16m", "max_connections": 500,
            "max_connections_per_peer": 50, "drain_delay": "0s", "drain": "15s",
        });
    }
    all
}

/// Each path to a table and its keys: `` and `gate`, `phases` and so on.
fn tables(config: &Value) -> Vec<(String, Map<String, Value>)> {
    let whole = config.as_object().unwrap();
    let parts = whole
        .iter()
        .filter_map(|(name, part)| Some((name.clone(), part.as_object()?.clone())));
    let mut tables = vec![(String::new(), whole.clone())];
    tables.extend(parts);
    tables
}

#[test]
fn every_key_is_read_and_written_again() {
    let all = everything();
    let known = tables(&serde_json::to_value(LifelineConfig::default()).unwrap());
    for ((name, known), (_, said)) in known.iter().zip(tables(&all)) {
        let (known, said): (Vec<_>, Vec<_>) = (known.keys().collect(), said.keys().collect());
        assert_eq!(known, said, "`{name}` has other keys than this test knows");
    }
    let config = read(&all).unwrap();
    let written = serde_json::to_value(&config).unwrap();
    assert_eq!(read(&written).unwrap(), config);
    assert_eq!(written["heartbeat"]["commit_after"], "7500ms");
    assert_eq!(written["phases"]["endless_read"], "3600s");
    assert_eq!(written["request_body"]["total"], "none");

    let text = toml::to_string(&config).unwrap();
    assert_eq!(toml::from_str::<LifelineConfig>(&text).unwrap(), config, "{text}");
    assert_eq!(read(&json!({})).unwrap(), LifelineConfig::default());
    assert_eq!(
        toml::from_str::<LifelineConfig>("").unwrap(),
        LifelineConfig::default()
    );
}

#[test]
fn every_key_does_what_it_says() {
    // What is set would warn behind these platforms where it is not derived, so not strictly.
    let mut all = everything();
    all["strict"] = json!(false);
    let lifeline = built(&all).unwrap();
    assert_eq!(
        lifeline.chain().to_string(),
        "cloudflare,nginx(first_byte=300s idle=300s)"
    );
    let gate = lifeline.gate().figures();
    assert_eq!(
        (gate.max_in_flight, gate.max_queue, gate.queue_timeout),
        (8, 4, secs(3))
    );
    let phases = lifeline.phases();
    assert_eq!((phases.head(), phases.read()), (Some(secs(40)), Some(secs(50))));
    assert_eq!(
        (phases.total(), phases.endless_read()),
        (Some(secs(100)), Some(secs(3600)))
    );
    assert!(phases.is_report_only(Phase::Total));
    let heartbeat = lifeline.heartbeat();
    assert_eq!(
        (heartbeat.interval(), heartbeat.commit()),
        (secs(12), EarlyCommit::AnyRequest)
    );
    assert_eq!(heartbeat.commit_after(), Duration::from_millis(7500));
    assert_eq!(
        (heartbeat.max_late_body(), heartbeat.has_goodbye()),
        (65536, true)
    );
    let slow = lifeline.slow_clients().unwrap();
    assert_eq!(
        (slow.stall(), slow.min_rate(), slow.grace()),
        (secs(20), Some(1000), Some(secs(5)))
    );
    assert!(slow.is_report_only());
    let body = lifeline.request_body();
    assert_eq!((body.idle(), body.total()), (Some(secs(10)), None));
    assert_eq!(body.min_rate(), Some((500, secs(4))));
    #[cfg(feature = "serve")]
    {
        let server = lifeline.server();
        assert_eq!(
            server.limit(tower_lifeline::ConnectionPhase::RequestHead),
            Some(secs(5))
        );
        assert_eq!(
            (server.keep_alive_idle(), server.max_connections()),
            (secs(960), 500)
        );
        assert_eq!(server.max_connections_per_peer(), Some(50));
        assert_eq!((server.drain_delay(), server.drain()), (Duration::ZERO, secs(15)));
        assert_eq!(server.slow_clients(), slow);
    }

    // The switches.
    let off = json!({
        "gate": { "off": true }, "heartbeat": { "off": true }, "slow_clients": { "off": true, },
        "request_body": { "min_rate": 0 },
        "phases": { "head": "none", "read": "none", "total": "none" },
    });
    let lifeline = built(&off).unwrap();
    assert!(lifeline.heartbeat().is_off() && lifeline.slow_clients().is_none());
    assert!(lifeline.gate().figures().max_in_flight > 1_000_000);
    assert_eq!(lifeline.request_body().min_rate(), None);
    let phases = lifeline.phases();
    assert_eq!((phases.head(), phases.read(), phases.total()), (None, None, None));
    let rate = json!({ "slow_clients": { "min_rate": 0 } });
    assert_eq!(built(&rate).unwrap().slow_clients().unwrap().min_rate(), None);
    for (commit, which) in [
        ("never", EarlyCommit::Never),
        ("json_rpc_requests", EarlyCommit::JsonRpcRequests),
    ] {
        let lifeline = built(&json!({ "heartbeat": { "commit": commit } })).unwrap();
        assert_eq!(lifeline.heartbeat().commit(), which);
    }
    let strict = json!({ "behind": "heroku", "strict": true, "heartbeat": { "interval": "1m" } });
    assert!(refused(&strict).contains("heroku"));
}

#[test]
fn an_unknown_key_is_refused_with_those_that_there_are() {
    let all = everything();
    for (name, known) in tables(&all) {
        let mut wrong = all.clone();
        let table = match name.as_str() {
            "" => &mut wrong,
            name => &mut wrong[name],
        };
        table["timeout"] = json!("30s");
        let in_json = read(&wrong).unwrap_err().to_string();
        let mut in_toml: toml::Table = toml::from_str(&toml::to_string(&all).unwrap()).unwrap();
        let table = match name.as_str() {
            "" => &mut in_toml,
            name => in_toml[name].as_table_mut().unwrap(),
        };
        table.insert("timeout".into(), "30s".into());
        let in_toml = toml::from_str::<LifelineConfig>(&toml::to_string(&in_toml).unwrap());
        for sentence in [in_json, in_toml.unwrap_err().to_string()] {
            assert!(sentence.contains("unknown field `timeout`"), "{sentence}");
            for key in known.keys() {
                assert!(
                    sentence.contains(&format!("`{key}`")),
                    "{name} has `{key}`: {sentence}"
                );
            }
        }
    }
    let sentence = read(&json!({ "heartbeat": { "commit": "always" } }))
        .unwrap_err()
        .to_string();
    assert!(
        sentence.contains("`never`, `json_rpc_requests`, `any_request`"),
        "{sentence}"
    );
}

#[test]
fn a_duration_that_is_none_is_refused_and_told_what_one_is() {
    for wrong in [
        json!(30),
        json!(1.5),
        json!(true),
        json!("30"),
        json!(""),
        json!("s"),
        json!("soon"),
        json!("5 s"),
        json!("1.5s"),
        json!("-5s"),
        json!("5 parsecs"),
        json!("NONE"),
        json!("9999999h"),
    ] {
        let config = json!({ "phases": { "read": wrong } });
        let sentence = read(&config).unwrap_err().to_string();
        assert!(
            sentence.contains("\"15s\" or \"350ms\", or \"none\""),
            "{wrong}: {sentence}"
        );
    }
    let wrong = "[phases]\ntotal = \"2m\"\nread = 30\n";
    let sentence = toml::from_str::<LifelineConfig>(wrong).unwrap_err().to_string();
    assert!(
        sentence.contains("line 3") && sentence.contains("a duration with its unit"),
        "{sentence}"
    );
}

#[test]
fn durations_are_written_so_that_they_are_read_as_the_same() {
    for text in [
        "15s",
        "350ms",
        "2m",
        "1h",
        "1500us",
        "1ns",
        "0s",
        "none",
        "18446744073709551615s",
    ] {
        let span: Span = serde_json::from_value(json!(text)).unwrap();
        let written = serde_json::to_value(span).unwrap();
        assert_eq!(
            serde_json::from_value::<Span>(written.clone()).unwrap(),
            span,
            "{text}: {written}"
        );
    }
    let third = Span::new(secs(20) / 3);
    let written = serde_json::to_value(third).unwrap();
    assert_eq!(serde_json::from_value::<Span>(written).unwrap(), third);
}

#[test]
fn zero_is_no_way_to_say_none() {
    for (config, word) in [
        (
            json!({ "phases": { "read": "0s" } }),
            "is zero, so every exchange would fail",
        ),
        (json!({ "phases": { "total": "0s" } }), "`total` is zero"),
        (
            json!({ "gate": { "queue_timeout": "0s" } }),
            "`queue_timeout` is zero",
        ),
        (json!({ "heartbeat": { "interval": "0s" } }), "`interval` of zero"),
        (json!({ "slow_clients": { "stall": "0s" } }), "less than 50ms"),
        (json!({ "request_body": { "idle": "0s" } }), "`idle` is zero"),
        (json!({ "request_body": { "total": "0s" } }), "`total` is zero"),
        (
            json!({ "gate": { "max_in_flight": 0 } }),
            "`max_in_flight` is zero",
        ),
    ] {
        let sentence = refused(&config);
        assert!(sentence.contains(word), "{sentence}");
    }
}

#[test]
fn none_is_refused_where_something_is_needed() {
    let mut cases = vec![
        ("gate", "queue_timeout"),
        ("heartbeat", "interval"),
        ("heartbeat", "commit_after"),
        ("slow_clients", "stall"),
        ("slow_clients", "grace"),
        ("request_body", "grace"),
    ];
    if cfg!(feature = "serve") {
        cases.extend([
            ("server", "request_head"),
            ("server", "keep_alive_idle"),
            ("server", "drain"),
        ]);
    }
    for (part, key) in cases {
        let sentence = refused(&json!({ part: { key: "none" } }));
        assert!(
            sentence.contains(&format!("`{part}.{key}` cannot be `none`")),
            "{sentence}"
        );
    }
}

#[test]
fn off_and_set_at_once_is_refused() {
    for (part, said) in [
        ("gate", json!({ "off": true, "max_in_flight": 8 })),
        ("gate", json!({ "off": true, "queue_timeout": "3s" })),
        ("heartbeat", json!({ "off": true, "interval": "5s" })),
        ("heartbeat", json!({ "off": true, "goodbye": true })),
        ("slow_clients", json!({ "off": true, "min_rate": 100 })),
        ("slow_clients", json!({ "off": true, "report_only": true })),
    ] {
        let sentence = refused(&json!({ part: said }));
        assert!(
            sentence.contains(&format!("`{part}` is switched off and set")),
            "{sentence}"
        );
    }
    let sentence = refused(&json!({ "heartbeat": { "commit": "never", "commit_after": "5s" } }));
    assert!(
        sentence.contains("`heartbeat.commit_after` belongs to"),
        "{sentence}"
    );
    let sentence = refused(&json!({ "request_body": { "min_rate": 0, "grace": "5s" } }));
    assert!(sentence.contains("switched off"), "{sentence}");
    let sentence = refused(&json!({ "phases": { "read": "90s", "total": "60s" } }));
    assert!(
        sentence.contains("(90s) is longer than `total` (60s)"),
        "{sentence}"
    );
    let sentence = refused(&json!({ "behind": "herku" }));
    assert!(sentence.contains("did you mean `heroku`?"), "{sentence}");
}

#[test]
fn what_is_left_out_gives_way_to_what_was_said() {
    let phases = |json: Value| {
        let phases = built(&json).unwrap().phases();
        [phases.head(), phases.read(), phases.total()].map(|limit| limit.map(|limit| limit.as_millis()))
    };
    let behind_envoy = |said: Value| phases(json!({ "behind": "envoy", "phases": said }));
    assert_eq!(phases(json!({ "phases": { "total": "60s" } })), [Some(60_000); 3]);
    assert_eq!(
        phases(json!({ "phases": { "read": "30s" } })),
        [Some(30_000), Some(30_000), Some(120_000)]
    );
    // What follows from the platforms does so key by key.
    assert_eq!(
        behind_envoy(json!({ "read": "5s" })),
        [Some(5000), Some(5000), Some(13_500)]
    );
    assert_eq!(
        behind_envoy(json!({ "head": "8s" })),
        [Some(8000), Some(13_500), Some(13_500)]
    );
    // And refuses nothing: the check warns of the cap.
    assert_eq!(
        behind_envoy(json!({ "read": "60s" })),
        [Some(60_000), Some(60_000), Some(120_000)]
    );
    let heartbeat = built(&json!({ "behind": "envoy", "heartbeat": { "goodbye": true } })).unwrap();
    assert_eq!(heartbeat.heartbeat().commit_after().as_millis(), 7500);
    let body = built(&json!({ "request_body": { "total": "10s" } })).unwrap();
    let body = body.request_body();
    assert_eq!(
        (body.idle(), body.min_rate()),
        (Some(secs(10)), Some((240, secs(10))))
    );
}

/// The stack of the field report, as the guide for its users writes it.
#[test]
fn the_file_in_the_migration_guide_is_read() {
    const GUIDE: &str = include_str!("../../../docs/migration.md");
    let file = GUIDE
        .split("```toml\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    let config: LifelineConfig = toml::from_str(file).unwrap();
    let lifeline = config.builder().unwrap().strict().build().unwrap();
    let figures = lifeline.gate().figures();
    assert_eq!(
        (figures.max_in_flight, figures.max_queue, figures.queue_timeout),
        (4, 8, secs(5))
    );
    assert_eq!(lifeline.phases(), tower_lifeline::PhaseLimits::new());
    assert_eq!(lifeline.findings(), []);
}
