//! A connection whose first bytes were read already, and which tells when a request begins to come.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::thread;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::connection::Connection;
use super::heads::Heads;
use super::registry::Registered;
use crate::event::ConnectionPhase;

/// What hyper reads from and writes to. It lives as long as the connection, upgraded or not.
#[derive(Debug)]
pub(super) struct ServedIo<IO> {
    inner: IO,
    first: First,
    /// Over HTTP/2 what comes is no head more often than not.
    heads: Option<Heads>,
    connection: Arc<Connection>,
    /// Counts it among the server's connections.
    _registered: Registered,
}

/// The bytes by which the protocol was told.
#[derive(Debug, Default)]
struct First {
    bytes: [u8; PREFACE.len()],
    count: usize,
    given: usize,
}

/// What an HTTP/2 connection begins with.
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

// === impl ServedIo ===

impl<IO: AsyncRead + AsyncWrite + Unpin> ServedIo<IO> {
    pub(super) fn new(inner: IO, connection: Arc<Connection>, registered: Registered) -> Self {
        Self {
            inner,
            first: First::default(),
            heads: None,
            connection,
            _registered: registered,
        }
    }

    /// Reads until it is clear whether the peer speaks HTTP/2. What was read will be read again.
    pub(super) fn poll_is_http2(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        while self.first.is_like_http2() {
            if self.first.count == PREFACE.len() {
                self.heads = Some(Heads::default());
                return Poll::Ready(Ok(true));
            }
            let mut buffer = ReadBuf::new(&mut self.first.bytes[self.first.count..]);
            ready!(Pin::new(&mut self.inner).poll_read(cx, &mut buffer))?;
            let read = buffer.filled().len();
            if read == 0 {
                // hyper says what has to be said about half a head, and closes a connection without any.
                break;
            }
            self.first.count += read;
        }
        Poll::Ready(Ok(false))
    }

    /// Whether anything came before the protocol was told.
    pub(super) const fn has_begun(&self) -> bool {
        self.first.count > 0
    }
}

// === impl First ===

impl First {
    fn is_like_http2(&self) -> bool {
        PREFACE.starts_with(&self.bytes[..self.count])
    }
}

impl<IO> Drop for ServedIo<IO> {
    fn drop(&mut self) {
        // hyper drops the connection before the answer, and then it is too late.
        if thread::panicking() {
            self.connection.answer_failed();
        }
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for ServedIo<IO> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let First { bytes, count, given } = &mut this.first;
        if given < count {
            let now = (*count - *given).min(buffer.remaining());
            buffer.put_slice(&bytes[*given..*given + now]);
            *given += now;
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.inner).poll_read(cx, buffer))?;
        let came = &buffer.filled()[before..];
        if let Some(heads) = &mut this.heads {
            let was_open = heads.open();
            heads.read(came);
            if heads.open() != was_open {
                this.connection.head_is_open(heads.open().is_some());
            }
        } else if !came.is_empty() {
            this.connection
                .phase()
                .advance(ConnectionPhase::Idle, ConnectionPhase::RequestHead);
        }
        Poll::Ready(Ok(()))
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for ServedIo<IO> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write(cx, bytes);
        self.connection.set_blocked(polled.is_pending());
        polled
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write_vectored(cx, slices);
        self.connection.set_blocked(polled.is_pending());
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.inner).poll_flush(cx);
        self.connection.set_blocked(polled.is_pending());
        polled
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
