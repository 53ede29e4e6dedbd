//! What is left of a request's deadline, written into a header of the requests that are sent on its behalf.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderName, HeaderValue, Request};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::due::{deadline_of, left_of};
use super::error::OutgoingError;
use crate::deadline::{format_grpc_timeout, format_millis, parse_grpc_timeout, parse_millis};
use crate::error::BoxError;
use crate::error::PhaseExpired;
use crate::event::{DeadlineHeader, Outcome, Reporter, Side};

/// Tells whoever is called how much time is left; see the [module docs](super).
#[derive(Clone, Debug)]
pub struct DeadlineHeaderLayer {
    header: DeadlineHeader,
    report_only: bool,
    reporter: Reporter,
}

/// A client that tells whoever it calls how much time is left; see the [module docs](super).
#[derive(Clone, Debug)]
pub struct WithDeadlineHeader<S> {
    inner: S,
    layer: DeadlineHeaderLayer,
}

pin_project! {
    /// The future of [`WithDeadlineHeader`].
    #[must_use = "futures do nothing unless they are polled"]
    #[derive(Debug)]
    pub struct DeadlineHeaderFuture<F> {
        #[pin]
        state: State<F>,
    }
}

pin_project! {
    #[project = StateProj]
    #[derive(Debug)]
    enum State<F> {
        Sent {
            #[pin]
            inner: F,
        },
        TooLate {
            expired: PhaseExpired,
            reporter: Reporter,
        },
        Done,
    }
}

// === impl DeadlineHeaderLayer ===

impl DeadlineHeaderLayer {
    /// Writes what is left into `header`.
    #[must_use]
    pub const fn new(header: DeadlineHeader) -> Self {
        Self {
            header,
            report_only: false,
            reporter: Reporter::log(),
        }
    }

    /// Only reports where nothing is left ("would have cut"), and sends the request without the header.
    #[must_use]
    pub const fn report_only(mut self) -> Self {
        self.report_only = true;
        self
    }

    /// Tells `reporter`, and not the [log](Reporter::log), of requests that were too late to be sent.
    #[must_use]
    pub fn with_reporter(mut self, reporter: Reporter) -> Self {
        self.reporter = reporter;
        self
    }
}

impl<S> Layer<S> for DeadlineHeaderLayer {
    type Service = WithDeadlineHeader<S>;

    fn layer(&self, inner: S) -> Self::Service {
        WithDeadlineHeader {
            inner,
            layer: self.clone(),
        }
    }
}

// === impl WithDeadlineHeader ===

impl<S, B> Service<Request<B>> for WithDeadlineHeader<S>
where
    S: Service<Request<B>>,
    S::Error: Into<BoxError>,
{
    type Response = S::Response;
    type Error = OutgoingError;
    type Future = DeadlineHeaderFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(OutgoingError::from_service)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let deadline = deadline_of(request.extensions());
        let mut written = write(self.layer.header, deadline, request.headers_mut());
        if let Some(expired) = written.err().filter(|_| self.layer.report_only) {
            self.layer
                .reporter
                .phase_expired(Side::Outgoing, expired, Outcome::WouldHaveCut);
            written = Ok(());
        }
        let state = match written {
            Ok(()) => State::Sent {
                inner: self.inner.call(request),
            },
            Err(expired) => State::TooLate {
                expired,
                reporter: self.layer.reporter.clone(),
            },
        };
        DeadlineHeaderFuture { state }
    }
}

// === impl DeadlineHeaderFuture ===

impl<F, R, E> Future for DeadlineHeaderFuture<F>
where
    F: Future<Output = Result<R, E>>,
    E: Into<BoxError>,
{
    type Output = Result<R, OutgoingError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        match state.as_mut().project() {
            StateProj::Sent { inner } => inner.poll(cx).map_err(OutgoingError::from_service),
            StateProj::TooLate { expired, reporter } => {
                let expired = *expired;
                reporter.phase_expired(Side::Outgoing, expired, Outcome::Failed);
                state.set(State::Done);
                Poll::Ready(Err(OutgoingError::Expired(expired)))
            }
            StateProj::Done => Poll::Pending,
        }
    }
}

/// Writes what is left, unless the caller leaves less than that.
///
/// # Errors
/// Where nothing is left.
pub(super) fn write(
    header: DeadlineHeader,
    deadline: Option<Instant>,
    headers: &mut HeaderMap,
) -> Result<(), PhaseExpired> {
    let Some(deadline) = deadline else { return Ok(()) };
    let left = left_of(deadline)?;
    let name = HeaderName::from_static(header.name());
    let is_shorter = |value: &HeaderValue| parse(header, value).is_some_and(|own| own <= left);
    if headers.get_all(&name).iter().any(is_shorter) {
        return Ok(());
    }
    let value = match header {
        DeadlineHeader::GrpcTimeout => format_grpc_timeout(left),
        DeadlineHeader::EnvoyExpectedTimeout => format_millis(left),
    };
    if let Ok(value) = HeaderValue::try_from(value) {
        headers.insert(name, value);
    }
    Ok(())
}

fn parse(header: DeadlineHeader, value: &HeaderValue) -> Option<Duration> {
    match header {
        DeadlineHeader::GrpcTimeout => parse_grpc_timeout(value.as_bytes()),
        DeadlineHeader::EnvoyExpectedTimeout => parse_millis(value.as_bytes()),
    }
}
