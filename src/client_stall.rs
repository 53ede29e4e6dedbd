//! Whether a client has stopped reading its answer, told by those who see it to those who list it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A note, shared between a layer that sees the client and layers further in, that the client does not read.
///
/// A layer outside of the [`AdmissionGate`](crate::admission_gate) puts one into the request's extensions and
/// sets it when it sees a stall; the gate's listing of the seats shows it. It costs nobody anything until
/// then.
#[derive(Clone, Debug, Default)]
pub struct ClientStall(Arc<AtomicBool>);

// === impl ClientStall ===

impl ClientStall {
    /// A note that says that the client reads.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes that the client is stalled, or is no longer.
    pub fn set(&self, stalled: bool) {
        self.0.store(stalled, Ordering::Relaxed);
    }

    /// Whether the client is stalled.
    #[must_use]
    pub fn is_stalled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
