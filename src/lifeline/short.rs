//! The short way: what the layers do to a plain request, by their cores, in one future.
//!
//! Most requests to most servers are plain: a GET without a body, by a client that expects no stream, answered at once
//! with something small. Such a request needs a seat, and limits should its handler hang; and an answer that is whole
//! when its head is there needs nothing more: it holds no seat, nobody has to wait for it or to watch its client. Should
//! the answer turn out to be more than that after all, it gets what the layers that were left out would have given to
//! it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http::{Request, Response};
use http_body::{Body, Frame};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::body::{LifelineBody, LongBody, Start};
use super::flat::FlatBody;
use super::layer::Layers;
use crate::admission_gate::Calling;
use crate::clock::now;
use crate::current::Current;
use crate::cut::CutHandle;
use crate::error::BoxError;
use crate::phase::BYTES_BETWEEN_LOOKS;
use crate::phase_timeout::{PhaseTimeoutBody, Waiting};
use crate::refusal::Caller;
use crate::reply::ReplyBody;
use crate::request_body::RequestBody;
use crate::slow_client_guard::Due;

pin_project! {
    /// The wait for the answer to a plain request.
    pub(super) struct Short<F> {
        // `None` once it has ended: what it held is free before its seat is.
        #[pin]
        inner: Option<F>,
        calling: Calling,
        plain: Plain,
        // `None` until it has to wait.
        waiting: Option<Waiting>,
    }
}

/// What is kept of a plain request.
pub(super) struct Plain {
    pub(super) layers: Arc<Layers>,
    pub(super) caller: Caller,
    pub(super) cut: Option<CutHandle>,
    pub(super) current: Current,
}

type Answer<S, B, ResBody> = Response<LifelineBody<S, B, ResBody>>;

/// What became of the attempt to take a body whole.
enum Taken<D> {
    /// This was all of it.
    Over(Option<Start<D>>),
    /// There is more to come, after what has come already.
    More(Option<Start<D>>),
}

// === impl Short ===

impl<F> Short<F> {
    #[inline]
    pub(super) const fn new(inner: F, calling: Calling, plain: Plain) -> Self {
        Self {
            inner: Some(inner),
            calling,
            plain,
            waiting: None,
        }
    }

    #[inline]
    pub(super) fn poll<S, B, ResBody>(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Answer<S, B, ResBody>, S::Error>>
    where
        F: Future<Output = Result<Response<ResBody>, S::Error>>,
        S: Service<Request<RequestBody<B>>, Response = Response<ResBody>, Future = F>
            + Clone
            + Send
            + 'static,
        F: Send + 'static,
        B: Body<Error: Into<BoxError>> + Send + 'static,
        ResBody: Body<Data: From<Bytes>, Error: Into<BoxError>> + Send + Unpin + 'static,
    {
        let mut this = self.project();
        let plain = this.plain;
        let polled = plain.current.while_current(|| {
            let polled = this.inner.as_mut().as_pin_mut().map(|inner| inner.poll(cx));
            if matches!(polled, Some(Poll::Ready(_))) {
                this.inner.set(None);
            }
            polled
        });
        let answer = match polled {
            None => return Poll::Pending,
            Some(Poll::Ready(answer)) => answer,
            Some(Poll::Pending) => {
                let waiting = this.waiting.get_or_insert_with(|| plain.waiting());
                let expired = waiting.poll_expired(cx);
                if let Some(started) = waiting.started() {
                    plain.current.count_from(started);
                }
                let expired = ready!(expired);
                plain.current.while_current(|| this.inner.set(None));
                this.calling.end();
                let answer = plain.dress(waiting.refuse(expired), this.calling);
                return Poll::Ready(Ok(answer.map(|body| LifelineBody::long(None, body))));
            }
        };
        let mut response = match answer {
            Ok(response) => response,
            Err(error) => {
                this.calling.end();
                return Poll::Ready(Err(error));
            }
        };
        Poll::Ready(Ok(match taken(&mut response, cx) {
            Taken::Over(start) => {
                this.calling.end();
                response.map(|_| LifelineBody::over(start))
            }
            Taken::More(start) => {
                let waiting = this.waiting.take().unwrap_or_else(|| plain.waiting());
                let answer = plain.dress(waiting.watch_over(response), this.calling);
                answer.map(|body| LifelineBody::long(start, body))
            }
        }))
    }
}

/// Takes a small body that is there already.
#[inline]
fn taken<B>(response: &mut Response<B>, cx: &mut Context<'_>) -> Taken<B::Data>
where
    B: Body<Error: Into<BoxError>> + Unpin,
{
    let is_informational = response.status().is_informational();
    let body = response.body_mut();
    let size = match body.size_hint().exact() {
        Some(size) if size <= u64::from(BYTES_BETWEEN_LOOKS) && !is_informational => size,
        _ => return Taken::More(None),
    };
    if body.is_end_stream() {
        // One that has ended, and tells of a size, speaks of a body that is not sent.
        return match size {
            0 => Taken::Over(None),
            _ => Taken::More(None),
        };
    }
    match Pin::new(&mut *body).poll_frame(cx) {
        Poll::Pending => Taken::More(None),
        Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
            Ok(data) if body.is_end_stream() && data.remaining() as u64 == size => {
                Taken::Over(Some(Start::Whole(data)))
            }
            Ok(data) => Taken::More(Some(Start::early(Some(Ok(Frame::data(data))), size))),
            Err(trailers) => Taken::More(Some(Start::early(Some(Ok(trailers)), size))),
        },
        Poll::Ready(Some(Err(error))) => Taken::Over(Some(Start::early(Some(Err(error.into())), size))),
        Poll::Ready(None) if size == 0 => Taken::Over(None),
        // It said that there would be more, and whoever reads it must be able to see that there was not.
        Poll::Ready(None) => Taken::Over(Some(Start::early(None, size))),
    }
}

// === impl Plain ===

impl Plain {
    /// How long the answer may take, from now on.
    fn waiting(&self) -> Waiting {
        let phases = &self.layers.phases;
        // One that nobody has asked for is no earlier than the total, from which it follows.
        phases.waiting(&phases.policy().get(), self.current.fixed(), self.caller.clone())
    }

    /// Gives an answer what is left out on this way: a seat until its end, a beat, and somebody who watches its client.
    #[cold]
    #[inline(never)]
    fn dress<S, B, ResBody>(
        &mut self,
        timed: Response<PhaseTimeoutBody<ResBody>>,
        calling: &mut Calling,
    ) -> Response<LongBody<S, B, ResBody>>
    where
        S: Service<Request<RequestBody<B>>, Response = Response<ResBody>> + Clone + Send + 'static,
        S::Future: Send + 'static,
        B: Body<Error: Into<BoxError>> + Send + 'static,
        ResBody: Body<Data: From<Bytes>, Error: Into<BoxError>> + Send + 'static,
    {
        if self.current.fixed().is_none() {
            self.current.count_from(now());
        }
        let allowed = self.layers.deadline.limit().unwrap_or_default();
        let due = self.current.fixed().map(|at| Due {
            at,
            since: at.checked_sub(allowed).unwrap_or(at),
        });
        let beating = self.layers.heartbeat.dress(calling.seat(timed));
        let answer = beating.map(|body| FlatBody::of(ReplyBody::inner(body)));
        self.layers.guard.guard(answer, self.cut.take(), due)
    }
}
