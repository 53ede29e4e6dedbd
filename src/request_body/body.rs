//! The request body as the handler reads it.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Buf;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::clock::RequestClock;
use super::fate::Fate;
use super::layer::Policy;
use super::limits::RequestBodyLimits;
use super::scan::Scan;
use crate::clock::now;
use crate::error::PhaseExpired;
use crate::event::{Outcome, Side};
use crate::timer::Timer;
use crate::watch::poll_clock;

type BoxError = Box<dyn Error + Send + Sync>;

pin_project! {
    /// The body of a request under [`RequestBodyLayer`](super::RequestBodyLayer), see the
    /// [module docs](super).
    ///
    /// It errs with the error of the body within it, boxed, or with [`PhaseExpired`], after which it has ended.
    pub struct RequestBody<B> {
        // `None` once it was cut, so that the connection is rid of it.
        #[pin]
        inner: Option<B>,
        // `None`: there is nothing to wait for.
        watch: Option<Watch>,
        scan: Option<Box<Scan>>,
    }
}

/// Watches over the reader's waiting.
struct Watch {
    policy: Arc<Policy>,
    /// `None` until something has had to wait.
    wait: Option<Box<Wait>>,
    /// Bytes that came before that.
    early: usize,
    fate: Option<Fate>,
}

struct Wait {
    clock: RequestClock,
    timer: Timer,
}

// === impl RequestBody ===

impl<B> RequestBody<B> {
    pub(crate) const fn unwatched(inner: B) -> Self {
        Self {
            inner: Some(inner),
            watch: None,
            scan: None,
        }
    }

    pub(super) const fn new(
        inner: B,
        policy: Arc<Policy>,
        fate: Option<Fate>,
        scan: Option<Box<Scan>>,
    ) -> Self {
        let watch = Watch {
            policy,
            wait: None,
            early: 0,
            fate,
        };
        Self {
            inner: Some(inner),
            watch: Some(watch),
            scan,
        }
    }
}

impl<B> Body for RequestBody<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    type Data = B::Data;
    type Error = BoxError;

    #[inline]
    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let mut this = self.project();
        let Some(mut inner) = this.inner.as_mut().as_pin_mut() else {
            return Poll::Ready(None);
        };
        match inner.as_mut().poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(watch) = this.watch {
                    watch.frame(&frame);
                }
                if this.scan.is_some() {
                    look(this.scan, &frame, inner.is_end_stream());
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                *this.scan = None;
                Poll::Ready(Some(Err(error.into())))
            }
            Poll::Ready(None) => {
                if let Some(scan) = this.scan.take() {
                    scan.finish();
                }
                Poll::Ready(None)
            }
            Poll::Pending => {
                let Some(watch) = this.watch else {
                    return Poll::Pending;
                };
                let expired = ready!(watch.poll_expired(cx));
                watch.cut(expired);
                this.inner.set(None);
                *this.watch = None;
                *this.scan = None;
                Poll::Ready(Some(Err(Box::new(expired))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner
            .as_ref()
            .map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl<B> fmt::Debug for RequestBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestBody")
            .field("is_cut", &self.inner.is_none())
            .finish_non_exhaustive()
    }
}

/// Shows a frame to the scan, and ends the scan where the body ends or nothing more can be learnt.
fn look<D: Buf>(scan: &mut Option<Box<Scan>>, frame: &Frame<D>, is_last: bool) {
    let Some(scanning) = scan else { return };
    let goes_on = frame.data_ref().is_none_or(|data| scanning.look(data));
    let is_last = is_last || frame.is_trailers();
    if goes_on && is_last {
        scanning.finish();
    }
    if is_last || !goes_on {
        *scan = None;
    }
}

// === impl Watch ===

impl Watch {
    #[inline]
    fn frame<D: Buf>(&mut self, frame: &Frame<D>) {
        let bytes = frame.data_ref().map_or(0, Buf::remaining);
        match &mut self.wait {
            // An empty frame costs its sender nothing, so it ends no silence.
            Some(wait) => wait.clock.frame(bytes, bytes > 0 || !frame.is_data(), now),
            None => self.early = self.early.saturating_add(bytes),
        }
    }

    /// No frame is there. Ready: and the client's time is up.
    #[inline]
    fn poll_expired(&mut self, cx: &mut Context<'_>) -> Poll<PhaseExpired> {
        let Self {
            policy, wait, early, ..
        } = self;
        let Wait { clock, timer } = &mut **wait.get_or_insert_with(|| Wait::new(policy.limits, *early));
        if clock.is_idle() || (clock.is_waiting() && timer.is_set(cx)) {
            return Poll::Pending;
        }
        poll_clock(timer, (&policy.reporter, Side::Server), cx, |now| clock.wait(now))
    }

    #[cold]
    fn cut(&self, expired: PhaseExpired) {
        let somebody_else_reports = self.fate.as_ref().is_some_and(|fate| fate.expire(expired));
        if !somebody_else_reports {
            self.policy
                .reporter
                .phase_expired(Side::Server, expired, Outcome::Failed);
        }
    }
}

// === impl Wait ===

impl Wait {
    #[cold]
    fn new(limits: RequestBodyLimits, early: usize) -> Box<Self> {
        Box::new(Self {
            clock: RequestClock::new(limits, early),
            timer: Timer::new(),
        })
    }
}
