//! How whoever serves a connection lets others end what happens on it.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use crate::slow_client::{SlowClient, SlowClientLimits};

/// A way to end one exchange from outside, put into a request's extensions by whoever serves its connection.
///
/// A layer can take a body away from a client that does not read; only the server can end the stream or the
/// connection that the client holds on to. Where a request carries one of these, a
/// [`SlowClientGuard`](crate::slow_client_guard) uses it when it cuts.
#[derive(Clone)]
pub struct CutHandle(Arc<dyn Cutter>);

/// Somebody who can end an exchange.
pub(crate) trait Cutter: Send + Sync {
    /// Whether the exchange, too slow by these limits, is to be cut now. It is asked at each look.
    fn turn(&self, slow: &SlowClient, limits: &SlowClientLimits, now: Instant) -> Turn;

    /// Ends the exchange.
    fn cut(&self);

    /// Whether it is this crate's server that does it.
    fn is_of_serve(&self) -> bool {
        false
    }
}

/// What becomes of a slow exchange that shares its connection with others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// It is cut.
    Now,
    /// It may be that another has to go in its stead, or that it is not so slow as it seems: ask again at the next
    /// look.
    #[cfg_attr(not(feature = "serve"), expect(dead_code, reason = "a server says it"))]
    Later,
    /// Another has gone, which may have kept this one waiting: it is given time as if it had just begun to wait.
    #[cfg_attr(not(feature = "serve"), expect(dead_code, reason = "a server says it"))]
    Afresh,
}

/// One that stands alone.
struct Alone<F>(F);

// === impl CutHandle ===

impl CutHandle {
    /// A handle that calls `cut`, from any thread and perhaps more than once. It must not block.
    #[must_use]
    pub fn new(cut: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Arc::new(Alone(cut)))
    }

    #[cfg(feature = "serve")]
    pub(crate) fn of(cutter: Arc<impl Cutter + 'static>) -> Self {
        Self(cutter)
    }

    /// Ends the exchange: the stream where there are others on its connection, else the connection.
    pub fn cut(&self) {
        self.0.cut();
    }

    pub(crate) fn is_of_serve(&self) -> bool {
        self.0.is_of_serve()
    }

    pub(crate) fn turn(&self, slow: &SlowClient, limits: &SlowClientLimits, now: Instant) -> Turn {
        self.0.turn(slow, limits, now)
    }
}

impl fmt::Debug for CutHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CutHandle(..)")
    }
}

// === impl Alone ===

impl<F: Fn() + Send + Sync> Cutter for Alone<F> {
    fn turn(&self, _: &SlowClient, _: &SlowClientLimits, _: Instant) -> Turn {
        Turn::Now
    }

    fn cut(&self) {
        (self.0)();
    }
}
