//! The body of an answer, by whichever way it came.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use tower_service::Service;

use super::flat::FlatBody;
use super::layer::Core;
use crate::admission_gate::AdmissionGateBody;
use crate::error::BoxError;
use crate::phase_timeout::PhaseTimeoutBody;
use crate::request_body::RequestBody;
use crate::slow_client_guard::SlowClientGuardBody;

/// What answers are in that are more than small.
pub(super) type LongBody<S, B, ResBody> = SlowClientGuardBody<
    FlatBody<
        AdmissionGateBody<PhaseTimeoutBody<ResBody>>,
        <Core<S> as Service<Request<RequestBody<B>>>>::Future,
    >,
>;

/// The response body of [`LifelineService`](super::LifelineService).
pub struct LifelineBody<S, B, ResBody>
where
    Core<S>: Service<Request<RequestBody<B>>>,
    ResBody: Body,
{
    /// What was there with the head.
    start: Option<Start<ResBody::Data>>,
    /// `None`: that was all of it.
    rest: Option<Pin<Box<LongBody<S, B, ResBody>>>>,
}

/// What a body began with.
pub(super) enum Start<D> {
    /// All of it.
    Whole(D),
    /// In a box because it is rare and large.
    Early(Box<Early<D>>),
}

/// What came early, of a body that has more to come.
pub(super) struct Early<D> {
    /// `None`: its end.
    frame: Option<Result<Frame<D>, BoxError>>,
    /// Of the whole body, as it said when nothing had been taken from it.
    size: u64,
}

// === impl LifelineBody ===

impl<S, B, ResBody> LifelineBody<S, B, ResBody>
where
    Core<S>: Service<Request<RequestBody<B>>>,
    ResBody: Body,
{
    #[inline]
    pub(super) const fn over(start: Option<Start<ResBody::Data>>) -> Self {
        Self { start, rest: None }
    }

    pub(super) fn long(start: Option<Start<ResBody::Data>>, rest: LongBody<S, B, ResBody>) -> Self {
        Self {
            start,
            rest: Some(Box::pin(rest)),
        }
    }
}

impl<S, B, ResBody> Body for LifelineBody<S, B, ResBody>
where
    S: Service<Request<RequestBody<B>>, Response = Response<ResBody>> + Clone,
    B: Body<Error: Into<BoxError>>,
    ResBody: Body<Data: From<Bytes>, Error: Into<BoxError>>,
{
    type Data = ResBody::Data;
    type Error = BoxError;

    #[inline]
    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<ResBody::Data>, BoxError>>> {
        let this = self.get_mut();
        match (this.start.take(), &mut this.rest) {
            (Some(Start::Whole(data)), _) => Poll::Ready(Some(Ok(Frame::data(data)))),
            (Some(Start::Early(early)), _) => Poll::Ready(early.frame),
            (None, Some(rest)) => rest.as_mut().poll_frame(cx),
            (None, None) => Poll::Ready(None),
        }
    }

    #[inline]
    fn is_end_stream(&self) -> bool {
        self.start.is_none() && self.rest.as_ref().is_none_or(|rest| rest.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        match (&self.start, &self.rest) {
            (Some(Start::Whole(data)), _) => SizeHint::with_exact(data.remaining() as u64),
            (Some(Start::Early(early)), _) => SizeHint::with_exact(early.size),
            (None, Some(rest)) => rest.size_hint(),
            (None, None) => SizeHint::with_exact(0),
        }
    }
}

// There is no pin into it but that in the box.
impl<S, B, ResBody> Unpin for LifelineBody<S, B, ResBody>
where
    Core<S>: Service<Request<RequestBody<B>>>,
    ResBody: Body,
{
}

impl<S, B, ResBody> fmt::Debug for LifelineBody<S, B, ResBody>
where
    Core<S>: Service<Request<RequestBody<B>>>,
    ResBody: Body,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.rest {
            None => "LifelineBody(whole)",
            Some(_) => "LifelineBody(long)",
        })
    }
}

// === impl Start ===

impl<D> Start<D> {
    pub(super) fn early(frame: Option<Result<Frame<D>, BoxError>>, size: u64) -> Self {
        Self::Early(Box::new(Early { frame, size }))
    }
}
