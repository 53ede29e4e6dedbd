//! The body of a response that is either the service's own or an answer that a layer gave in its stead.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

pin_project! {
    /// The body of a response under a layer that may answer by itself: the service's, passed on untouched, or a
    /// refusal in one piece.
    pub struct ReplyBody<B> {
        #[pin]
        source: Source<B>,
    }
}

pin_project! {
    #[project = SourceProjection]
    enum Source<B> {
        Inner { #[pin] body: B },
        // `None` once it was given, or where it is empty.
        Reply { bytes: Option<Bytes> },
    }
}

// === impl ReplyBody ===

impl<B> ReplyBody<B> {
    /// The service's own body.
    pub(crate) const fn inner(body: B) -> Self {
        Self {
            source: Source::Inner { body },
        }
    }

    /// The service's own body, out of its layer. An error: it is a layer's answer.
    pub(crate) fn into_inner(self) -> Result<B, Self> {
        match self.source {
            Source::Inner { body } => Ok(body),
            source @ Source::Reply { .. } => Err(Self { source }),
        }
    }

    /// A layer's answer.
    pub(crate) fn reply(bytes: Bytes) -> Self {
        Self {
            source: Source::Reply {
                bytes: (!bytes.is_empty()).then_some(bytes),
            },
        }
    }
}

impl<B> Body for ReplyBody<B>
where
    B: Body,
    B::Data: From<Bytes>,
{
    type Data = B::Data;
    type Error = B::Error;

    #[inline(always)]
    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        match self.project().source.project() {
            SourceProjection::Inner { body } => body.poll_frame(cx),
            SourceProjection::Reply { bytes } => {
                Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes.into()))))
            }
        }
    }

    #[inline(always)]
    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Inner { body } => body.is_end_stream(),
            Source::Reply { bytes } => bytes.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Inner { body } => body.size_hint(),
            Source::Reply { bytes } => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
        }
    }
}

impl<B> fmt::Debug for ReplyBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.source {
            Source::Inner { .. } => "ReplyBody(inner)",
            Source::Reply { .. } => "ReplyBody(reply)",
        })
    }
}

impl<B: Default> Default for ReplyBody<B> {
    fn default() -> Self {
        Self::inner(B::default())
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures::executor::block_on;
    use http::HeaderMap;
    use http_body_util::{BodyExt, Full, StreamBody};

    use super::*;

    #[test]
    fn a_reply_comes_once_and_knows_its_length() {
        let mut body = ReplyBody::<Full<Bytes>>::reply("busy\n".into());
        assert_eq!(body.size_hint().exact(), Some(5));
        assert!(!body.is_end_stream());
        let frame = block_on(body.frame()).unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), "busy\n");
        assert!(body.is_end_stream());
        assert_eq!(body.size_hint().exact(), Some(0));
        assert!(block_on(body.frame()).is_none());
    }

    #[test]
    fn an_empty_reply_has_ended_before_it_is_read() {
        let mut body = ReplyBody::<Full<Bytes>>::reply(Bytes::new());
        assert!(body.is_end_stream());
        assert_eq!(body.size_hint().exact(), Some(0));
        assert!(block_on(body.frame()).is_none());
    }

    #[test]
    fn the_services_body_passes_untouched_with_its_trailers() {
        let full = ReplyBody::inner(Full::new(Bytes::from_static(b"abc")));
        assert_eq!(full.size_hint().exact(), Some(3));
        assert!(!full.is_end_stream());
        assert!(ReplyBody::inner(Full::new(Bytes::new())).is_end_stream());

        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", http::HeaderValue::from_static("0"));
        let frames = [
            Frame::data(Bytes::from_static(b"x")),
            Frame::trailers(trailers.clone()),
        ];
        let stream = futures::stream::iter(frames.map(Ok::<_, Infallible>));
        let collected = block_on(ReplyBody::inner(StreamBody::new(stream)).collect()).unwrap();
        assert_eq!(collected.trailers(), Some(&trailers));
        assert_eq!(collected.to_bytes(), "x");
    }
}
