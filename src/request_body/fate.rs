//! Which came first, the end of the client's time or the answer: shared between a request's body and the future
//! of its response, wherever the handler took the body.

use std::sync::{Arc, OnceLock};

use crate::error::PhaseExpired;

/// One of the two, decided once.
#[derive(Clone, Debug, Default)]
pub(super) struct Fate(Arc<OnceLock<Decided>>);

#[derive(Clone, Copy, Debug)]
enum Decided {
    Expired(PhaseExpired),
    Answered,
}

// === impl Fate ===

impl Fate {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// The client's time is up. False: the answer came first, so nobody else will report it.
    pub(super) fn expire(&self, expired: PhaseExpired) -> bool {
        self.0.set(Decided::Expired(expired)).is_ok()
    }

    /// The answer is there, or there will be none. `Some`: the client's time was up before.
    pub(super) fn answer(&self) -> Option<PhaseExpired> {
        match self.0.get_or_init(|| Decided::Answered) {
            Decided::Expired(expired) => Some(*expired),
            Decided::Answered => None,
        }
    }
}
