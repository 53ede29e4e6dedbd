//! `OutgoingBody`: holds a response body to its clocks.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Buf;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::error::OutgoingError;
use super::progress::Progress;
use crate::error::BoxError;
use crate::error::PhaseExpired;
use crate::event::Outcome;
use crate::phase::{BYTES_BETWEEN_LOOKS, Endless};
use crate::watch::{BodyWatch, HeadWatch};

pin_project! {
    /// A response body whose `read` and `total` phases are limited; see the [module docs](super).
    ///
    /// Once a phase has run out it yields one [`OutgoingError::Expired`] and ends. The client's body is dropped
    /// in that moment, which resets an HTTP/2 stream and closes an HTTP/1 connection.
    #[derive(Debug)]
    pub struct OutgoingBody<B> {
        #[pin]
        state: State<B>,
    }
}

pin_project! {
    #[project = StateProj]
    #[project_replace = StateOwned]
    #[derive(Debug)]
    enum State<B> {
        Untouched {
            #[pin]
            body: B,
        },
        Watched {
            #[pin]
            body: B,
            watch: BodyWatch,
            progress: Progress,
        },
        // The last frame that was in time is with the reader, and the error is due.
        Expired {
            expired: PhaseExpired,
            watch: BodyWatch,
        },
        Ended,
    }
}

// === impl OutgoingBody ===

impl<B: Body> OutgoingBody<B> {
    pub(super) fn new(body: B, headers: &HeaderMap, watch: HeadWatch) -> Self {
        if body.is_end_stream() {
            return Self::untouched(body);
        }
        let small = body
            .size_hint()
            .exact()
            .is_some_and(|size| size <= BYTES_BETWEEN_LOOKS.into());
        let watch = watch.into_body(Endless::No, small);
        if watch.is_idle() {
            return Self::untouched(body);
        }
        Self {
            state: State::Watched {
                body,
                watch,
                progress: Progress::of(headers),
            },
        }
    }

    pub(super) const fn untouched(body: B) -> Self {
        Self {
            state: State::Untouched { body },
        }
    }
}

impl<B> Body for OutgoingBody<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    type Data = B::Data;
    type Error = OutgoingError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let mut state = self.project().state;
        let (polled, expired) = match state.as_mut().project() {
            StateProj::Untouched { body } => (body.poll_frame(cx), None),
            StateProj::Watched {
                mut body,
                watch,
                progress,
            } => match body.as_mut().poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    let is_due = frame
                        .data_ref()
                        .is_some_and(|data| watch.frame(data.remaining(), progress.is_in(data)));
                    // A body that is complete was in time.
                    let late = if is_due { watch.look() } else { None };
                    let expired = late.filter(|_| !body.is_end_stream());
                    (Poll::Ready(Some(Ok(frame))), expired)
                }
                Poll::Pending => match watch.poll_expired(cx) {
                    Poll::Ready(expired) => (Poll::Pending, Some(expired)),
                    Poll::Pending => (Poll::Pending, None),
                },
                ended => (ended, None),
            },
            StateProj::Expired { expired, .. } => (Poll::Pending, Some(*expired)),
            StateProj::Ended => return Poll::Ready(None),
        };
        match (polled, expired) {
            (Poll::Ready(Some(Ok(frame))), None) => Poll::Ready(Some(Ok(frame))),
            (Poll::Ready(Some(Ok(frame))), Some(expired)) => {
                if let StateOwned::Watched { watch, .. } = state.as_mut().project_replace(State::Ended) {
                    state.set(State::Expired { expired, watch });
                }
                Poll::Ready(Some(Ok(frame)))
            }
            (Poll::Ready(Some(Err(error))), _) => {
                state.set(State::Ended);
                Poll::Ready(Some(Err(OutgoingError::from_service(error))))
            }
            (Poll::Ready(None), _) => {
                state.set(State::Ended);
                Poll::Ready(None)
            }
            (Poll::Pending, None) => Poll::Pending,
            (Poll::Pending, Some(expired)) => {
                // The client's body is gone before anybody hears of it.
                match state.project_replace(State::Ended) {
                    StateOwned::Watched { watch, .. } | StateOwned::Expired { watch, .. } => {
                        watch.report(expired, Outcome::Failed);
                    }
                    _ => {}
                }
                Poll::Ready(Some(Err(OutgoingError::Expired(expired))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.state {
            State::Untouched { body } | State::Watched { body, .. } => body.is_end_stream(),
            State::Expired { .. } => false,
            State::Ended => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.state {
            State::Untouched { body } | State::Watched { body, .. } => body.size_hint(),
            State::Expired { .. } => SizeHint::default(),
            State::Ended => SizeHint::with_exact(0),
        }
    }
}
