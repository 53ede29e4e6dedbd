//! What is to be seen of a socket's peer, and how to be rid of it.

use std::fmt;
use std::time::Duration;

use socket2::{Domain, SockRef};

/// A socket of the operating system: whatever lends out its descriptor, as tokio's `TcpStream` and `UnixStream` do.
#[cfg(unix)]
pub trait Socket: std::os::fd::AsFd {}

/// A socket of the operating system: whatever lends out its handle, as tokio's `TcpStream` does.
#[cfg(windows)]
pub trait Socket: std::os::windows::io::AsSocket {}

#[cfg(unix)]
impl<S: std::os::fd::AsFd> Socket for S {}

#[cfg(windows)]
impl<S: std::os::windows::io::AsSocket> Socket for S {}

/// How to look at the peer of an `IO`.
pub(super) struct View<IO> {
    pub(super) queue: Queue,
    queued: fn(&IO) -> Option<u64>,
    reset: fn(&IO),
    end: fn(&IO) -> bool,
    is_gone: fn(&IO) -> bool,
}

/// What the send queue tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Queue {
    /// Each byte that the peer has not acknowledged.
    Bytes,
    /// The memory of what the peer has not read, which is more than its bytes.
    Memory,
    /// Nothing: all that is to be seen is whether a write has to wait.
    Unseen,
}

// === impl View ===

impl<IO> View<IO> {
    /// For what has no socket, or none that is within reach.
    pub(super) const fn of_nothing() -> Self {
        Self {
            queue: Queue::Unseen,
            queued: |_| None,
            reset: |_| (),
            end: |_| false,
            is_gone: |_| false,
        }
    }

    /// What the peer has not taken of what was written.
    pub(super) fn queued(&self, io: &IO) -> Option<u64> {
        (self.queued)(io)
    }

    /// Lets the system forget what is queued when `io` is dropped, and tells the peer.
    pub(super) fn reset(&self, io: &IO) {
        (self.reset)(io);
    }

    /// Tells the peer that what is queued was all. False: there is nobody to tell.
    pub(super) fn end(&self, io: &IO) -> bool {
        (self.end)(io)
    }

    /// The peer has reset the connection: it takes nothing, though the queue says for good what it did not take.
    pub(super) fn is_gone(&self, io: &IO) -> bool {
        (self.is_gone)(io)
    }
}

impl<IO: Socket> View<IO> {
    pub(super) fn of_socket(domain: Option<Domain>) -> Self {
        Self {
            queue: queue_of(domain),
            queued,
            reset: |io| {
                // Whatever becomes of it, the socket is about to be closed.
                let _ = SockRef::from(io).set_linger(Some(Duration::ZERO));
            },
            end: |io| SockRef::from(io).shutdown(std::net::Shutdown::Write).is_ok(),
            is_gone: |io| SockRef::from(io).peer_addr().is_err(),
        }
    }
}

impl<IO> fmt::Debug for View<IO> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("View").field(&self.queue).finish()
    }
}

/// The family of addresses to which the socket belongs.
pub(super) fn domain(socket: &impl Socket) -> Option<Domain> {
    SockRef::from(socket)
        .local_addr()
        .ok()
        .map(|address| address.domain())
}

/// Whether that is where TCP is at home.
pub(super) fn is_tcp(domain: Option<Domain>) -> bool {
    domain.is_some_and(|domain| [Domain::IPV4, Domain::IPV6].contains(&domain))
}

#[cfg(any(target_os = "android", target_os = "linux"))]
fn queue_of(domain: Option<Domain>) -> Queue {
    if is_tcp(domain) {
        Queue::Bytes
    } else if domain == Some(Domain::UNIX) {
        Queue::Memory
    } else {
        Queue::Unseen
    }
}

#[cfg(any(target_os = "android", target_os = "linux"))]
fn queued<S: Socket>(socket: &S) -> Option<u64> {
    super::outq::queued(socket)
}

#[cfg(not(any(target_os = "android", target_os = "linux")))]
fn queue_of(_: Option<Domain>) -> Queue {
    Queue::Unseen
}

#[cfg(not(any(target_os = "android", target_os = "linux")))]
fn queued<S: Socket>(_: &S) -> Option<u64> {
    None
}
