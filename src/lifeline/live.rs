//! Limits that can be changed while requests are served.

use std::sync::{Arc, PoisonError, RwLock};

use crate::phase::PhaseLimits;
use crate::phase_timeout::PhasePolicy;
use crate::request_head::RequestHead;

/// The phase limits of a whole stack, as they are at this moment.
#[derive(Clone)]
pub struct LivePhases(Arc<Live>);

struct Live {
    limits: RwLock<PhaseLimits>,
    per_request: Option<PerRequest>,
}

/// Derives the limits of a request from those of the stack.
pub(super) type PerRequest = Box<dyn Fn(&RequestHead<'_>, PhaseLimits) -> PhaseLimits + Send + Sync>;

// === impl LivePhases ===

impl LivePhases {
    pub(super) fn new(limits: PhaseLimits, per_request: Option<PerRequest>) -> Self {
        Self(Arc::new(Live {
            limits: RwLock::new(limits),
            per_request,
        }))
    }

    pub(super) fn get(&self) -> PhaseLimits {
        *self.0.limits.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set(&self, limits: PhaseLimits) {
        *self.0.limits.write().unwrap_or_else(PoisonError::into_inner) = limits;
    }
}

impl PhasePolicy for LivePhases {
    fn limits(&self, head: &RequestHead<'_>) -> PhaseLimits {
        let limits = self.get();
        match &self.0.per_request {
            Some(derive) => derive(head, limits),
            None => limits,
        }
    }
}

impl std::fmt::Debug for LivePhases {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("LivePhases").field(&self.get()).finish()
    }
}
