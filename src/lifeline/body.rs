//! The body of an answer, by whichever way it came.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::layer::Core;
use crate::admission_gate::AdmissionGateBody;
use crate::error::BoxError;
use crate::phase_timeout::PhaseTimeoutBody;
use crate::reply::ReplyBody;
use crate::request_body::RequestBody;
use crate::slow_client_guard::SlowClientGuardBody;
use crate::sse_heartbeat::SseHeartbeatBody;

/// What every answer is in.
pub(super) type ShortBody<ResBody> = AdmissionGateBody<PhaseTimeoutBody<ResBody>>;

/// What answers are in that are more than small.
pub(super) type LongBody<S, B, ResBody> = SlowClientGuardBody<
    ReplyBody<SseHeartbeatBody<ShortBody<ResBody>, <Core<S> as Service<Request<RequestBody<B>>>>::Future>>,
>;

pin_project! {
    /// The response body of [`LifelineService`](super::LifelineService).
    pub struct LifelineBody<S, B, ResBody>
    where
        Core<S>: Service<Request<RequestBody<B>>>,
    {
        #[pin]
        way: Way<S, B, ResBody>,
    }
}

pin_project! {
    #[project = WayProj]
    enum Way<S, B, ResBody>
    where
        Core<S>: Service<Request<RequestBody<B>>>,
    {
        Short { #[pin] body: ShortBody<ResBody> },
        Long { body: Pin<Box<LongBody<S, B, ResBody>>> },
    }
}

// === impl LifelineBody ===

impl<S, B, ResBody> LifelineBody<S, B, ResBody>
where
    Core<S>: Service<Request<RequestBody<B>>>,
{
    pub(super) const fn short(body: ShortBody<ResBody>) -> Self {
        Self {
            way: Way::Short { body },
        }
    }

    pub(super) fn long(body: LongBody<S, B, ResBody>) -> Self {
        Self {
            way: Way::Long { body: Box::pin(body) },
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
        match self.project().way.project() {
            WayProj::Short { body } => body.poll_frame(cx),
            WayProj::Long { body } => body.as_mut().poll_frame(cx),
        }
    }

    #[inline]
    fn is_end_stream(&self) -> bool {
        match &self.way {
            Way::Short { body } => body.is_end_stream(),
            Way::Long { body } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.way {
            Way::Short { body } => body.size_hint(),
            Way::Long { body } => body.size_hint(),
        }
    }
}

impl<S, B, ResBody> fmt::Debug for LifelineBody<S, B, ResBody>
where
    Core<S>: Service<Request<RequestBody<B>>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.way {
            Way::Short { .. } => "LifelineBody(short)",
            Way::Long { .. } => "LifelineBody(long)",
        })
    }
}
