//! `OutgoingTimeoutFuture`: waits for the response head, and hands its clocks to the body.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use http::{Response, StatusCode};
use http_body::Body;
use pin_project_lite::pin_project;

use super::body::OutgoingBody;
use super::due::left_of;
use super::error::OutgoingError;
use crate::error::BoxError;
use crate::error::{Phase, PhaseExpired};
use crate::event::{Outcome, Reporter, Side};
use crate::phase::PhaseLimits;
use crate::watch::HeadWatch;

pin_project! {
    /// The future of [`OutgoingTimeout`](super::OutgoingTimeout).
    #[must_use = "futures do nothing unless they are polled"]
    #[derive(Debug)]
    pub struct OutgoingTimeoutFuture<F> {
        #[pin]
        state: State<F>,
    }
}

pin_project! {
    #[project = StateProj]
    #[project_replace = StateOwned]
    #[derive(Debug)]
    enum State<F> {
        Waiting {
            #[pin]
            inner: F,
            watch: HeadWatch,
            is_connect: bool,
        },
        // The deadline had passed before anything was sent.
        TooLate {
            expired: PhaseExpired,
            reporter: Reporter,
        },
        Done,
    }
}

// === impl OutgoingTimeoutFuture ===

impl<F> OutgoingTimeoutFuture<F> {
    /// `is_connect`: a successful answer opens a tunnel.
    pub(super) fn new(
        limits: PhaseLimits,
        deadline: Option<Instant>,
        reporter: Reporter,
        is_connect: bool,
        send: impl FnOnce() -> F,
    ) -> Self {
        let enforced = deadline.filter(|_| !limits.is_report_only(Phase::Total));
        let state = match enforced.map(left_of) {
            Some(Err(expired)) => State::TooLate { expired, reporter },
            _ => State::Waiting {
                inner: send(),
                watch: HeadWatch::new(&limits, deadline, reporter, Side::Outgoing),
                is_connect,
            },
        };
        Self { state }
    }
}

impl<F, B, E> Future for OutgoingTimeoutFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    E: Into<BoxError>,
    B: Body,
{
    type Output = Result<Response<OutgoingBody<B>>, OutgoingError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        let outcome = match state.as_mut().project() {
            StateProj::Waiting { inner, watch, .. } => match inner.poll(cx) {
                Poll::Ready(outcome) => Ok(outcome.map_err(OutgoingError::from_service)),
                Poll::Pending => Err(ready!(watch.poll_expired(cx))),
            },
            StateProj::TooLate { expired, .. } => Err(*expired),
            StateProj::Done => return Poll::Pending,
        };
        // Drops the client's future, so that what it held is free before anybody hears of it.
        let state = state.project_replace(State::Done);
        Poll::Ready(match (outcome, state) {
            (
                Ok(response),
                StateOwned::Waiting {
                    watch, is_connect, ..
                },
            ) => response.map(|response| with_body(response, watch, is_connect)),
            (Ok(response), _) => response.map(|response| response.map(OutgoingBody::untouched)),
            (Err(expired), state) => {
                match state {
                    StateOwned::Waiting { watch, .. } => watch.report(expired, Outcome::Failed),
                    StateOwned::TooLate { reporter, .. } => {
                        reporter.phase_expired(Side::Outgoing, expired, Outcome::Failed);
                    }
                    StateOwned::Done => {}
                }
                Err(OutgoingError::Expired(expired))
            }
        })
    }
}

fn with_body<B: Body>(
    response: Response<B>,
    watch: HeadWatch,
    is_connect: bool,
) -> Response<OutgoingBody<B>> {
    let status = response.status();
    if status == StatusCode::SWITCHING_PROTOCOLS || (is_connect && status.is_success()) {
        return response.map(OutgoingBody::untouched);
    }
    let (head, body) = response.into_parts();
    let body = OutgoingBody::new(body, &head.headers, watch);
    Response::from_parts(head, body)
}
