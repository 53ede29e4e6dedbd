//! A connection whose peer takes nothing is cut.
//!
//! # Failure it stops
//! A [`SlowClientGuard`](crate::slow_client_guard) sees that nobody asks an answer for more. That begins when every
//! buffer on the way is full: hyper's, the system's for sending, the peer's for receiving. A stream of small events
//! fills them in minutes or hours, and until then everything is produced for nobody.
//!
//! # What it does
//! [`GuardedIo`] looks at what the peer's system has *acknowledged*. While bytes wait for the peer and it
//! acknowledges none for as long as [`SlowClientLimits`](crate::SlowClientLimits) say, or fewer than the least rate,
//! the connection is cut: a peer over TCP sees a reset, what was queued for it is let go at once, and whoever uses
//! the connection gets a [`SlowClient`](crate::SlowClient) in an `io::Error`. An idle connection is never slow. Nor
//! is one below the rate whose peer keeps up, which is to have all that was written two seconds ago: what it lacks is
//! on the way. A peer that has reset the connection itself is not slow either, but gone.
//! [`IoGuard`] holds the limits, and [`SocketSettings`] that keep the system from taking more than it can send.
//!
//! | | judged by |
//! |---|---|
//! | TCP on Linux | bytes that the peer has acknowledged |
//! | Unix sockets on Linux | what has left the queue, once it is full |
//! | elsewhere, and [`without_socket`](GuardedIo::without_socket) | writes that get on |
//!
//! A Unix socket knows no reset: its peer reads what was written, and then the end, as if that were all. What
//! [`without_socket`](GuardedIo::without_socket) watches is dropped, and what its peer sees is that one's business.
//!
//! What each of the layer and the connection sees, after how many bytes, and how slow a reader may be: measured, in
//! [`docs/slow-clients.md`](crate::slow_clients).
//!
//! # What it does not do
//! Over HTTP/2 a client can starve one stream by its window and read the others: the connection moves, and nothing
//! is to be seen here. The layer sees that one. Acknowledged is not read: what fits into the receive buffer of the
//! peer was taken, and of a trickle that may be megabytes. hyper passes an error of the connection on over HTTP/1.1;
//! over HTTP/2 only its kind and its text are left of it, so that [`SlowClient::find`](crate::SlowClient::find) finds
//! nothing.
//!
//! # Cost
//! One allocation, one place on the watchdog's list and the system calls of the settings for a connection, an
//! uncontended lock for each operation. A look at a connection to which nothing was written since its queue was seen
//! empty is a lock and three comparisons; else it is one system call, or two. Looks come at an eighth of the stall,
//! 0.25 s apart at most.
//!
//! # Example
#![cfg_attr(feature = "axum", doc = "For `axum::serve` see [`IoGuard::listen`].")]
//! In a server loop of your own:
//!
//! ```no_run
//! use tokio::net::TcpListener;
//! use tower_lifeline::connection::{GuardedIo, IoGuard};
//!
//! # async fn serve<IO>(_: IO) {}
//! # #[tokio::main] async fn main() -> std::io::Result<()> {
//! let guard = IoGuard::default();
//! let listener = TcpListener::bind("127.0.0.1:3000").await?;
//! loop {
//!     let (socket, _) = listener.accept().await?;
//!     // TLS, if any, goes around it.
//!     tokio::spawn(serve(GuardedIo::new(socket, &guard)));
//! }
//! # }
//! ```

mod flow;
mod guard;
mod io;
#[cfg(feature = "axum")]
mod listener;
#[cfg(any(target_os = "android", target_os = "linux"))]
mod outq;
mod probe;
mod settings;
mod slot;
mod socket;

#[cfg(test)]
mod tests;

/// A socket that can be closed by somebody else than its owner.
#[cfg(feature = "serve")]
pub(crate) trait Resets: Send + Sync {
    /// Closes it now. Its peer sees a reset, and what is queued for it is let go.
    fn reset(&self);

    /// Has its end look like a reset, when its owner closes it.
    fn reset_when_closed(&self);

    /// For how long the peer has been seen to acknowledge nothing of what waits for it. `None`: nothing waits, or it
    /// is not to be seen.
    fn peer_idle(&self, now: std::time::Instant) -> Option<std::time::Duration>;
}

#[cfg(feature = "serve")]
pub(crate) use self::probe::lines as report_lines;

pub use self::guard::IoGuard;
pub use self::io::GuardedIo;
#[cfg(feature = "axum")]
pub use self::listener::{Guarded, GuardedListener};
pub use self::settings::{SocketSettings, SocketSettingsBuilder};
pub use self::socket::Socket;
