//! `TimedOutBody`: speaks of expired phases so that reqwest's own errors know them for timeouts.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::error::BoxError;
use crate::outgoing::body::OutgoingBody;
use crate::outgoing::error::OutgoingError;

pin_project! {
    pub(super) struct TimedOutBody {
        #[pin]
        inner: OutgoingBody<::reqwest::Body>,
    }
}

// === impl TimedOutBody ===

impl TimedOutBody {
    pub(super) const fn new(inner: OutgoingBody<::reqwest::Body>) -> Self {
        Self { inner }
    }
}

impl Body for TimedOutBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        self.project()
            .inner
            .poll_frame(cx)
            .map_err(OutgoingError::into_timed_out)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
