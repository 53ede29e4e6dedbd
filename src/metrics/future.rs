//! The wait for the response head.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::header::CONTENT_LENGTH;
use http::{Response, StatusCode};
use http_body::Body;
use pin_project_lite::pin_project;

use super::body::MetricsBody;
use super::exchange::{Ending, Exchange, Origin};
use crate::clock::now;
use crate::refusal::MadeByLifeline;

pin_project! {
    /// The response future of [`MetricsService`](super::MetricsService).
    #[must_use = "futures do nothing unless they are polled"]
    #[derive(Debug)]
    pub struct MetricsFuture<F> {
        // Declared first, so that the work is over before its ending is counted.
        #[pin]
        inner: F,
        // `None` once it has answered.
        exchange: Option<Exchange>,
        asked: Asked,
    }
}

/// What kind of an answer the request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// One without a body, whatever its headers say of one.
    Head,
    /// A tunnel.
    Tunnel,
    /// Any other.
    Body,
}

// === impl MetricsFuture ===

impl<F> MetricsFuture<F> {
    pub(super) const fn new(inner: F, exchange: Exchange, asked: Asked) -> Self {
        Self {
            inner,
            exchange: Some(exchange),
            asked,
        }
    }
}

impl<F, B, E> Future for MetricsFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body,
{
    type Output = Result<Response<MetricsBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Poll::Ready(answer) = this.inner.poll(cx) else {
            if let Some(exchange) = this.exchange {
                exchange.waits_for_head();
            }
            return Poll::Pending;
        };
        let exchange = this.exchange.take();
        Poll::Ready(match (answer, exchange) {
            (Ok(response), Some(exchange)) => Ok(measured(response, exchange, *this.asked)),
            (Ok(response), None) => Ok(response.map(MetricsBody::untouched)),
            (Err(error), exchange) => {
                if let Some(exchange) = exchange {
                    exchange.end(Ending::Failed, now());
                }
                Err(error)
            }
        })
    }
}

fn measured<B: Body>(
    response: Response<B>,
    mut exchange: Exchange,
    asked: Asked,
) -> Response<MetricsBody<B>> {
    let status = response.status();
    let ours = response.extensions().get::<MadeByLifeline>();
    let now = exchange.head(status, ours.map_or(Origin::Handler, |_| Origin::Lifeline));
    if response.body().is_end_stream() || has_no_body(asked, status) {
        exchange.end(Ending::Complete, now);
        return response.map(MetricsBody::untouched);
    }
    let length = response.headers().get(CONTENT_LENGTH);
    let length = length.and_then(|value| value.to_str().ok()?.parse().ok());
    let length = length.or_else(|| response.body().size_hint().exact());
    response.map(|body| MetricsBody::measured(body, exchange, length))
}

/// Whether the server lets go of the body without reading it, or of the connection with it.
fn has_no_body(asked: Asked, status: StatusCode) -> bool {
    match asked {
        Asked::Head => true,
        Asked::Tunnel if status.is_success() => true,
        _ => matches!(
            status,
            StatusCode::SWITCHING_PROTOCOLS | StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED
        ),
    }
}
