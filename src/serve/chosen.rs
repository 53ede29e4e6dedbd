//! What a server was set to, for whoever reads it back.

use std::time::Duration;

use super::settings::ServeSettings;

impl ServeSettings {
    /// How many connections there may be.
    #[must_use]
    pub const fn max_connections(&self) -> usize {
        self.0.max_connections
    }

    /// The age at which a connection takes no new requests.
    #[must_use]
    pub const fn max_connection_age(&self) -> Option<Duration> {
        self.0.max_connection_age
    }

    /// What hyper may hold for a client over HTTP/1.1, in bytes.
    #[must_use]
    pub const fn h1_write_buffer(&self) -> usize {
        self.0.h1_write_buffer
    }

    /// What hyper may hold of one stream over HTTP/2, in bytes.
    #[must_use]
    pub const fn h2_write_buffer(&self) -> usize {
        self.0.h2_write_buffer
    }

    /// How many streams of one connection there may be.
    #[must_use]
    pub const fn h2_max_streams(&self) -> u32 {
        self.0.h2_max_streams
    }

    /// How many streams a peer may reset before their time.
    #[must_use]
    pub const fn h2_max_resets(&self) -> usize {
        self.0.h2_max_resets
    }

    /// The largest head over HTTP/2, uncompressed, in bytes.
    #[must_use]
    pub const fn h2_max_header_list(&self) -> u32 {
        self.0.h2_max_header_list
    }

    /// How often a peer over HTTP/2 is asked for a sign of life, and how long it has for it.
    #[must_use]
    pub const fn h2_ping(&self) -> Option<(Duration, Duration)> {
        self.0.h2_ping
    }

    /// From the beginning of a drain to the last accepted connection.
    #[must_use]
    pub const fn drain_delay(&self) -> Duration {
        self.0.drain_delay
    }

    /// From there to the cut.
    #[must_use]
    pub const fn drain(&self) -> Duration {
        self.0.drain
    }

    /// Over how long connections are told to end.
    #[must_use]
    pub const fn drain_spread(&self) -> Duration {
        self.0.drain_spread
    }
}
