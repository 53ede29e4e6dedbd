//! Whether a request may be answered before its service has answered.

use std::time::Instant;

use http::{Method, Request};

use super::settings::{EarlyCommit, HeartbeatSettings};
use crate::media::{self, EVENT_STREAM};
use crate::rpc::{self, CallSlot, Kind, Message};

/// What is remembered of a request for the stream that answers it.
#[derive(Clone, Debug, Default)]
pub(super) struct Asker {
    pub(super) call: Option<CallSlot>,
    /// Whether a stream that sends ids can be resumed.
    pub(super) can_resume: bool,
}

/// A request that may turn out to be eligible, as far as its head tells.
#[derive(Debug)]
pub(super) struct Candidate {
    /// Whether an unknown body is good enough.
    any: bool,
    /// Since when its answer has been waited for, noted once that was too long: whatever is learnt now decides.
    pub(super) since: Option<Instant>,
}

/// What is known of a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Eligible,
    /// Its body has not been read to its end, or never will be.
    Unknown,
    Never,
}

// === impl Asker ===

impl Asker {
    pub(super) fn of<B>(request: &Request<B>) -> Self {
        let call = request.extensions().get().cloned();
        Self {
            call,
            can_resume: rpc::can_resume(request.headers()),
        }
    }
}

// === impl Candidate ===

impl Candidate {
    /// Looks at the head, cheap questions first.
    pub(super) fn of<B>(request: &Request<B>, settings: &HeartbeatSettings) -> Option<Self> {
        let any = match settings.commit() {
            EarlyCommit::Never => return None,
            EarlyCommit::JsonRpcRequests => false,
            EarlyCommit::AnyRequest => true,
        };
        let fits = match any {
            true => !matches!(*request.method(), Method::HEAD | Method::CONNECT),
            false => request.method() == Method::POST && request.extensions().get::<CallSlot>().is_some(),
        };
        (fits && media::accepts(request.headers(), EVENT_STREAM)).then_some(Self { any, since: None })
    }

    /// Judges by the call that the body was found to make, as far as it was read.
    pub(super) fn standing(&self, call: Option<&Message>) -> Standing {
        match call {
            // `initialize` carries the session's id in its response head, and a notification is answered by status.
            Some(call) if call.kind() != Kind::Request || call.method() == Some("initialize") => {
                Standing::Never
            }
            Some(_) => Standing::Eligible,
            None if self.any => Standing::Eligible,
            None => Standing::Unknown,
        }
    }
}
