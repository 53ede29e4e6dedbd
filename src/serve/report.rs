//! Which protections are at work, as far as the server can tell before it begins.

use std::fmt;

use super::listener::Listener;
use super::piece::PIECE;
use super::settings::ServeSettings;
use crate::connection::{Probe, Sees, probe};

/// One line for each protection: whether it is at work in this set-up, and why.
#[derive(Clone, Debug)]
pub struct Report {
    lines: Vec<Protection>,
}

/// A protection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protection {
    name: &'static str,
    state: ProtectionState,
    why: String,
}

/// Whether a protection is at work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProtectionState {
    /// It is.
    Active,
    /// In part.
    Partial,
    /// It is not.
    Inert,
}

/// Files that a process has open beside its connections.
const OTHER_FILES: usize = 64;

// === impl Report ===

impl Report {
    pub(super) fn of<L: Listener>(listener: &L, settings: &ServeSettings, is_guarded: Option<bool>) -> Self {
        let set = &settings.0;
        let probed = listener
            .kind()
            .map(|kind| probe(kind.domain(), &set.socket).map_err(|error| error.to_string()));
        let mut lines = vec![
            Protection::active("slow TLS handshakes", format!("ended after {:?}", set.handshake)),
            Protection::active(
                "connections that say nothing",
                format!("closed after {:?}", set.first_byte),
            ),
            Protection::active(
                "slow request heads",
                format!(
                    "closed {:?} after their first byte over HTTP/1.1; over HTTP/2 after {:?} without a request",
                    set.request_head, set.keep_alive_idle
                ),
            ),
            Protection::active(
                "idle connections",
                format!("closed after {:?}", set.keep_alive_idle),
            ),
            stalled_connections(probed.as_ref(), settings),
        ];
        lines.extend(probed.iter().flatten().filter_map(refused));
        lines.push(stalled_streams(is_guarded));
        lines.push(Protection::active(
            "write buffers",
            format!(
                "{} KiB for a connection over HTTP/1.1, {} KiB for a stream over HTTP/2, and what the system queues",
                set.h1_write_buffer / 1024,
                set.h2_write_buffer.saturating_add(PIECE) / 1024
            ),
        ));
        lines.push(dead_peers(settings));
        lines.push(too_many(settings));
        lines.push(match set.max_connections_per_peer {
            Some(count) => Protection {
                name: "one peer with all connections",
                state: ProtectionState::Partial,
                why: format!("{count} for each address or /64 of IPv6, which behind a proxy is the proxy's"),
            },
            None => Protection::inert(
                "one peer with all connections",
                "max_connections_per_peer is not set; behind a proxy it could not work".to_owned(),
            ),
        });
        lines.push(Protection::active(
            "shutdown",
            format!(
                "not ready for {:?}, then no new connections, and {:?} for the old ones",
                set.drain_delay, set.drain
            ),
        ));
        Self { lines }
    }

    /// The lines.
    #[must_use]
    pub fn lines(&self) -> &[Protection] {
        &self.lines
    }

    /// Writes each line to `tracing`, at the level `INFO`.
    pub fn log(&self) {
        for Protection { name, state, why } in &self.lines {
            tracing::info!(target: "tower_lifeline", protection = name, state = state.as_str(), why);
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

// === impl Protection ===

impl Protection {
    const fn active(name: &'static str, why: String) -> Self {
        let state = ProtectionState::Active;
        Self { name, state, why }
    }

    const fn inert(name: &'static str, why: String) -> Self {
        let state = ProtectionState::Inert;
        Self { name, state, why }
    }

    /// Against what it protects.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Whether it is at work.
    #[must_use]
    pub const fn state(&self) -> ProtectionState {
        self.state
    }

    /// Why, or how.
    #[must_use]
    pub fn why(&self) -> &str {
        &self.why
    }
}

impl fmt::Display for Protection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:7} {}: {}", self.state.as_str(), self.name, self.why)
    }
}

// === impl ProtectionState ===

impl ProtectionState {
    /// One word for logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Partial => "partial",
            Self::Inert => "inert",
        }
    }
}

// === Protections that depend on the system ===

fn stalled_connections(probed: Option<&Result<Probe, String>>, settings: &ServeSettings) -> Protection {
    let limits = settings.0.slow_clients;
    let stall = limits.stall();
    let (mut state, why) = match probed {
        Some(Ok(probe)) => match probe.sees {
            Sees::Acknowledged => (
                ProtectionState::Active,
                format!("reset after {stall:?} in which the peer acknowledges nothing"),
            ),
            Sees::QueueOnly => (
                ProtectionState::Partial,
                format!(
                    "closed after {stall:?} in which nothing leaves a full queue: this kind of socket says no more"
                ),
            ),
            Sees::WritesOnly => (
                ProtectionState::Partial,
                format!(
                    "closed after {stall:?} in which no write gets on: this system does not say what a peer has taken"
                ),
            ),
        },
        Some(Err(error)) => (
            ProtectionState::Partial,
            format!("it could not be tried out what is to be seen of a peer: {error}"),
        ),
        None => (
            ProtectionState::Partial,
            format!(
                "closed after {stall:?} in which no write gets on: this listener's connections are no sockets"
            ),
        ),
    };
    let mut why = why;
    if limits.is_report_only() {
        state = ProtectionState::Inert;
        why.push_str("; but the limits only report");
    }
    Protection {
        name: "stalled connections",
        state,
        why,
    }
}

fn stalled_streams(is_guarded: Option<bool>) -> Protection {
    let (state, why) = match is_guarded {
        Some(true) => (ProtectionState::Active, "reset one by one"),
        Some(false) => (
            ProtectionState::Inert,
            "the stack is without its guard against slow clients, or it only reports",
        ),
        None => (
            ProtectionState::Partial,
            "reset one by one where the service is inside a SlowClientGuardLayer, which a server cannot see",
        ),
    };
    Protection {
        name: "stalled HTTP/2 streams",
        state,
        why: why.to_owned(),
    }
}

fn refused(probe: &Probe) -> Option<Protection> {
    (!probe.refused.is_empty()).then(|| {
        Protection::inert(
            "socket settings",
            format!("the system refuses {}", probe.refused.join(", ")),
        )
    })
}

fn dead_peers(settings: &ServeSettings) -> Protection {
    let name = "dead peers over HTTP/2";
    match settings.0.h2_ping {
        Some((interval, within)) => Protection::active(
            name,
            format!("asked after {interval:?} of silence, closed {within:?} later"),
        ),
        None => Protection::inert(name, "pings are switched off".to_owned()),
    }
}

fn too_many(settings: &ServeSettings) -> Protection {
    let name = "too many connections";
    let most = settings.0.max_connections;
    match open_files() {
        Some(files) if files < most + OTHER_FILES => Protection {
            name,
            state: ProtectionState::Partial,
            why: format!(
                "{most} may be open, but the process only {files} files: raise its limit (ulimit -n), or lower \
                 max_connections; until then the server waits for files to be closed when there are none left"
            ),
        },
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
