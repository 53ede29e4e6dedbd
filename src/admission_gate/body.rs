//! The response body, which holds the seat until it ends.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::seat::Hold;
use crate::reply::ReplyBody;

pin_project! {
    /// The body of a response that came through a gate, or of its refusal. It passes on what the service's body
    /// yields, and gives the seat back when that has ended, failed, or is dropped.
    pub struct AdmissionGateBody<B> {
        // Declared first, so that the work is over before its seat is free.
        #[pin]
        body: ReplyBody<B>,
        hold: Option<Hold>,
    }
}

// === impl AdmissionGateBody ===

impl<B> AdmissionGateBody<B> {
    pub(super) const fn held(body: B, hold: Option<Hold>) -> Self {
        Self {
            body: ReplyBody::inner(body),
            hold,
        }
    }

    pub(super) fn refusal(bytes: Bytes) -> Self {
        Self {
            body: ReplyBody::reply(bytes),
            hold: None,
        }
    }
}

impl<B> Body for AdmissionGateBody<B>
where
    B: Body,
    B::Data: From<Bytes>,
{
    type Data = B::Data;
    type Error = B::Error;

    #[inline(always)]
    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let mut this = self.project();
        // Looked at where it lies: moving a frame costs more than the look.
        let polled = this.body.as_mut().poll_frame(cx);
        if let Poll::Ready(ready) = &polled {
            if !matches!(ready, Some(Ok(_))) || this.body.is_end_stream() {
                drop(this.hold.take());
            }
        }
        polled
    }

    #[inline(always)]
    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B> fmt::Debug for AdmissionGateBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdmissionGateBody")
            .field("holds_a_seat", &self.hold.is_some())
            .finish_non_exhaustive()
    }
}

impl<B: Default> Default for AdmissionGateBody<B> {
    fn default() -> Self {
        Self::held(B::default(), None)
    }
}
