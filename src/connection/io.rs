//! The owner's end of a connection that is watched.

use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::IoGuard;
use super::flow::Flow;
use super::slot::Slot;
use super::socket::{self, Socket, View};
use crate::watchdog::{Place, Watchdog};

/// A connection that is cut when its peer takes nothing of what was written to it. See the [module docs](super).
///
/// Once it was cut, every operation yields an error of the kind [`TimedOut`](io::ErrorKind::TimedOut) in which
/// [`SlowClient::find`](crate::SlowClient::find) finds why.
///
/// Dropping it while bytes are on the way leaves the socket to the watchdog, which closes it when the peer has taken
/// them, or resets it when the peer is too slow.
pub struct GuardedIo<IO> {
    slot: Arc<Slot<IO>>,
    watchdog: Watchdog,
    /// `None`: it was given back.
    place: Option<Place>,
    is_vectored: bool,
}

// === impl GuardedIo ===

impl<IO> GuardedIo<IO>
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    /// Watches a socket, and sets what the guard's settings say.
    ///
    /// What encrypts belongs around it: inside it would hide the socket.
    pub fn new(io: IO, guard: &IoGuard) -> Self
    where
        IO: Socket,
    {
        let domain = socket::domain(&io);
        guard.terms.set_up(&io, domain);
        Self::with_view(io, guard, View::of_socket(domain))
    }

    /// Watches something that is no socket or hides it: all that can be seen of its peer is that writes do not get
    /// on, and no more can be done than to drop it.
    pub fn without_socket(io: IO, guard: &IoGuard) -> Self {
        Self::with_view(io, guard, View::of_nothing())
    }

    fn with_view(io: IO, guard: &IoGuard, view: View<IO>) -> Self {
        let is_vectored = io.is_write_vectored();
        let slot = Arc::new(Slot::new(io, guard.terms.clone(), view));
        let watchdog = guard.watchdog.clone();
        Self {
            place: Some(watchdog.watch(slot.clone())),
            slot,
            watchdog,
            is_vectored,
        }
    }
}

impl<IO> GuardedIo<IO> {
    /// Asks the connection something, like its peer's address. `None`: it was cut.
    ///
    /// It is locked meanwhile: what is asked must not wait.
    pub fn ask<T>(&self, question: impl FnOnce(&IO) -> T) -> Option<T> {
        self.slot.ask(question)
    }
}

#[cfg(feature = "serve")]
impl<IO: Send + 'static> GuardedIo<IO> {
    /// A way to close it that does not need its owner.
    pub(crate) fn resets(&self) -> Arc<dyn super::Resets> {
        self.slot.clone()
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for GuardedIo<IO> {
    #[inline]
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.slot.poll_read(cx, |io, cx| io.poll_read(cx, buffer))
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for GuardedIo<IO> {
    #[inline]
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.slot
            .poll_write(cx, |io, cx| io.poll_write(cx, bytes), Flow::wrote)
    }

    #[inline]
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.slot
            .poll_write(cx, |io, cx| io.poll_write_vectored(cx, slices), Flow::wrote)
    }

    fn is_write_vectored(&self) -> bool {
        self.is_vectored
    }

    #[inline]
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.slot
            .poll_write(cx, |io, cx| io.poll_flush(cx), Flow::flushed)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.slot
            .poll_write(cx, |io, cx| io.poll_shutdown(cx), Flow::shut_down)
    }
}

impl<IO> Drop for GuardedIo<IO> {
    fn drop(&mut self) {
        let (watchdog, place) = (&self.watchdog, &mut self.place);
        self.slot.leave(|| {
            if let Some(place) = place.take() {
                watchdog.release(place);
            }
        });
    }
}

impl<IO> fmt::Debug for GuardedIo<IO> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardedIo")
            .field("slot", &self.slot)
            .finish_non_exhaustive()
    }
}
