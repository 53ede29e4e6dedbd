//! The body of an answer whose phases are limited.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::farewell::Farewell;
use super::policy::Grace;
use super::stream::{End, EventStream};
use crate::error::{BoxError, PhaseExpired};
use crate::event::Outcome;
use crate::reply::ReplyBody;
use crate::watch::BodyWatch;

pin_project! {
    /// The response body of [`PhaseTimeout`](super::PhaseTimeout).
    ///
    /// Its error is that of the inner body, or [`PhaseExpired`](crate::PhaseExpired).
    #[derive(Debug)]
    pub struct PhaseTimeoutBody<B> {
        #[pin]
        state: State<B>,
    }
}

pin_project! {
    #[project = StateProj]
    #[project_replace = StateOwned]
    #[derive(Debug)]
    enum State<B> {
        /// There is nothing to watch over: an answer that needs no limit, or a refusal.
        Unwatched { #[pin] body: ReplyBody<B> },
        Watched { #[pin] inner: B, watch: BodyWatch, stream: Option<EventStream>, grace: Grace },
        /// The producer is gone, and this is left to say.
        Goodbye { text: Bytes, expired: PhaseExpired, grace: Grace },
        /// It has been said, and hyper flushes it.
        Grace { farewell: Farewell },
        /// The producer is gone, and this is the error.
        Cut { expired: PhaseExpired },
        Ended,
    }
}

// === impl PhaseTimeoutBody ===

impl<B> PhaseTimeoutBody<B> {
    pub(super) const fn untouched(inner: B) -> Self {
        Self {
            state: State::Unwatched {
                body: ReplyBody::inner(inner),
            },
        }
    }

    pub(super) const fn watched(
        inner: B,
        watch: BodyWatch,
        stream: Option<EventStream>,
        grace: Grace,
    ) -> Self {
        Self {
            state: State::Watched {
                inner,
                watch,
                stream,
                grace,
            },
        }
    }

    pub(super) fn refusal(text: Bytes) -> Self {
        Self {
            state: State::Unwatched {
                body: ReplyBody::reply(text),
            },
        }
    }
}

impl<B> Body for PhaseTimeoutBody<B>
where
    B: Body<Data: From<Bytes>, Error: Into<BoxError>>,
{
    type Data = B::Data;
    type Error = BoxError;

    #[inline(always)]
    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, BoxError>>> {
        let mut state = self.project().state;
        match state.as_mut().project() {
            StateProj::Unwatched { body } => {
                return body.poll_frame(cx).map(|frame| Some(frame?.map_err(Into::into)));
            }
            StateProj::Watched {
                mut inner,
                watch,
                stream,
                ..
            } => {
                match inner.as_mut().poll_frame(cx) {
                    Poll::Ready(Some(Ok(frame))) => {
                        // Trailers are the last of it.
                        let is_due = frame.data_ref().is_some_and(|data| {
                            watch.frame(data.remaining(), is_progress(data, stream.as_mut()))
                        });
                        if is_due {
                            let late = watch.look();
                            // What is here still goes out; if it was the last of it, all was in time.
                            if let Some(expired) = late.filter(|_| !inner.is_end_stream()) {
                                cut(state, expired);
                            }
                        }
                        return Poll::Ready(Some(Ok(frame)));
                    }
                    Poll::Ready(end) => {
                        state.set(State::Ended);
                        return Poll::Ready(end.map(|frame| frame.map_err(Into::into)));
                    }
                    Poll::Pending => {
                        let expired = ready!(watch.poll_expired(cx));
                        cut(state.as_mut(), expired);
                    }
                }
            }
            _ => {}
        }
        state.poll_end(cx)
    }

    #[inline(always)]
    fn is_end_stream(&self) -> bool {
        match &self.state {
            State::Unwatched { body } => body.is_end_stream(),
            State::Watched { inner, .. } => inner.is_end_stream(),
            State::Goodbye { .. } | State::Grace { .. } | State::Cut { .. } => false,
            State::Ended => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.state {
            State::Unwatched { body } => body.size_hint(),
            State::Watched { inner, stream, .. } => match stream {
                // A goodbye may come on top of what the producer means to say.
                Some(stream) if stream.may_say_goodbye() => at_least(inner.size_hint().lower()),
                _ => inner.size_hint(),
            },
            State::Goodbye { text, .. } => at_least(text.len() as u64),
            State::Grace { .. } | State::Cut { .. } => SizeHint::new(),
            State::Ended => SizeHint::with_exact(0),
        }
    }
}

impl<B> State<B>
where
    B: Body<Data: From<Bytes>>,
{
    /// What is said once the producer is gone.
    #[cold]
    fn poll_end(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, BoxError>>> {
        loop {
            match self.as_mut().project() {
                StateProj::Goodbye { text, expired, grace } => {
                    let text = std::mem::take(text);
                    let farewell = Farewell::new(*expired, *grace);
                    self.set(Self::Grace { farewell });
                    return Poll::Ready(Some(Ok(Frame::data(text.into()))));
                }
                StateProj::Grace { farewell } => {
                    let expired = ready!(farewell.poll(cx));
                    self.set(Self::Cut { expired });
                }
                StateProj::Cut { expired } => {
                    let expired = *expired;
                    self.set(Self::Ended);
                    return Poll::Ready(Some(Err(expired.into())));
                }
                StateProj::Unwatched { .. } | StateProj::Watched { .. } | StateProj::Ended => {
                    return Poll::Ready(None);
                }
            }
        }
    }
}

/// Whether there is progress of the producer in it.
fn is_progress(data: &impl Buf, stream: Option<&mut EventStream>) -> bool {
    match stream {
        Some(stream) => stream.read(data),
        None => data.has_remaining(),
    }
}

/// Ends a body whose time is up.
#[cold]
#[inline(never)]
fn cut<B>(mut state: Pin<&mut State<B>>, expired: PhaseExpired) {
    let StateProj::Watched { stream, grace, .. } = state.as_mut().project() else {
        return;
    };
    let grace = *grace;
    let (outcome, next) = match stream.as_ref().map(|stream| stream.end(expired)) {
        Some(End::Resumable) => (Outcome::EndedResumable, State::Ended),
        Some(End::Goodbye(text)) => (Outcome::SaidGoodbye, State::Goodbye { text, expired, grace }),
        // What the stream said last may not be flushed yet either.
        Some(End::Cut) => (
            Outcome::Cut,
            State::Grace {
                farewell: Farewell::new(expired, grace),
            },
        ),
        None => (Outcome::Cut, State::Cut { expired }),
    };
    // The producer is gone before anybody hears of it.
    if let StateOwned::Watched { watch, .. } = state.project_replace(next) {
        watch.report(expired, outcome);
    }
}

fn at_least(bytes: u64) -> SizeHint {
    let mut hint = SizeHint::new();
    hint.set_lower(bytes);
    hint
}
