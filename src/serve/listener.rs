//! Where connections come from, and what they go through before the first byte of HTTP.

use std::future::{Future, poll_fn};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use socket2::Domain;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
#[cfg(unix)]
use tokio::net::{UnixListener, UnixStream, unix};

use super::drain::poll_until;
use crate::clock::now;
use crate::connection::{GuardedIo, IoGuard};
use crate::event::{Event, Reporter};
use crate::timer::Timer;

/// A source of connections.
pub trait Listener: Send + 'static {
    /// A connection.
    type Io: AsyncRead + AsyncWrite + Unpin + Send + 'static;
    /// Where it comes from.
    type Addr: Send + Sync + 'static;

    /// Waits for the next connection. Dropping the future loses none.
    fn accept(&mut self) -> impl Future<Output = io::Result<(Self::Io, Self::Addr)>> + Send;

    /// Watches over a connection's peer. The default is for what is not a socket of the system: it sees no more
    /// than that writes do not get on.
    fn guard(io: Self::Io, guard: &IoGuard) -> GuardedIo<Self::Io> {
        GuardedIo::without_socket(io, guard)
    }

    /// What its connections are, for the report of what can be seen of their peers. `None`: no sockets.
    fn kind(&self) -> Option<SocketKind> {
        None
    }

    /// By what connections of the same peer are counted together: an IPv4 address, or the first 64 bits of an IPv6
    /// address.
    #[must_use]
    fn peer(_: &Self::Addr) -> Option<IpAddr> {
        None
    }
}

/// What a connection is to the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SocketKind {
    /// A TCP socket.
    Tcp,
    /// A Unix socket.
    Unix,
}

impl Listener for TcpListener {
    type Io = TcpStream;
    type Addr = SocketAddr;

    fn accept(&mut self) -> impl Future<Output = io::Result<(TcpStream, SocketAddr)>> + Send {
        Self::accept(self)
    }

    fn guard(io: TcpStream, guard: &IoGuard) -> GuardedIo<TcpStream> {
        GuardedIo::new(io, guard)
    }

    fn kind(&self) -> Option<SocketKind> {
        Some(SocketKind::Tcp)
    }

    fn peer(address: &SocketAddr) -> Option<IpAddr> {
        Some(address.ip())
    }
}

#[cfg(unix)]
impl Listener for UnixListener {
    type Io = UnixStream;
    type Addr = unix::SocketAddr;

    fn accept(&mut self) -> impl Future<Output = io::Result<(UnixStream, unix::SocketAddr)>> + Send {
        Self::accept(self)
    }

    fn guard(io: UnixStream, guard: &IoGuard) -> GuardedIo<UnixStream> {
        GuardedIo::new(io, guard)
    }

    fn kind(&self) -> Option<SocketKind> {
        Some(SocketKind::Unix)
    }
}

impl SocketKind {
    pub(super) const fn domain(self) -> Domain {
        match self {
            Self::Tcp => Domain::IPV4,
            Self::Unix => Domain::UNIX,
        }
    }
}

/// After a failure to accept that others cannot help, as too many open files, one waits: they may go.
const PAUSE: Duration = Duration::from_millis(500);

/// What a connection goes through before the first byte of HTTP: a TLS handshake, as a function of the connection.
///
/// It is bounded by the server's `handshake` limit, and whatever it makes is above the guarded socket.
pub trait Handshake<Io>: Send + Sync + 'static {
    /// The connection afterwards.
    type Io: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Begins it.
    fn begin(&self, io: Io) -> impl Future<Output = io::Result<Self::Io>> + Send;
}

/// Nothing comes before the first byte of HTTP.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Plain;

impl<Io: AsyncRead + AsyncWrite + Unpin + Send + 'static> Handshake<Io> for Plain {
    type Io = Io;

    async fn begin(&self, io: Io) -> io::Result<Io> {
        Ok(io)
    }
}

impl<F, Io, Fut, Done> Handshake<Io> for F
where
    F: Fn(Io) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = io::Result<Done>> + Send,
    Done: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Io = Done;

    fn begin(&self, io: Io) -> impl Future<Output = io::Result<Done>> + Send {
        self(io)
    }
}

/// Waits for the next connection, whatever the system says meanwhile.
pub(super) async fn accept<L: Listener>(listener: &mut L, reporter: &Reporter) -> (L::Io, L::Addr) {
    loop {
        let error = match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) => error.kind(),
        };
        if is_the_peers(error) {
            continue;
        }
        reporter.report(&Event::AcceptFailed { error });
        let (mut timer, until) = (Timer::new(), now().checked_add(PAUSE));
        poll_fn(|cx| poll_until(&mut timer, until, cx)).await;
    }
}

/// Whether accepting failed because a peer was gone before it was accepted.
const fn is_the_peers(error: io::ErrorKind) -> bool {
    matches!(
        error,
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}
