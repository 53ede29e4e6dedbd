//! What is found out about the server by the first request that comes from it.

use std::sync::atomic::{AtomicBool, Ordering};

use http::Request;

use crate::report::{Protection, ProtectionState, Report};

/// Whether a layer has what only a server can give.
#[derive(Debug, Default)]
pub(super) struct Surroundings {
    is_known: AtomicBool,
}

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
        if self.is_known.swap(true, Ordering::Relaxed) {
            return;
        }
        let report = Report::of_server(request);
        let missing = report
            .lines()
            .iter()
            .filter(|line| line.state() != ProtectionState::Active);
        missing.for_each(Protection::log);
    }
}
