//! The response future.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_service::Service;

use super::AdmissionGateBody;
use super::learn::Learning;
use super::seat::Hold;
use super::slow::Slow;

pin_project! {
    /// The response future of [`AdmissionGateService`](super::AdmissionGateService).
    #[must_use = "futures do nothing unless they are polled"]
    pub struct AdmissionGateFuture<S, B>
    where
        S: Service<Request<B>>,
    {
        #[pin]
        pub(super) state: State<S, B>,
    }
}

pin_project! {
    // What is rare is boxed, so that what is common moves little.
    #[project = StateProj]
    pub(super) enum State<S, B>
    where
        S: Service<Request<B>>,
    {
        Calling {
            // Declared first, so that the work is over before its seat is free.
            #[pin]
            response: S::Future,
            calling: Calling,
        },
        Rare { rare: Box<Rare<S, B>> },
    }
}

/// A request that waits, or is refused.
pub(super) enum Rare<S, B> {
    Slow(Slow<S, B>),
    Learning(Learning<B>),
    Refused(Response<Bytes>),
    Done,
}

/// What is kept of a request while its response is waited for.
#[derive(Debug)]
pub(crate) struct Calling {
    hold: Option<Hold>,
    is_listed: bool,
    is_head: bool,
    is_connect: bool,
}

// === impl AdmissionGateFuture ===

impl<S, B, ResBody> Future for AdmissionGateFuture<S, B>
where
    S: Service<Request<B>, Response = Response<ResBody>>,
    B: Body,
    ResBody: Body<Data: From<Bytes>>,
{
    type Output = Result<Response<AdmissionGateBody<ResBody>>, S::Error>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        if let StateProj::Rare { .. } = state.as_mut().project() {
            if let Some(answer) = ready!(state.as_mut().poll_rare(cx)?) {
                return Poll::Ready(Ok(answer.map(AdmissionGateBody::refusal)));
            }
        }
        let StateProj::Calling { response, calling } = state.project() else {
            return Poll::Pending;
        };
        let polled = response.poll(cx);
        // Looked at where it lies: a response is large, and moving it costs more than the look.
        let mut hold = None;
        match &polled {
            Poll::Pending => {}
            Poll::Ready(Ok(response)) => hold = calling.head(response),
            Poll::Ready(Err(_)) => calling.end(),
        }
        polled.map_ok(|response| response.map(|body| AdmissionGateBody::held(body, hold)))
    }
}

impl<S, B> State<S, B>
where
    S: Service<Request<B>>,
    B: Body,
{
    /// Ready with nothing: the inner service was called.
    #[cold]
    #[inline(never)]
    fn poll_rare(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Response<Bytes>>, S::Error>> {
        let StateProj::Rare { rare } = self.as_mut().project() else {
            return Poll::Ready(Ok(None));
        };
        match ready!(rare.poll(cx)?) {
            After::Next(next) => {
                self.set(next);
                // What follows a wait may be a refusal that has to be waited for as well.
                self.poll_rare(cx)
            }
            After::Answer(response) => Poll::Ready(Ok(Some(response))),
        }
    }
}

// === impl Rare ===

enum After<S, B>
where
    S: Service<Request<B>>,
{
    Next(State<S, B>),
    Answer(Response<Bytes>),
}

impl<S, B> Rare<S, B>
where
    S: Service<Request<B>>,
    B: Body,
{
    #[cold]
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<After<S, B>, S::Error>> {
        let after = match self {
            Self::Slow(slow) => ready!(slow.poll(cx)).map(After::Next),
            Self::Learning(learning) => Ok(After::Answer(ready!(learning.poll(cx)))),
            Self::Refused(response) => Ok(After::Answer(std::mem::take(response))),
            Self::Done => return Poll::Pending,
        };
        *self = Self::Done;
        Poll::Ready(after)
    }
}

impl<S, B> fmt::Debug for AdmissionGateFuture<S, B>
where
    S: Service<Request<B>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Calling { .. } => "calling",
            State::Rare { rare } => match **rare {
                Rare::Slow(_) => "waiting",
                Rare::Learning(_) | Rare::Refused(_) => "refused",
                Rare::Done => "done",
            },
        };
        f.debug_struct("AdmissionGateFuture")
            .field("state", &state)
            .finish_non_exhaustive()
    }
}

// === impl Calling ===

impl Calling {
    #[inline]
    pub(super) fn of<B>(request: &Request<B>, hold: Option<Hold>, is_listed: bool) -> Self {
        // A match compares what the methods are, and `==` their payloads as well.
        let (is_head, is_connect) = match *request.method() {
            Method::HEAD => (true, false),
            Method::CONNECT => (false, true),
            _ => (false, false),
        };
        Self {
            hold,
            is_listed,
            is_head,
            is_connect,
        }
    }

    /// There is nothing more to do: the seat is free.
    #[inline]
    pub(crate) fn end(&mut self) {
        self.hold = None;
    }

    /// The body of this answer holds the seat, if there is one to come.
    pub(crate) fn seat<B: Body>(&mut self, response: Response<B>) -> Response<AdmissionGateBody<B>> {
        let hold = self.head(&response);
        response.map(|body| AdmissionGateBody::held(body, hold))
    }

    /// The head is there. What the body is to hold.
    #[inline]
    fn head<B: Body>(&mut self, response: &Response<B>) -> Option<Hold> {
        let hold = self.hold.take()?;
        if !self.has_body(response) {
            return None;
        }
        if self.is_listed {
            hold.body_follows();
        }
        Some(hold)
    }

    /// Whether anybody will read a body. Of an upgrade (101, or a CONNECT that succeeded) the body is none of
    /// ours, and the connection lives where no layer sees it end.
    #[inline]
    fn has_body<B: Body>(&self, response: &Response<B>) -> bool {
        let status = response.status();
        let is_upgrade = self.is_connect && status.is_success();
        let is_empty = status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED;
        !(self.is_head
            || is_upgrade
            || is_empty
            || status.is_informational()
            || response.body().is_end_stream())
    }
}
