//! One request and its answer, from the call of the service to the end of the body.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::Buf;
use http::Response;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::connection::{Connection, InUse};
use super::piece::{PIECE, Piece};
use super::stream::Stream;
use crate::cut::{Cutter, Turn};
use crate::slow_client::{SlowClient, SlowClientLimits, Slowness};

/// Ends one exchange: a stream, or the connection that has no streams.
#[derive(Debug)]
pub(super) enum Exchange {
    Http1 {
        connection: Arc<Connection>,
        /// Which of its requests.
        number: u32,
    },
    Http2 {
        connection: Arc<Connection>,
        stream: Arc<Stream>,
    },
}

/// A request is in progress for as long as this lives.
#[derive(Debug)]
pub(super) struct InProgress(InUse);

pin_project! {
    /// The response future of the server's own wrapping.
    #[derive(Debug)]
    pub(super) struct Answer<F> {
        #[pin]
        inner: F,
        progress: Option<InProgress>,
        stream: Option<Arc<Stream>>,
    }
}

pin_project! {
    /// The response body of the server's own wrapping.
    ///
    /// Over HTTP/2 it hands out large frames in pieces: hyper gives a frame to the connection as a whole as soon as
    /// there is room for one byte of it, and with the last one forgets the stream.
    pub(super) struct AnswerBody<B>
    where
        B: Body,
    {
        #[pin]
        inner: B,
        // What is left of a frame.
        rest: Option<B::Data>,
        progress: Option<InProgress>,
        // Over HTTP/2.
        stream: Option<Arc<Stream>>,
    }
}

// === impl Exchange ===

impl Cutter for Exchange {
    fn turn(&self, slow: &SlowClient, limits: &SlowClientLimits, now: Instant) -> Turn {
        match self {
            // Buffers hide from the body what the peer takes of them.
            Self::Http1 { connection, .. }
                if slow.slowness() == Slowness::Stalled
                    && connection
                        .peer_idle(now)
                        .is_some_and(|idle| idle < limits.stall()) =>
            {
                Turn::Later
            }
            Self::Http1 { .. } => Turn::Now,
            // The pieces of one frame are no frames to the body.
            Self::Http2 { connection, stream } if connection.has_moved(stream.moved(), limits.stall()) => {
                Turn::Later
            }
            Self::Http2 { connection, stream } => {
                let taken = slow.taken().saturating_sub(stream.left());
                connection.turn(Arc::as_ptr(stream) as usize as u64, taken, now)
            }
        }
    }

    fn cut(&self) {
        match self {
            Self::Http1 { connection, number } => connection.reset_request(*number),
            Self::Http2 { stream, .. } => stream.cut(),
        }
    }

    fn is_of_serve(&self) -> bool {
        true
    }
}

// === impl InProgress ===

impl InProgress {
    pub(super) const fn new(in_use: InUse) -> Self {
        Self(in_use)
    }
}

impl Drop for InProgress {
    fn drop(&mut self) {
        self.0.connection().request_ends();
    }
}

// === impl Answer ===

impl<F> Answer<F> {
    /// `stream`: over HTTP/2.
    pub(super) const fn new(inner: F, progress: InProgress, stream: Option<Arc<Stream>>) -> Self {
        Self {
            inner,
            progress: Some(progress),
            stream,
        }
    }
}

impl<F, B, E> Future for Answer<F>
where
    B: Body,
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<AnswerBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let answer = ready!(this.inner.poll(cx));
        let (progress, stream) = (this.progress.take(), this.stream.take());
        Poll::Ready(answer.map(|response| {
            response.map(|inner| AnswerBody {
                inner,
                rest: None,
                progress,
                stream,
            })
        }))
    }
}

// === impl AnswerBody ===

impl<B: Body> Body for AnswerBody<B> {
    type Data = Piece<B::Data>;
    type Error = B::Error;

    #[inline]
    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Piece<B::Data>>, B::Error>>> {
        let this = self.project();
        let connection = this.progress.as_ref().map(|progress| progress.0.connection());
        if let (Some(data), Some(stream)) = (this.rest.take(), &*this.stream) {
            let (piece, left) = Piece::first_of(data);
            *this.rest = left;
            if let Some(connection) = connection {
                connection.frame_taken();
                stream.moves(connection.looks(), this.rest.as_ref().map_or(0, Buf::remaining));
            }
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        let polled = ready!(this.inner.poll_frame(cx));
        match (&polled, connection) {
            (Some(Ok(_)), Some(connection)) => connection.frame_taken(),
            (Some(Err(_)), Some(connection)) => connection.answer_failed(),
            _ => {}
        }
        let Some(stream) = this.stream else {
            return Poll::Ready(polled.map(|frame| frame.map(|frame| frame.map_data(Piece::Whole))));
        };
        let frame = match polled {
            Some(Ok(frame)) => frame,
            Some(Err(error)) => return Poll::Ready(Some(Err(error))),
            None => return Poll::Ready(None),
        };
        Poll::Ready(Some(Ok(frame.map_data(|data| {
            if data.remaining() <= PIECE {
                return Piece::Whole(data);
            }
            let (piece, left) = Piece::first_of(data);
            *this.rest = left;
            stream.holds_back(this.rest.as_ref().map_or(0, Buf::remaining));
            piece
        }))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_none() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let inner = self.inner.size_hint();
        let rest = self.rest.as_ref().map_or(0, Buf::remaining) as u64;
        if rest == 0 {
            return inner;
        }
        let mut hint = SizeHint::new();
        hint.set_lower(inner.lower().saturating_add(rest));
        if let Some(upper) = inner.upper().and_then(|upper| upper.checked_add(rest)) {
            hint.set_upper(upper);
        }
        hint
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::convert::Infallible;
    use std::task::Waker;

    use bytes::Bytes;
    use http::HeaderMap;

    use super::*;

    /// Frames that are at hand.
    struct Frames(VecDeque<Frame<Bytes>>);

    impl Body for Frames {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Ready(self.0.pop_front().map(Ok))
        }

        fn is_end_stream(&self) -> bool {
            self.0.is_empty()
        }

        fn size_hint(&self) -> SizeHint {
            let data = self.0.iter().filter_map(Frame::data_ref);
            SizeHint::with_exact(data.map(|data| data.len() as u64).sum())
        }
    }

    fn answer(
        frames: impl IntoIterator<Item = Frame<Bytes>>,
        stream: Option<Arc<Stream>>,
    ) -> AnswerBody<Frames> {
        AnswerBody {
            inner: Frames(frames.into_iter().collect()),
            rest: None,
            progress: None,
            stream,
        }
    }

    /// All that comes, with what was said of the rest at each frame: the lengths of data, and none for trailers.
    fn all(mut body: AnswerBody<Frames>) -> (Vec<u8>, Vec<Option<usize>>) {
        let mut cx = Context::from_waker(Waker::noop());
        let (mut bytes, mut lengths) = (Vec::new(), Vec::new());
        loop {
            let (left, was_end) = (body.size_hint().exact().unwrap(), body.is_end_stream());
            let Poll::Ready(frame) = Pin::new(&mut body).poll_frame(&mut cx) else {
                panic!("it is at hand");
            };
            assert_eq!(frame.is_none(), was_end);
            let Some(Ok(frame)) = frame else {
                return (bytes, lengths);
            };
            match frame.into_data() {
                Ok(mut piece) => {
                    let length = piece.remaining();
                    assert_eq!(body.size_hint().exact(), Some(left - length as u64));
                    bytes.extend_from_slice(&piece.copy_to_bytes(length));
                    lengths.push(Some(length));
                }
                Err(_) => lengths.push(None),
            }
        }
    }

    #[test]
    fn large_frames_become_pieces_over_http2_and_nothing_is_lost() {
        let large: Bytes = (0..PIECE * 2 + 5).map(|n| n as u8).collect();
        let small = Bytes::from_static(b"small");
        let frames = || {
            [
                Frame::data(small.clone()),
                Frame::data(large.clone()),
                Frame::data(Bytes::new()),
                Frame::data(large.slice(..PIECE)),
                Frame::trailers(HeaderMap::new()),
            ]
        };
        let whole = [&small[..], &large[..], &large[..PIECE]].concat();
        let (bytes, lengths) = all(answer(frames(), Some(Arc::default())));
        assert_eq!(bytes, whole);
        assert_eq!(
            lengths,
            [
                Some(5),
                Some(PIECE),
                Some(PIECE),
                Some(5),
                Some(0),
                Some(PIECE),
                None
            ]
        );
        let (bytes, lengths) = all(answer(frames(), None));
        assert_eq!(bytes, whole);
        assert_eq!(lengths, [Some(5), Some(large.len()), Some(0), Some(PIECE), None]);
    }
}
