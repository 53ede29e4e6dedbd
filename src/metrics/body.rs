//! The body of an answer that is measured.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Buf;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::exchange::{Ending, Exchange};
use crate::clock::now;

pin_project! {
    /// The response body of [`MetricsService`](super::MetricsService). It passes on what is inside, untouched.
    #[derive(Debug)]
    pub struct MetricsBody<B> {
        // Declared first, so that the work is over before its ending is counted.
        #[pin]
        inner: B,
        measure: Option<Measure>,
    }
}

/// An answer on its way out.
#[derive(Debug)]
struct Measure {
    // `None` once the ending was counted.
    exchange: Option<Exchange>,
    has_begun: bool,
    /// Bytes to come, where that is known; a server asks for nothing behind them.
    left: Option<u64>,
}

// === impl MetricsBody ===

impl<B> MetricsBody<B> {
    pub(super) const fn untouched(inner: B) -> Self {
        Self { inner, measure: None }
    }

    pub(super) const fn measured(inner: B, exchange: Exchange, length: Option<u64>) -> Self {
        let measure = Measure {
            exchange: Some(exchange),
            has_begun: false,
            left: length,
        };
        Self {
            inner,
            measure: Some(measure),
        }
    }
}

impl<B: Body> Body for MetricsBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    #[inline]
    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let mut this = self.project();
        // Looked at where it lies: moving a frame costs more than the look.
        let polled = this.inner.as_mut().poll_frame(cx);
        if let Some(measure) = this.measure {
            match &polled {
                Poll::Pending => measure.waits(),
                Poll::Ready(Some(Ok(frame))) => {
                    let looked = measure.goes_on(frame);
                    if this.inner.is_end_stream() {
                        measure.end(Ending::Complete, looked);
                    }
                }
                Poll::Ready(Some(Err(_))) => measure.end(Ending::Failed, None),
                Poll::Ready(None) => measure.end(Ending::Complete, None),
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl<B: Default> Default for MetricsBody<B> {
    fn default() -> Self {
        Self::untouched(B::default())
    }
}

// === impl Measure ===

impl Measure {
    #[inline]
    fn waits(&mut self) {
        if let Some(exchange) = &mut self.exchange {
            exchange.waits_for_frame();
        }
    }

    /// `Some`: it had to look at the clock.
    #[inline]
    fn goes_on<D: Buf>(&mut self, frame: &Frame<D>) -> Option<Instant> {
        let exchange = self.exchange.as_mut()?;
        exchange.goes_on();
        let bytes = frame.data_ref().map(|data| data.remaining() as u64)?;
        if let Some(left) = &mut self.left {
            *left = left.saturating_sub(bytes);
        }
        if self.has_begun || bytes == 0 {
            return None;
        }
        self.has_begun = true;
        Some(exchange.first_byte())
    }

    fn end(&mut self, ending: Ending, looked: Option<Instant>) {
        if let Some(exchange) = self.exchange.take() {
            exchange.end(ending, looked.unwrap_or_else(now));
        }
    }
}

impl Drop for Measure {
    fn drop(&mut self) {
        if self.left == Some(0) {
            self.end(Ending::Complete, None);
        }
    }
}
