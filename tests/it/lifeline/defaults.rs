//! The table of defaults in the documentation, held against the code.

use std::collections::BTreeMap;
use std::time::Duration;

use tower_lifeline::admission_gate::RetryAfter;
use tower_lifeline::connection::SocketSettings;
use tower_lifeline::serve::ServeSettings;
use tower_lifeline::sse_heartbeat::{EarlyCommit, Framing, HeartbeatSettings, Progress};
use tower_lifeline::{
    ConnectionPhase, GateLimits, Lifeline, PhaseLimits, RequestBodyLimits, SlowClientLimits,
};

const DOCS: &str = include_str!("../../../src/lifeline/mod.rs");

/// The rows of the table under "Defaults": setting and default.
fn documented(docs: &str) -> BTreeMap<String, String> {
    let section = docs.split("//! # Defaults").nth(1).unwrap();
    let section = section.split("//! # ").next().unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("//! | `"));
    let rows: Vec<_> = rows
        .map(|row| {
            let mut cells = row.split('|').map(str::trim);
            let setting = cells.next().unwrap().trim_end_matches('`');
            (setting.to_owned(), cells.next().unwrap().to_owned())
        })
        .collect();
    let count = rows.len();
    let table: BTreeMap<_, _> = rows.into_iter().collect();
    assert_eq!(table.len(), count, "a setting stands there twice");
    table
}

fn time(time: Duration) -> String {
    assert_eq!(time.subsec_nanos(), 0);
    format!("{} s", time.as_secs())
}

fn limit(limit: Option<Duration>) -> String {
    limit.map_or_else(|| "none".into(), time)
}

fn count(count: Option<impl ToString>) -> String {
    count.map_or_else(|| "none".into(), |count| count.to_string())
}

fn rate(rate: Option<u32>) -> String {
    rate.map_or_else(|| "none".into(), |rate| format!("{rate} B/s"))
}

fn switch(on: bool) -> String {
    if on { "on" } else { "off" }.into()
}

fn bytes(bytes: usize) -> String {
    const KIB: usize = 1024;
    const MIB: usize = 1024 * KIB;
    match bytes {
        whole if whole % MIB == 0 => format!("{} MiB", whole / MIB),
        whole if whole % KIB == 0 => format!("{} KiB", whole / KIB),
        bytes => format!("{bytes} bytes"),
    }
}

/// What the types say that the stack is made of.
fn coded() -> BTreeMap<String, String> {
    let lifeline = Lifeline::builder().build().unwrap();
    let figures = lifeline.gate().figures();
    let gate = GateLimits::builder(figures.max_in_flight).build().unwrap();
    let (least, most) = match RetryAfter::default() {
        RetryAfter::Estimated { min, max } => (time(min), time(max)),
        other => panic!("{other:?}"),
    };
    let phases = PhaseLimits::new();
    let heartbeat = HeartbeatSettings::new();
    let commit = match heartbeat.commit() {
        EarlyCommit::JsonRpcRequests => "JSON-RPC requests",
        other => panic!("{other:?}"),
    };
    assert_eq!(heartbeat.framing(), Framing::COMMENT_BLOCK);
    let progress = Progress::for_tools(["research"]);
    let slow = SlowClientLimits::new();
    let body = RequestBodyLimits::new();
    let server = ServeSettings::new();
    let socket = SocketSettings::new();
    let (ping, answered) = server.h2_ping().unwrap();
    let server_limit = |phase| limit(server.limit(phase));
    let rows = [
        ("gate.max_in_flight", figures.max_in_flight.to_string()),
        ("gate.max_queue", gate.max_queue().to_string()),
        ("gate.queue_timeout", time(gate.queue_timeout())),
        ("gate.key_share", count(gate.key_share())),
        ("gate.retry_after", format!("{least} to {most}")),
        ("phases.connect", limit(phases.connect())),
        ("phases.head", limit(phases.head())),
        ("phases.read", limit(phases.read())),
        ("phases.total", limit(phases.total())),
        ("phases.endless_read", limit(phases.endless_read())),
        ("phases.endless_total", limit(phases.endless_total())),
        ("heartbeat.interval", time(heartbeat.interval())),
        ("heartbeat.jitter", switch(heartbeat.has_jitter())),
        ("heartbeat.framing", "a comment and a blank line".into()),
        ("heartbeat.first_beat", switch(heartbeat.has_first_beat())),
        ("heartbeat.accel_header", switch(heartbeat.has_accel_header())),
        ("heartbeat.cache_header", switch(heartbeat.has_cache_header())),
        ("heartbeat.commit", commit.into()),
        ("heartbeat.commit_after", time(heartbeat.commit_after())),
        ("heartbeat.max_late_body", bytes(heartbeat.max_late_body())),
        ("heartbeat.goodbye", switch(heartbeat.has_goodbye())),
        ("progress", "none".into()),
        ("progress.cap", time(progress.cap())),
        ("slow_clients.stall", time(slow.stall())),
        ("slow_clients.min_rate", rate(slow.min_rate())),
        ("slow_clients.grace", limit(slow.grace())),
        ("request_body.idle", limit(body.idle())),
        ("request_body.total", limit(body.total())),
        (
            "request_body.min_rate",
            rate(body.min_rate().map(|(rate, _)| rate)),
        ),
        (
            "request_body.grace",
            limit(body.min_rate().map(|(_, grace)| grace)),
        ),
        ("server.handshake", server_limit(ConnectionPhase::Handshake)),
        ("server.first_byte", server_limit(ConnectionPhase::FirstByte)),
        ("server.request_head", server_limit(ConnectionPhase::RequestHead)),
        ("server.keep_alive_idle", time(server.keep_alive_idle())),
        ("server.max_connections", server.max_connections().to_string()),
        (
            "server.max_connections_per_peer",
            count(server.max_connections_per_peer()),
        ),
        ("server.max_connection_age", limit(server.max_connection_age())),
        ("server.h1_write_buffer", bytes(server.h1_write_buffer())),
        ("server.h2_write_buffer", bytes(server.h2_write_buffer())),
        ("server.h2_max_streams", server.h2_max_streams().to_string()),
        ("server.h2_max_resets", server.h2_max_resets().to_string()),
        (
            "server.h2_max_header_list",
            bytes(server.h2_max_header_list() as usize),
        ),
        (
            "server.h2_ping",
            format!("each {}, answered within {}", time(ping), time(answered)),
        ),
        ("server.drain_delay", time(server.drain_delay())),
        ("server.drain", time(server.drain())),
        ("server.drain_spread", time(server.drain_spread())),
        ("socket.nodelay", switch(socket.has_nodelay())),
        (
            "socket.notsent_lowat",
            socket
                .notsent_lowat()
                .map_or_else(|| "none".into(), |it| bytes(it as usize)),
        ),
        (
            "socket.send_buffer",
            socket
                .send_buffer()
                .map_or_else(|| "none".into(), |it| bytes(it as usize)),
        ),
        ("socket.user_timeout", limit(socket.user_timeout())),
    ];
    rows.into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

#[test]
fn the_table_says_what_the_code_does() {
    assert_eq!(documented(DOCS), coded());
}

/// A setting that a type's own table has and the stack's has not would go unnoticed: nobody would read it back.
#[test]
fn the_table_has_every_setting_of_the_types_own_tables() {
    let own = [
        ("gate", include_str!("../../../src/admission_gate/limits.rs")),
        ("phases", include_str!("../../../src/phase/limits.rs")),
        (
            "heartbeat",
            include_str!("../../../src/sse_heartbeat/settings.rs"),
        ),
        ("slow_clients", include_str!("../../../src/slow_client/limits.rs")),
        (
            "request_body",
            include_str!("../../../src/request_body/limits.rs"),
        ),
        ("server", include_str!("../../../src/serve/settings.rs")),
    ];
    let table = documented(DOCS);
    for (part, source) in own {
        let names = source.lines().filter_map(|line| line.strip_prefix("/// | `"));
        let names: Vec<_> = names.filter_map(|row| row.split('`').next()).collect();
        assert!(names.len() > 2, "{part} has no table any more");
        for name in names {
            assert!(
                table.contains_key(&format!("{part}.{name}")),
                "`{part}.{name}` is missing"
            );
        }
    }
}

#[test]
fn a_table_that_says_something_else_is_found_out() {
    for (is, says) in [
        ("| 90 s |", "| 91 s |"),
        ("| 240 B/s |", "| 100 B/s |"),
        ("`progress.cap`", "`progress.top`"),
    ] {
        assert_ne!(documented(&DOCS.replacen(is, says, 1)), coded());
    }
}

#[test]
fn the_stack_is_made_of_the_types_defaults() {
    let lifeline = Lifeline::builder().build().unwrap();
    assert_eq!(lifeline.phases(), PhaseLimits::new());
    assert_eq!(*lifeline.heartbeat(), HeartbeatSettings::new());
    assert_eq!(lifeline.slow_clients(), Some(&SlowClientLimits::new()));
    assert_eq!(*lifeline.request_body(), RequestBodyLimits::new());
    assert_eq!(*lifeline.server(), ServeSettings::new());
    let figures = lifeline.gate().figures();
    let gate = GateLimits::builder(figures.max_in_flight).build().unwrap();
    assert_eq!(
        (figures.max_queue, figures.queue_timeout),
        (gate.max_queue(), gate.queue_timeout())
    );
    assert_eq!(figures.key_share, None);
    assert!(lifeline.findings().is_empty());
}
