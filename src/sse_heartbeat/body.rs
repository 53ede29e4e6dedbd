//! The body of an answer that is kept alive.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::Response;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::beat::Beat;
use super::exchange::Exchange;
use crate::error::BoxError;

pin_project! {
    /// The response body of [`SseHeartbeat`](super::SseHeartbeat). `F` is the future of the service, which may
    /// have to go on in it.
    ///
    /// Its error is that of the inner body, or [`SaidGoodbye`](super::SaidGoodbye).
    #[derive(Debug)]
    pub struct SseHeartbeatBody<B, F> {
        #[pin]
        state: State<B, F>,
    }
}

pin_project! {
    #[project = StateProj]
    #[derive(Debug)]
    enum State<B, F> {
        /// There is nothing to keep alive.
        Untouched { #[pin] body: B },
        Beating { #[pin] body: B, beat: Beat },
        /// There is more to it than beats.
        Exchange { exchange: Pin<Box<Exchange<F, B>>> },
        Ended,
    }
}

/// The most that can be taken off the front of a stream: a byte order mark.
const MARK: u64 = 3;

// === impl SseHeartbeatBody ===

impl<B, F> SseHeartbeatBody<B, F> {
    pub(super) const fn untouched(body: B) -> Self {
        Self {
            state: State::Untouched { body },
        }
    }

    /// The body itself, if there is nothing to keep alive.
    pub(crate) fn into_untouched(self) -> Result<B, Self> {
        match self.state {
            State::Untouched { body } => Ok(body),
            state => Err(Self { state }),
        }
    }

    pub(super) const fn beating(body: B, beat: Beat) -> Self {
        Self {
            state: State::Beating { body, beat },
        }
    }

    pub(super) const fn exchange(exchange: Pin<Box<Exchange<F, B>>>) -> Self {
        Self {
            state: State::Exchange { exchange },
        }
    }
}

impl<B, F, E> Body for SseHeartbeatBody<B, F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body<Data: From<Bytes>, Error: Into<BoxError>>,
{
    type Data = B::Data;
    type Error = BoxError;

    #[inline]
    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, BoxError>>> {
        let mut state = self.project().state;
        let last = match state.as_mut().project() {
            StateProj::Untouched { body } => {
                return match body.poll_frame(cx) {
                    Poll::Ready(Some(Ok(frame))) => Poll::Ready(Some(Ok(frame))),
                    Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(error.into()))),
                    Poll::Ready(None) => Poll::Ready(None),
                    Poll::Pending => Poll::Pending,
                };
            }
            StateProj::Beating { mut body, beat } => loop {
                let polled = body.as_mut().poll_frame(cx);
                // By reference, because a frame is large and this is the way of nearly all of them.
                if let Poll::Ready(Some(Ok(frame))) = &polled {
                    if beat.lets_pass(frame) {
                        return polled.map(|frame| Some(frame?.map_err(Into::into)));
                    }
                }
                match polled {
                    Poll::Ready(Some(Ok(frame))) => {
                        if let Some(frame) = beat.front(frame) {
                            return Poll::Ready(Some(Ok(frame)));
                        }
                    }
                    Poll::Ready(Some(Err(error))) => break Some(error.into()),
                    Poll::Ready(None) => break None,
                    Poll::Pending => return beat.poll_due(cx).map(|due| Some(Ok(due.frame()))),
                }
            },
            StateProj::Exchange { exchange } => match ready!(exchange.as_mut().poll_frame(cx)) {
                Some(Ok(frame)) => return Poll::Ready(Some(Ok(frame))),
                Some(Err(error)) => Some(error),
                None => None,
            },
            StateProj::Ended => None,
        };
        state.set(State::Ended);
        Poll::Ready(last.map(Err))
    }

    #[inline]
    fn is_end_stream(&self) -> bool {
        match &self.state {
            State::Untouched { body } | State::Beating { body, .. } => body.is_end_stream(),
            State::Exchange { exchange } => exchange.is_end_stream(),
            State::Ended => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.state {
            State::Untouched { body } => body.size_hint(),
            // Any number of beats may come on top.
            State::Beating { body, .. } => {
                let mut hint = SizeHint::new();
                hint.set_lower(body.size_hint().lower().saturating_sub(MARK));
                hint
            }
            State::Exchange { exchange } => exchange.size_hint(),
            State::Ended => SizeHint::with_exact(0),
        }
    }
}
