//! What is set on each socket, so that it does not hide what its peer does.

use std::io;
use std::time::Duration;

use socket2::{Domain, SockRef};

use super::socket::{Socket, is_tcp};
use crate::error::ConfigError;

/// What is set on each connection when it is accepted.
///
/// | setting | default | reason |
/// |---|---|---|
/// | `TCP_NODELAY` | on | an event is worth nothing while it waits for the next one |
/// | `TCP_NOTSENT_LOWAT` | 64 KiB | the system takes no more than it can send, and 64 KiB: without it up to 4 MB of events go into the send buffer of a client that reads none of them, and are lost with it. 64 KiB is the largest packet that Linux hands down: with 16 KiB a download from the same machine had a fifth less throughput, with 128 KiB no more. Linux |
/// | `SO_SNDBUF` | as the system does, which lets it grow | a fixed size caps the throughput of a far client at one buffer for each round trip, but also the memory of a client that reads nothing |
/// | `TCP_USER_TIMEOUT` | off | it aborts whoever acknowledges nothing for so long, but also whoever keeps its window closed for so long while it reads slowly. A [`GuardedIo`](super::GuardedIo) knows the difference. Linux |
///
/// A setting that the system refuses is reported once and left out. What stands as "Linux" does nothing elsewhere,
/// and nothing but `SO_SNDBUF` concerns Unix sockets.
///
/// A value of this type has passed the checks of [`SocketSettingsBuilder::build`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketSettings {
    nodelay: bool,
    notsent_lowat: Option<u32>,
    send_buffer: Option<u32>,
    user_timeout: Option<Duration>,
}

/// Builds [`SocketSettings`], starting from their defaults.
#[derive(Clone, Copy, Debug)]
#[must_use = "settings come out of `build`"]
pub struct SocketSettingsBuilder {
    settings: SocketSettings,
}

/// In the order of their bits in what was reported.
#[derive(Clone, Copy, Debug)]
pub(super) enum Setting {
    Nodelay,
    NotsentLowat,
    SendBuffer,
    UserTimeout,
}

/// Linux counts what it keeps for each packet as well: less would not hold one of them.
const LEAST_SEND_BUFFER: u32 = 4096;

/// TCP sends again what was lost after about 0.2 s, and then after twice as long each time: less would leave it four
/// tries, and end a connection for a gap of seconds in a mobile network.
const LEAST_USER_TIMEOUT: Duration = Duration::from_secs(5);

// === impl SocketSettings ===

impl SocketSettings {
    /// The defaults of the table above.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            nodelay: true,
            notsent_lowat: Some(64 * 1024),
            send_buffer: None,
            user_timeout: None,
        }
    }

    /// Leaves every socket as it is.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            nodelay: false,
            notsent_lowat: None,
            send_buffer: None,
            user_timeout: None,
        }
    }

    /// A builder that starts from the defaults.
    pub const fn builder() -> SocketSettingsBuilder {
        SocketSettingsBuilder {
            settings: Self::new(),
        }
    }

    /// `TCP_NODELAY`.
    #[must_use]
    pub const fn has_nodelay(&self) -> bool {
        self.nodelay
    }

    /// `TCP_NOTSENT_LOWAT`, in bytes. `None`: as the system does.
    #[must_use]
    pub const fn notsent_lowat(&self) -> Option<u32> {
        self.notsent_lowat
    }

    /// `SO_SNDBUF`, in bytes. `None`: as the system does.
    #[must_use]
    pub const fn send_buffer(&self) -> Option<u32> {
        self.send_buffer
    }

    /// `TCP_USER_TIMEOUT`. `None`: off.
    #[must_use]
    pub const fn user_timeout(&self) -> Option<Duration> {
        self.user_timeout
    }

    /// Sets what it can, and tells `refused` what it could not.
    pub(super) fn apply(
        &self,
        socket: &impl Socket,
        domain: Option<Domain>,
        mut refused: impl FnMut(Setting, io::ErrorKind),
    ) {
        let socket = SockRef::from(socket);
        let mut set = |setting, result: io::Result<()>| {
            if let Err(error) = result {
                refused(setting, error.kind());
            }
        };
        if let Some(bytes) = self.send_buffer {
            set(
                Setting::SendBuffer,
                socket.set_send_buffer_size(usize::try_from(bytes).unwrap_or(usize::MAX)),
            );
        }
        if !is_tcp(domain) {
            return;
        }
        if self.nodelay {
            set(Setting::Nodelay, socket.set_tcp_nodelay(true));
        }
        #[cfg(any(target_os = "android", target_os = "linux"))]
        {
            if let Some(bytes) = self.notsent_lowat {
                set(Setting::NotsentLowat, socket.set_tcp_notsent_lowat(bytes));
            }
            if let Some(timeout) = self.user_timeout {
                set(Setting::UserTimeout, socket.set_tcp_user_timeout(Some(timeout)));
            }
        }
    }
}

impl Default for SocketSettings {
    fn default() -> Self {
        Self::new()
    }
}

// === impl SocketSettingsBuilder ===

impl SocketSettingsBuilder {
    /// Whether small pieces go out at once (`TCP_NODELAY`).
    pub const fn nodelay(mut self, nodelay: bool) -> Self {
        self.settings.nodelay = nodelay;
        self
    }

    /// How many bytes the system takes beyond what it can send (`TCP_NOTSENT_LOWAT`).
    pub const fn notsent_lowat(mut self, bytes: u32) -> Self {
        self.settings.notsent_lowat = Some(bytes);
        self
    }

    /// Leaves `TCP_NOTSENT_LOWAT` as the system has it.
    pub const fn without_notsent_lowat(mut self) -> Self {
        self.settings.notsent_lowat = None;
        self
    }

    /// The size of the send buffer in bytes (`SO_SNDBUF`), of which Linux sets aside twice as much.
    pub const fn send_buffer(mut self, bytes: u32) -> Self {
        self.settings.send_buffer = Some(bytes);
        self
    }

    /// How long the peer may acknowledge nothing, or keep its window closed (`TCP_USER_TIMEOUT`). It is for
    /// connections that must end even where this process is stopped, and should be several times the stall of the
    /// limits.
    pub const fn user_timeout(mut self, timeout: Duration) -> Self {
        self.settings.user_timeout = Some(timeout);
        self
    }

    /// Checks the settings.
    ///
    /// # Errors
    /// Refuses a `notsent_lowat` of zero, which to the system means that there is no such limit; a `send_buffer` of
    /// less than 4 KiB, which does not hold a packet; and a `user_timeout` of less than 5 s, in which the
    /// system tries only a few times to send again what was lost.
    pub fn build(self) -> Result<SocketSettings, ConfigError> {
        let settings = self.settings;
        if settings.notsent_lowat == Some(0) {
            return Err(ConfigError::new(
                "a `notsent_lowat` of zero means to the system that there is no limit: leave it out with \
                 `without_notsent_lowat`"
                    .to_owned(),
            ));
        }
        if let Some(bytes) = settings.send_buffer.filter(|bytes| *bytes < LEAST_SEND_BUFFER) {
            return Err(ConfigError::new(format!(
                "a `send_buffer` of {bytes} bytes is less than {LEAST_SEND_BUFFER}, and would not hold one packet"
            )));
        }
        if let Some(timeout) = settings.user_timeout.filter(|time| *time < LEAST_USER_TIMEOUT) {
            return Err(ConfigError::new(format!(
                "a `user_timeout` of {timeout:?} is less than {LEAST_USER_TIMEOUT:?}, in which what was lost is \
                 sent again only a few times, so that a gap of seconds in a mobile network would end the connection"
            )));
        }
        Ok(settings)
    }
}

// === impl Setting ===

impl Setting {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Nodelay => "TCP_NODELAY",
            Self::NotsentLowat => "TCP_NOTSENT_LOWAT",
            Self::SendBuffer => "SO_SNDBUF",
            Self::UserTimeout => "TCP_USER_TIMEOUT",
        }
    }

    pub(super) const fn bit(self) -> u8 {
        1 << self as u8
    }
}
