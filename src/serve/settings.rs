//! What a server allows its connections: values that were checked when they were built.

use std::time::Duration;

use crate::connection::SocketSettings;
use crate::error::ConfigError;
use crate::event::ConnectionPhase;
use crate::slow_client::SlowClientLimits;

/// What [`serve`](super::serve()) allows its connections, and how it drains them.
///
/// | setting | default | reason for the default |
/// |---|---|---|
/// | `handshake` | 10 s | a TLS handshake is two round trips; who needs longer sends garbage or nothing |
/// | `first_byte` | 30 s | browsers and proxies connect ahead of need, and reconnect at no cost when they are closed |
/// | `request_head` | 15 s, from its first byte | a head is one packet; hyper counts the idle time before it as well |
/// | `keep_alive_idle` | 120 s | longer than what the usual proxies keep an upstream connection (60–90 s), so that it is the proxy that closes it: else it sends a request into a connection that is just being closed, and answers 502 |
/// | `max_connections` | 10 000 | a stalled one holds up to about 200 KB, in the system's memory for the most part |
/// | `max_connections_per_peer` | none | behind a proxy everybody is the same peer |
/// | `max_connection_age` | none | long-lived connections stay with an old server of a growing cluster; a tenth of it is spread at random |
/// | `h1_write_buffer` | 64 KiB | hyper's own 400 KiB are what each stalled client may hold |
/// | `h2_write_buffer` | 64 KiB for each stream, and one piece of 16 KiB | hyper's own are 400 KiB, and a frame of any size |
/// | `h2_max_streams` | 128 | what the usual clients expect at least is 100 |
/// | `h2_max_header_list` | 16 KiB | what hyper allows a head over HTTP/1.1 |
/// | `h2_max_resets` | 20 | streams that their client resets before they were looked at: a flood of them ("rapid reset") costs the server more than its client, and the connection goes |
/// | `h2_ping` | each 20 s, answered within 20 s | finds a dead peer behind a connection on which nothing is written, before the usual 60 s |
/// | `drain_delay` | 3 s | what load balancers need to hear of `is_ready() == false` |
/// | `drain` | 20 s | with the delay less than the 30 s after which Kubernetes and Heroku kill |
/// | `drain_spread` | 1 s | clients that are sent away together come back together |
/// | [`slow_clients`](SlowClientLimits), [`socket`](SocketSettings) | theirs | |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServeSettings(pub(super) ServeSettingsBuilder);

/// Builds [`ServeSettings`], starting from their defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "settings come out of `build`"]
pub struct ServeSettingsBuilder {
    pub(super) handshake: Duration,
    pub(super) first_byte: Duration,
    pub(super) request_head: Duration,
    pub(super) keep_alive_idle: Duration,
    pub(super) max_connections: usize,
    pub(super) max_connections_per_peer: Option<usize>,
    pub(super) max_connection_age: Option<Duration>,
    pub(super) h1_write_buffer: usize,
    pub(super) h2_write_buffer: usize,
    pub(super) h2_max_streams: u32,
    pub(super) h2_max_header_list: u32,
    pub(super) h2_max_resets: usize,
    pub(super) h2_ping: Option<(Duration, Duration)>,
    pub(super) drain_delay: Duration,
    pub(super) drain: Duration,
    pub(super) drain_spread: Duration,
    pub(super) slow_clients: SlowClientLimits,
    pub(super) socket: SocketSettings,
}

/// hyper refuses less, since a head has to fit in.
const LEAST_H1_BUFFER: usize = 8 * 1024;

const LONGEST_BETWEEN_LOOKS: Duration = Duration::from_millis(500);
const LOOKS_IN_A_LIMIT: u32 = 8;

// === impl ServeSettings ===

impl ServeSettings {
    /// The defaults of the table above.
    #[must_use]
    pub fn new() -> Self {
        Self(Self::builder())
    }

    /// A builder that starts from the defaults.
    pub fn builder() -> ServeSettingsBuilder {
        ServeSettingsBuilder {
            handshake: Duration::from_secs(10),
            first_byte: Duration::from_secs(30),
            request_head: Duration::from_secs(15),
            keep_alive_idle: Duration::from_secs(120),
            max_connections: 10_000,
            max_connections_per_peer: None,
            max_connection_age: None,
            h1_write_buffer: 64 * 1024,
            h2_write_buffer: 64 * 1024,
            h2_max_streams: 128,
            h2_max_header_list: 16 * 1024,
            h2_max_resets: 20,
            h2_ping: Some((Duration::from_secs(20), Duration::from_secs(20))),
            drain_delay: Duration::from_secs(3),
            drain: Duration::from_secs(20),
            drain_spread: Duration::from_secs(1),
            slow_clients: SlowClientLimits::new(),
            socket: SocketSettings::new(),
        }
    }

    /// A builder that starts from these settings.
    pub const fn to_builder(self) -> ServeSettingsBuilder {
        self.0
    }

    /// How long a connection may stay in a phase.
    #[must_use]
    pub const fn limit(&self, phase: ConnectionPhase) -> Option<Duration> {
        match phase {
            ConnectionPhase::Handshake => Some(self.0.handshake),
            ConnectionPhase::FirstByte => Some(self.0.first_byte),
            ConnectionPhase::Idle => Some(self.0.keep_alive_idle),
            ConnectionPhase::RequestHead => Some(self.0.request_head),
            ConnectionPhase::Busy => None,
        }
    }

    /// How long a drain may take at most, its delay included.
    #[must_use]
    pub const fn drain_bound(&self) -> Duration {
        self.0.drain_delay.saturating_add(self.0.drain)
    }

    /// How long a connection may be without a request.
    #[must_use]
    pub const fn keep_alive_idle(&self) -> Duration {
        self.0.keep_alive_idle
    }

    /// How many connections one peer may have.
    #[must_use]
    pub const fn max_connections_per_peer(&self) -> Option<usize> {
        self.0.max_connections_per_peer
    }

    /// How slow a client may be before its connection is cut.
    #[must_use]
    pub const fn slow_clients(&self) -> &SlowClientLimits {
        &self.0.slow_clients
    }

    /// What is set on each socket.
    #[must_use]
    pub const fn socket(&self) -> &SocketSettings {
        &self.0.socket
    }

    /// When the last connection has been told of a drain: they are told when they are looked at.
    pub(crate) fn all_told_after(&self) -> Duration {
        self.0.drain_spread.saturating_add(self.between_looks())
    }

    /// How often a connection is looked at: an eighth of the shortest limit, at most half a second, and as often as
    /// its streams.
    pub(super) fn between_looks(&self) -> Duration {
        let shortest = self.0.times().map(|(_, time)| time).into_iter().min();
        (shortest.unwrap_or_default() / LOOKS_IN_A_LIMIT)
            .min(LONGEST_BETWEEN_LOOKS)
            .min(self.0.slow_clients.between_looks())
    }
}

impl Default for ServeSettings {
    fn default() -> Self {
        Self::new()
    }
}

// === impl ServeSettingsBuilder ===

impl ServeSettingsBuilder {
    /// From the acceptance of a connection to the end of its TLS handshake.
    pub const fn handshake(mut self, limit: Duration) -> Self {
        self.handshake = limit;
        self
    }

    /// From there to the bytes that tell the protocol.
    pub const fn first_byte(mut self, limit: Duration) -> Self {
        self.first_byte = limit;
        self
    }

    /// From the first byte of a request's head to its last. Over HTTP/2, where nothing else can come meanwhile, a head
    /// that is slower than that ends its connection, whatever other requests it has.
    pub const fn request_head(mut self, limit: Duration) -> Self {
        self.request_head = limit;
        self
    }

    /// A connection without a request, from the end of the last answer. Make it longer than the proxy in front
    /// keeps an idle connection.
    pub const fn keep_alive_idle(mut self, limit: Duration) -> Self {
        self.keep_alive_idle = limit;
        self
    }

    /// So many connections at once; others wait in the system's backlog.
    pub const fn max_connections(mut self, count: usize) -> Self {
        self.max_connections = count;
        self
    }

    /// So many connections of one address at once; more are closed. A network of 64 bits of IPv6 (`/64`) counts as one
    /// address, for whoever has one address of it has all of them. Not behind a proxy, which is everybody's address.
    pub const fn max_connections_per_peer(mut self, count: usize) -> Self {
        self.max_connections_per_peer = Some(count);
        self
    }

    /// A connection of that age takes no new requests and ends with those that it has.
    pub const fn max_connection_age(mut self, age: Duration) -> Self {
        self.max_connection_age = Some(age);
        self
    }

    /// What hyper may hold of what a client over HTTP/1.1 has not taken, in bytes.
    pub const fn h1_write_buffer(mut self, bytes: usize) -> Self {
        self.h1_write_buffer = bytes;
        self
    }

    /// What hyper may hold of what a client has not taken of one stream, in bytes. It is filled in pieces of 16 KiB,
    /// the last of which may go beyond it.
    pub const fn h2_write_buffer(mut self, bytes: usize) -> Self {
        self.h2_write_buffer = bytes;
        self
    }

    /// So many streams of one connection at once.
    pub const fn h2_max_streams(mut self, count: u32) -> Self {
        self.h2_max_streams = count;
        self
    }

    /// The largest head over HTTP/2, uncompressed, in bytes.
    pub const fn h2_max_header_list(mut self, bytes: u32) -> Self {
        self.h2_max_header_list = bytes;
        self
    }

    /// So many streams of one connection may wait that their client has reset before they were looked at.
    pub const fn h2_max_resets(mut self, count: usize) -> Self {
        self.h2_max_resets = count;
        self
    }

    /// Asks a peer over HTTP/2 for a sign of life at intervals, and closes the connection without an answer.
    pub const fn h2_ping(mut self, interval: Duration, answered_within: Duration) -> Self {
        self.h2_ping = Some((interval, answered_within));
        self
    }

    /// Asks no peer for a sign of life.
    pub const fn without_h2_ping(mut self) -> Self {
        self.h2_ping = None;
        self
    }

    /// From the beginning of a drain, when the server is no longer ready, to the moment from which on it accepts no
    /// connection.
    pub const fn drain_delay(mut self, delay: Duration) -> Self {
        self.drain_delay = delay;
        self
    }

    /// From that moment to the one in which connections are cut that are still there. `Duration::MAX`: none is.
    pub const fn drain(mut self, bound: Duration) -> Self {
        self.drain = bound;
        self
    }

    /// Connections are told to end over that time, and not all at once.
    pub const fn drain_spread(mut self, spread: Duration) -> Self {
        self.drain_spread = spread;
        self
    }

    /// How slow a client may be before its connection is cut.
    pub const fn slow_clients(mut self, limits: SlowClientLimits) -> Self {
        self.slow_clients = limits;
        self
    }

    /// What is set on each socket.
    pub const fn socket(mut self, settings: SocketSettings) -> Self {
        self.socket = settings;
        self
    }

    /// Checks the settings against one another.
    ///
    /// # Errors
    /// Refuses limits and counts of zero; write buffers of less than 8 KiB over HTTP/1.1, into which no head would
    /// fit, or of more than 4 GiB over HTTP/2; an `h2_ping` without time between pings or for an answer; a
    /// `max_connections_per_peer` above `max_connections`, which could never be reached; a `drain_spread` that
    /// leaves nothing of `drain`, since who is told to end last would have no time for it.
    pub fn build(self) -> Result<ServeSettings, ConfigError> {
        for (name, time) in self.times() {
            if time.is_zero() {
                return Err(ConfigError::new(format!(
                    "`{name}` is zero, so that every connection would be closed at once"
                )));
            }
        }
        let counts = [
            ("max_connections", self.max_connections),
            (
                "max_connections_per_peer",
                self.max_connections_per_peer.unwrap_or(1),
            ),
            ("h2_write_buffer", self.h2_write_buffer),
            ("h2_max_streams", self.h2_max_streams as usize),
            ("h2_max_resets", self.h2_max_resets),
            ("h2_max_header_list", self.h2_max_header_list as usize),
        ];
        for (name, count) in counts {
            if count == 0 {
                return Err(ConfigError::new(format!(
                    "`{name}` is zero, so that nobody would be served"
                )));
            }
        }
        if self.h1_write_buffer < LEAST_H1_BUFFER {
            return Err(ConfigError::new(format!(
                "an `h1_write_buffer` of {} bytes is less than the {LEAST_H1_BUFFER} into which a head fits",
                self.h1_write_buffer
            )));
        }
        if u32::try_from(self.h2_write_buffer).is_err() {
            return Err(ConfigError::new(format!(
                "an `h2_write_buffer` of {} bytes is more than HTTP/2 can count ({})",
                self.h2_write_buffer,
                u32::MAX
            )));
        }
        if let Some((interval, answered_within)) = self.h2_ping {
            if interval.is_zero() || answered_within.is_zero() {
                return Err(ConfigError::new(format!(
                    "an `h2_ping` each {interval:?}, answered within {answered_within:?}, would close every connection \
                     over HTTP/2: make both longer than zero, or call `without_h2_ping`"
                )));
            }
        }
        if let Some(share) = self.max_connections_per_peer {
            if share > self.max_connections {
                return Err(ConfigError::new(format!(
                    "a `max_connections_per_peer` of {share} is more than `max_connections` ({}): one peer could have \
                     all of them",
                    self.max_connections
                )));
            }
        }
        let settings = ServeSettings(self);
        let (spread, drain, told) = (self.drain_spread, self.drain, settings.all_told_after());
        if !spread.is_zero() && told >= drain && drain < Duration::MAX {
            return Err(ConfigError::new(format!(
                "a `drain_spread` of {spread:?} is too long for a `drain` of {drain:?}: the last connection is told                  after {told:?}, and would be cut at once; lower the first or raise the second"
            )));
        }
        Ok(settings)
    }

    fn times(&self) -> [(&'static str, Duration); 5] {
        [
            ("handshake", self.handshake),
            ("first_byte", self.first_byte),
            ("request_head", self.request_head),
            ("keep_alive_idle", self.keep_alive_idle),
            (
                "max_connection_age",
                self.max_connection_age.unwrap_or(Duration::MAX),
            ),
        ]
    }
}
