//! Watched connections for `axum::serve`.

use std::fmt;
use std::io;

use axum::serve::{Listener, ListenerExt, TapIo};

use super::{GuardedIo, IoGuard, Socket};

/// A listener for `axum::serve` whose connections are [`GuardedIo`]. [`IoGuard::listen`] makes one.
pub struct GuardedListener<L> {
    inner: L,
    guard: IoGuard,
}

/// A [`GuardedListener`] behind axum's own adapter.
///
/// The adapter does nothing to a connection; but axum knows how to tell a handler the peer's address
/// (`ConnectInfo<SocketAddr>`) for its own listeners only, and this is one of them.
pub type Guarded<L> = TapIo<GuardedListener<L>, fn(&mut GuardedIo<<L as Listener>::Io>)>;

// === impl IoGuard ===

impl IoGuard {
    /// Watches every connection that `listener` accepts.
    ///
    /// ```no_run
    /// use std::net::SocketAddr;
    /// use axum::{Router, extract::ConnectInfo, routing::get};
    /// use tower_lifeline::connection::IoGuard;
    ///
    /// # #[tokio::main] async fn main() -> std::io::Result<()> {
    /// let app = Router::new().route(
    ///     "/",
    ///     get(|ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.to_string() }),
    /// );
    /// let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    /// let listener = IoGuard::default().listen(listener);
    /// axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await
    /// # }
    /// ```
    pub fn listen<L>(&self, listener: L) -> Guarded<L>
    where
        L: Listener,
        L::Io: Socket,
    {
        GuardedListener {
            inner: listener,
            guard: self.clone(),
        }
        .tap_io(|_| ())
    }
}

// === impl GuardedListener ===

impl<L> Listener for GuardedListener<L>
where
    L: Listener,
    L::Io: Socket,
{
    type Io = GuardedIo<L::Io>;
    type Addr = L::Addr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let (io, address) = self.inner.accept().await;
        (GuardedIo::new(io, &self.guard), address)
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.inner.local_addr()
    }
}

impl<L: fmt::Debug> fmt::Debug for GuardedListener<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardedListener")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}
