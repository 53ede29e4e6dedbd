//! The `connect` phase, around any connector.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::error::OutgoingError;
use crate::clock::now;
use crate::error::BoxError;
use crate::error::{Bound, Phase, PhaseExpired};
use crate::event::{Outcome, Reporter, Side};
use crate::phase::PhaseLimits;
use crate::timer::Timer;

/// Limits how long a connector may take; see the [module docs](super).
#[derive(Clone, Debug)]
pub struct ConnectTimeoutLayer {
    limit: Option<Duration>,
    report_only: bool,
    reporter: Reporter,
}

/// A connector whose `connect` phase is limited; see the [module docs](super).
///
/// Its error is a boxed one, as every client wants it from a connector and reqwest demands it. The
/// connector's own errors pass as they are; an expired phase is an [`io::Error`](std::io::Error) of kind
/// `TimedOut` around [`OutgoingError::Expired`], so that those who ask a client's error `is_timeout()` hear
/// the truth, and [`PhaseExpired::find`] finds the facts.
#[derive(Clone, Debug)]
pub struct ConnectTimeout<S> {
    inner: S,
    layer: ConnectTimeoutLayer,
}

pin_project! {
    /// The future of [`ConnectTimeout`].
    #[must_use = "futures do nothing unless they are polled"]
    #[derive(Debug)]
    pub struct ConnectTimeoutFuture<F> {
        // `None` once it has ended, so that its socket is closed before anybody hears of it.
        #[pin]
        inner: Option<F>,
        watch: ConnectWatch,
    }
}

#[derive(Debug)]
struct ConnectWatch {
    limit: Option<Duration>,
    report_only: bool,
    started: Option<Instant>,
    timer: Timer,
    reporter: Reporter,
}

// === impl ConnectTimeoutLayer ===

impl ConnectTimeoutLayer {
    /// Takes the `connect` limit out of `limits`; without one, connectors are left alone.
    #[must_use]
    pub const fn new(limits: PhaseLimits) -> Self {
        Self {
            limit: limits.connect(),
            report_only: limits.is_report_only(Phase::Connect),
            reporter: Reporter::log(),
        }
    }

    /// Tells `reporter`, and not the [log](Reporter::log), of connections that took too long.
    #[must_use]
    pub fn with_reporter(mut self, reporter: Reporter) -> Self {
        self.reporter = reporter;
        self
    }
}

impl<S> Layer<S> for ConnectTimeoutLayer {
    type Service = ConnectTimeout<S>;

    fn layer(&self, inner: S) -> Self::Service {
        ConnectTimeout {
            inner,
            layer: self.clone(),
        }
    }
}

// === impl ConnectTimeout ===

impl<S, R> Service<R> for ConnectTimeout<S>
where
    S: Service<R>,
    S::Error: Into<BoxError>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = ConnectTimeoutFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, target: R) -> Self::Future {
        let ConnectTimeoutLayer {
            limit,
            report_only,
            reporter,
        } = self.layer.clone();
        let watch = ConnectWatch {
            limit,
            report_only,
            started: None,
            timer: Timer::new(),
            reporter,
        };
        ConnectTimeoutFuture {
            inner: Some(self.inner.call(target)),
            watch,
        }
    }
}

// === impl ConnectTimeoutFuture ===

impl<F, C, E> Future for ConnectTimeoutFuture<F>
where
    F: Future<Output = Result<C, E>>,
    E: Into<BoxError>,
{
    type Output = Result<C, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let Some(inner) = this.inner.as_mut().as_pin_mut() else {
            return Poll::Pending;
        };
        let connected = match inner.poll(cx) {
            Poll::Ready(connected) => connected.map_err(Into::into),
            Poll::Pending => {
                let expired = ready!(this.watch.poll_expired(cx));
                this.inner.set(None);
                this.watch.report(expired, Outcome::Failed);
                Err(OutgoingError::Expired(expired).into_timed_out())
            }
        };
        this.inner.set(None);
        Poll::Ready(connected)
    }
}

// === impl ConnectWatch ===

impl ConnectWatch {
    fn poll_expired(&mut self, cx: &mut Context<'_>) -> Poll<PhaseExpired> {
        let Some(limit) = self.limit else {
            return Poll::Pending;
        };
        if self.started.is_some() && self.timer.is_set(cx) {
            return Poll::Pending;
        }
        let mut instant = now();
        let started = *self.started.get_or_insert(instant);
        let Some(ends) = started.checked_add(limit) else {
            return Poll::Pending;
        };
        while instant < ends {
            ready!(self.timer.poll_until(ends, cx));
            instant = now();
        }
        let expired = PhaseExpired::new(Phase::Connect, Bound::Limit, limit, instant - started);
        if self.report_only {
            self.limit = None;
            self.report(expired, Outcome::WouldHaveCut);
            return Poll::Pending;
        }
        Poll::Ready(expired)
    }

    fn report(&self, expired: PhaseExpired, outcome: Outcome) {
        self.reporter.phase_expired(Side::Outgoing, expired, outcome);
    }
}
