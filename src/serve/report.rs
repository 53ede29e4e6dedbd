//! Which protections are at work, as far as the server can tell before it begins.

use std::time::Duration;

use super::listener::{Listener, SocketKind};
use super::piece::PIECE;
use super::settings::ServeSettings;
use crate::connection;
use crate::report::{Protection, Report};

/// What a server knows of itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts {
    /// Whether the service is inside a guard against slow clients, where that is known.
    pub(super) is_guarded: Option<bool>,
    pub(super) has_handshake: bool,
    /// Whether there is a signal, or a handle in somebody's hands, that can begin the drain.
    pub(super) can_drain: bool,
}

/// Files that a process has open beside its connections.
const OTHER_FILES: usize = 64;

pub(super) fn of<L: Listener>(listener: &L, settings: &ServeSettings, facts: Facts) -> Report {
    let set = &settings.0;
    let mut lines = vec![
        handshakes(set.handshake, facts.has_handshake),
        limited("connections that say nothing", "closed", set.first_byte),
        limited(
            "slow request heads",
            "closed from their first byte",
            set.request_head,
        ),
        limited("idle connections", "closed", set.keep_alive_idle),
    ];
    let domain = listener.kind().map(|kind| kind.domain());
    lines.extend(connection::report_lines(domain, &set.slow_clients, &set.socket));
    lines.push(stalled_streams(facts.is_guarded));
    lines.push(Protection::active(
        "write buffers",
        format!(
            "{} KiB for a connection over HTTP/1.1, {} KiB for a stream over HTTP/2",
            set.h1_write_buffer / 1024,
            set.h2_write_buffer.saturating_add(PIECE) / 1024
        ),
    ));
    lines.push(dead_peers(settings));
    lines.push(too_many(settings));
    lines.push(one_peer::<L>(listener, settings));
    lines.push(shutdown(settings, facts.can_drain));
    Report::new(lines)
}

/// A limit that is longer than a process lives is none.
const FOR_EVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);

fn limited(name: &'static str, what: &str, limit: Duration) -> Protection {
    if limit >= FOR_EVER {
        Protection::inert(name, format!("a limit of {limit:?} is none"))
    } else {
        Protection::active(name, format!("{what} after {limit:?}"))
    }
}

fn handshakes(limit: Duration, are_there: bool) -> Protection {
    let name = "slow TLS handshakes";
    if are_there {
        limited(name, "ended", limit)
    } else {
        Protection::inert(name, "there is no handshake".to_owned())
    }
}

fn stalled_streams(is_guarded: Option<bool>) -> Protection {
    let name = "stalled HTTP/2 streams";
    match is_guarded {
        Some(true) => Protection::active(name, "reset one by one".to_owned()),
        Some(false) => Protection::inert(
            name,
            "the stack is without its guard against slow clients, or it only reports".to_owned(),
        ),
        None => Protection::partial(
            name,
            "reset one by one where the service is inside a SlowClientGuardLayer, which a server cannot see"
                .to_owned(),
        ),
    }
}

fn dead_peers(settings: &ServeSettings) -> Protection {
    let name = "dead peers over HTTP/2";
    match settings.0.h2_ping {
        Some((interval, within)) if interval < FOR_EVER && within < FOR_EVER => Protection::active(
            name,
            format!("asked after {interval:?} of silence, closed {within:?} later"),
        ),
        Some((interval, within)) => Protection::inert(
            name,
            format!("pings each {interval:?}, answered within {within:?}, are none"),
        ),
        None => Protection::inert(name, "pings are switched off".to_owned()),
    }
}

fn one_peer<L: Listener>(listener: &L, settings: &ServeSettings) -> Protection {
    let name = "one peer with all connections";
    match settings.0.max_connections_per_peer {
        Some(_) if listener.kind() == Some(SocketKind::Unix) => Protection::inert(
            name,
            "peers of a Unix socket have no addresses to be told apart by".to_owned(),
        ),
        Some(count) => Protection::partial(
            name,
            format!("{count} for each address or /64 of IPv6, which behind a proxy is the proxy's"),
        ),
        None => Protection::inert(
            name,
            "max_connections_per_peer is not set; behind a proxy it could not work".to_owned(),
        ),
    }
}

fn shutdown(settings: &ServeSettings, can_begin: bool) -> Protection {
    let name = "shutdown";
    let (delay, bound) = (settings.0.drain_delay, settings.0.drain);
    if !can_begin {
        return Protection::inert(
            name,
            "nothing can begin it: give the server a signal (with_shutdown), or keep its handle".to_owned(),
        );
    }
    if bound >= FOR_EVER {
        return Protection::partial(
            name,
            format!("not ready for {delay:?}, then no new connections; nothing bounds the old ones"),
        );
    }
    Protection::active(
        name,
        format!("not ready for {delay:?}, then no new connections, and {bound:?} for the old ones"),
    )
}

fn too_many(settings: &ServeSettings) -> Protection {
    let name = "too many connections";
    let most = settings.0.max_connections;
    match open_files() {
        Some(files) if files < most.saturating_add(OTHER_FILES) => Protection::partial(
            name,
            format!(
                "{most} may be open, but the process only {files} files: raise its limit (ulimit -n), or lower \
                 max_connections; until then the server waits for files to be closed when there are none left"
            ),
        ),
        _ => Protection::active(
            name,
            format!("{most} at once, others wait in the system's backlog"),
        ),
    }
}

/// How many files this process may have open, where the system says so in a file.
fn open_files() -> Option<usize> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find(|line| line.starts_with("Max open files"))?;
    line.split_whitespace().nth(3)?.parse().ok()
}
