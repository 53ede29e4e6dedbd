//! The place where a request's call is noted once it is known.

use std::sync::{Arc, OnceLock};

use super::message::Message;

/// The call that a request's body turned out to hold, for all who share the request.
///
/// It travels in the request's extensions, empty at first: the body is read later, by the handler. Clones share one
/// place, which is filled once, when the body has ended as exactly one message.
#[derive(Clone, Debug, Default)]
pub struct CallSlot(Arc<OnceLock<Message>>);

// === impl CallSlot ===

impl CallSlot {
    /// An empty slot.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The call, once the body was read; `None` before, and for ever if it was not one JSON-RPC message.
    #[must_use]
    pub fn call(&self) -> Option<&Message> {
        self.0.get()
    }

    /// Notes the call; the first one stays.
    pub(crate) fn fill(&self, call: Message) {
        let _ = self.0.set(call);
    }
}
