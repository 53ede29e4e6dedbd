//! What stands before a gate: how a request becomes a wish for a seat, and a refusal a response.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, RETRY_AFTER};
use http::{HeaderValue, Method, Request, Response, Version};

use super::limits::RetryAfter;
use super::seat::Root;
use super::{Class, Classify, Key, mcp};
use crate::client_stall::ClientStall;
use crate::clock::now;
use crate::event::Outcome;
use crate::gate::{self, Ask, Listed, SeatPhase};
use crate::refusal::{Caller, Reason, Refusal, RefusalStatus};
use crate::request_head::RequestHead;

/// All that a layer's services share.
#[derive(Clone, Debug)]
pub(super) struct Front {
    pub(super) root: Root,
    pub(super) classify: Option<Arc<dyn Classify>>,
    pub(super) key: Option<KeyOf>,
    pub(super) shares: bool,
    pub(super) retry_after: RetryAfter,
    pub(super) statuses: Statuses,
    pub(super) reads_ids: bool,
    /// How many refused requests are being read right now.
    pub(super) readers: Arc<AtomicU32>,
}

#[derive(Clone)]
pub(super) struct KeyOf(pub(super) Arc<KeyFn>);

type KeyFn = dyn Fn(&RequestHead<'_>) -> Option<Key> + Send + Sync;

#[derive(Clone, Copy, Debug)]
pub(super) struct Statuses {
    pub(super) queue_full: RefusalStatus,
    pub(super) queue_timeout: RefusalStatus,
    pub(super) key_share: RefusalStatus,
    pub(super) draining: RefusalStatus,
}

/// A reader's place among [`MOST_READERS`].
#[derive(Debug)]
pub(super) struct Reader(Arc<AtomicU32>);

/// Refused requests that are read at once: with 64 KiB each, 2 MiB at most stay with those who are not served.
const MOST_READERS: u32 = 32;

/// What is kept of a tool's name in the listing.
const TOOL_BYTES: usize = 64;

// === impl Front ===

impl Front {
    pub(super) fn new(root: Root) -> Self {
        Self {
            root,
            classify: None,
            key: None,
            shares: false,
            retry_after: RetryAfter::ESTIMATED,
            statuses: Statuses {
                queue_full: RefusalStatus::SERVICE_UNAVAILABLE,
                queue_timeout: RefusalStatus::GATEWAY_TIMEOUT,
                key_share: RefusalStatus::TOO_MANY_REQUESTS,
                draining: RefusalStatus::SERVICE_UNAVAILABLE,
            },
            reads_ids: true,
            readers: Arc::default(),
        }
    }

    /// Whether a request's class is all that has to be known to let it in.
    #[inline]
    pub(super) fn is_plain(&self) -> bool {
        self.key.is_none() && !self.shares && !self.root.lists
    }

    #[inline]
    pub(super) fn class(&self, head: &RequestHead<'_>) -> Class {
        self.classify
            .as_ref()
            .map_or(Class::STANDARD, |classify| classify.classify(head))
    }

    pub(super) fn ask(&self, class: Class, head: &RequestHead<'_>) -> Ask {
        let key = self.key.as_ref().and_then(|key| key.0(head)).map(Key::get);
        let listed = self.root.lists.then(|| {
            let (tool, stall) = listed_of(head);
            Listed {
                since: now(),
                tool,
                stall,
                phase: SeatPhase::Head,
            }
        });
        Ask {
            class: class.index(),
            key,
            listed,
        }
    }

    /// The response to somebody who is refused.
    pub(super) fn refuse<B>(&self, request: &Request<B>, class: u8, reason: Reason) -> Response<Bytes> {
        let status = self.status(reason);
        let mut response = Caller::of(&RequestHead::of(request)).refuse(&Refusal::new(reason, status));
        if let Some(seconds) = self.retry_after(class, reason) {
            response
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        // Elsewhere the header is forbidden (HTTP/2) or means nothing.
        if reason == Reason::Draining && matches!(request.version(), Version::HTTP_10 | Version::HTTP_11) {
            response
                .headers_mut()
                .insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    pub(super) fn report(&self, class: u8, reason: Reason) {
        self.root.report_refused(
            class,
            reason,
            Outcome::Refused(self.status(reason).get().as_u16()),
        );
    }

    /// A place among those whose bodies are read to learn their ids, if this is such a request and there is one.
    pub(super) fn reader<B>(&self, request: &Request<B>) -> Option<Reader> {
        if !self.reads_ids || !super::learn::is_worth_reading(request) {
            return None;
        }
        let reader = Reader(self.readers.clone());
        let before = reader.0.fetch_add(1, Ordering::Relaxed);
        (before < MOST_READERS).then_some(reader)
    }

    fn status(&self, reason: Reason) -> RefusalStatus {
        match reason {
            Reason::QueueTimeout { .. } => self.statuses.queue_timeout,
            Reason::KeyShare => self.statuses.key_share,
            Reason::Draining => self.statuses.draining,
            _ => self.statuses.queue_full,
        }
    }

    fn retry_after(&self, class: u8, reason: Reason) -> Option<u64> {
        match self.retry_after {
            RetryAfter::Off => None,
            RetryAfter::Fixed(time) => Some(gate::whole_seconds(time)),
            RetryAfter::Estimated { min, max } => {
                let wait = match reason {
                    Reason::Draining => Duration::ZERO,
                    _ => self.root.core.backlog(class, reason, now()).wait(),
                };
                Some(gate::spread(wait, min, max, self.root.next_random()))
            }
        }
    }
}

/// What the listing shows of a request.
pub(super) fn listed_of(head: &RequestHead<'_>) -> (Option<Box<str>>, Option<ClientStall>) {
    let tool = if *head.method() == Method::POST {
        mcp::tool(head.headers())
    } else {
        None
    };
    let tool = tool.map(|tool| {
        let end = (0..=TOOL_BYTES.min(tool.len()))
            .rev()
            .find(|end| tool.is_char_boundary(*end));
        tool[..end.unwrap_or(0)].into()
    });
    (tool, head.extensions().get::<ClientStall>().cloned())
}

// === impl Reader ===

impl Drop for Reader {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl fmt::Debug for KeyOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyOf(..)")
    }
}

impl fmt::Debug for dyn Classify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Classify(..)")
    }
}
