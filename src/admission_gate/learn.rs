//! What is read of a refused request to learn whose answer its refusal is.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes};
use http::header::{CONTENT_LENGTH, EXPECT};
use http::{Method, Request, Response};
use http_body::Body;

use super::front::{Front, Reader};
use crate::clock::now;
use crate::current::earliest;
use crate::media;
use crate::peek;
use crate::refusal::Reason;
use crate::rpc::{CallSlot, Scanner};
use crate::timer::Timer;

/// A request that is refused, whose body is read for its id.
#[derive(Debug)]
pub(super) struct Learning<B> {
    front: Arc<Front>,
    request: Request<Pin<Box<B>>>,
    class: u8,
    reason: Reason,
    scanner: Scanner,
    left: usize,
    until: Option<Instant>,
    timer: Timer,
    _reader: Reader,
}

/// Bytes that are read. Calls are smaller; what is larger is not worth holding up a refusal for.
const MOST_BYTES: usize = 64 * 1024;
/// How long is read. A refusal has to come quickly, and the body of a small call is most often there already.
const LONGEST: Duration = Duration::from_secs(1);

/// Whether a body may hold a JSON-RPC call that nobody has read yet, and is small and there for the asking.
pub(super) fn is_worth_reading<B>(request: &Request<B>) -> bool {
    let headers = request.headers();
    let known = request
        .extensions()
        .get::<CallSlot>()
        .is_some_and(|slot| slot.call().is_some());
    let length = headers
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    !known
        && *request.method() == Method::POST
        && media::is(headers, "application/json")
        && !media::is_encoded(headers)
        // Reading would make the server ask for the body, only to refuse what was sent.
        && !headers.contains_key(EXPECT)
        && length.is_none_or(|length| (1..=MOST_BYTES).contains(&length))
}

// === impl Learning ===

impl<B: Body> Learning<B> {
    pub(super) fn new(
        front: Arc<Front>,
        request: Request<B>,
        class: u8,
        reason: Reason,
        reader: Reader,
    ) -> Self {
        Self {
            front,
            request: request.map(Box::pin),
            class,
            reason,
            scanner: Scanner::new().with_max_scan(MOST_BYTES),
            left: MOST_BYTES,
            until: None,
            timer: Timer::new(),
            _reader: reader,
        }
    }

    /// Ready: the refusal, with the id if it could be learnt.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Response<Bytes>> {
        loop {
            match self.request.body_mut().as_mut().poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    let Some(data) = frame.data_ref() else {
                        // Trailers: nothing follows them.
                        self.note();
                        break;
                    };
                    if !self.read(data) {
                        break;
                    }
                }
                Poll::Ready(None) => {
                    self.note();
                    break;
                }
                Poll::Ready(Some(Err(_))) => break,
                Poll::Pending => match self.poll_too_late(cx) {
                    Poll::Ready(()) => break,
                    Poll::Pending => return Poll::Pending,
                },
            }
        }
        Poll::Ready(self.front.refuse(&self.request, self.class, self.reason))
    }

    /// False: reading on is of no use. A frame without bytes counts as one, lest there is no end to them.
    fn read(&mut self, data: &impl Buf) -> bool {
        let Some(left) = self.left.checked_sub(data.remaining().max(1)) else {
            return false;
        };
        self.left = left;
        let scanner = &mut self.scanner;
        peek::chunks(data, |chunk| scanner.feed(chunk)) && !self.scanner.has_given_up()
    }

    fn note(&mut self) {
        if let Some(call) = self.scanner.finish() {
            let extensions = self.request.extensions_mut();
            extensions.get_or_insert_default::<CallSlot>().fill(call);
        }
    }

    /// When the body is read no longer, but for what is there already. Whoever has a deadline needs the answer
    /// by then.
    fn ends(&self) -> Option<Instant> {
        let longest = now().checked_add(LONGEST)?;
        let deadline = earliest(self.request.extensions());
        Some(deadline.map_or(longest, |deadline| deadline.min(longest)))
    }

    fn poll_too_late(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(until) = self.until.or_else(|| self.ends()) else {
            return Poll::Ready(());
        };
        self.until = Some(until);
        if self.timer.is_set(cx) {
            return Poll::Pending;
        }
        while now() < until {
            std::task::ready!(self.timer.poll_until(until, cx));
        }
        Poll::Ready(())
    }
}
