//! How whoever serves a connection lets others end what happens on it.

use std::fmt;
use std::sync::Arc;

/// A way to end one exchange from outside, put into a request's extensions by whoever serves its connection.
///
/// A layer can take a body away from a client that does not read; only the server can end the stream or the
/// connection that the client holds on to. Where a request carries one of these, a
/// [`SlowClientGuard`](crate::slow_client_guard) uses it when it cuts.
#[derive(Clone)]
pub struct CutHandle(Arc<dyn Fn() + Send + Sync>);

// === impl CutHandle ===

impl CutHandle {
    /// A handle that calls `cut`, from any thread and perhaps more than once. It must not block.
    #[must_use]
    pub fn new(cut: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Arc::new(cut))
    }

    /// Ends the exchange: the stream where there are others on its connection, else the connection.
    pub fn cut(&self) {
        (self.0)();
    }
}

impl fmt::Debug for CutHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CutHandle(..)")
    }
}
