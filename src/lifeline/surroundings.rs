//! What is found out about the server by the first request that comes from it.

use std::sync::atomic::{AtomicBool, Ordering};

use http::Request;

use crate::cut::CutHandle;

/// Whether a layer has what only a server can give.
#[derive(Debug, Default)]
pub(super) struct Surroundings {
    is_known: AtomicBool,
}

/// What no layer can do.
const NEEDS_SERVE: [(&str, &str); 3] = [
    (
        "stalled streams and connections",
        "the server is not this crate's: what a stalled client held is freed, its stream and connection stay open",
    ),
    (
        "slow request heads and idle connections",
        "the server is not this crate's: what it does about them is its own",
    ),
    (
        "cut answers without a length over HTTP/1.0",
        "the server is not this crate's: they end as if they were complete",
    ),
];

// === impl Surroundings ===

impl Surroundings {
    #[inline]
    pub(super) fn look<B>(&self, request: &Request<B>) {
        if !self.is_known.load(Ordering::Relaxed) {
            self.find_out(request);
        }
    }

    #[cold]
    fn find_out<B>(&self, request: &Request<B>) {
        if self.is_known.swap(true, Ordering::Relaxed) || request.extensions().get::<CutHandle>().is_some() {
            return;
        }
        for (protection, why) in NEEDS_SERVE {
            tracing::info!(target: "tower_lifeline", protection, state = "inert", why);
        }
    }
}
