//! The body of a request.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::connection::InUse;
use super::stream::{Stream, Upload, lock};
use crate::error::BoxError;

/// The body of a request that [`serve`](super::serve()) has received.
///
/// Its connection is in use for as long as there is more of it and somebody has it, be the answer over or not. Over
/// HTTP/2 it ends with an error when its stream is cut, whoever has it: else the stream could not be reset.
pub struct RequestBody {
    from: From,
    in_use: Option<InUse>,
}

enum From {
    Connection(Incoming),
    Stream(Arc<Stream>),
}

type Polled = Poll<Option<hyper::Result<Frame<Bytes>>>>;

/// The stream was cut.
#[derive(Debug)]
struct Cut;

// === impl RequestBody ===

impl RequestBody {
    pub(super) const fn of_connection(body: Incoming, in_use: Option<InUse>) -> Self {
        let from = From::Connection(body);
        Self { from, in_use }
    }

    pub(super) fn of_stream(body: Incoming, stream: Arc<Stream>, in_use: Option<InUse>) -> Self {
        lock(&stream.upload).body = Some(body);
        let from = From::Stream(stream);
        Self { from, in_use }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Self { from, in_use } = self.get_mut();
        let (polled, is_over) = match from {
            From::Connection(body) => {
                let polled = Pin::new(&mut *body).poll_frame(cx);
                let is_over = is_over(body, &polled);
                (polled, is_over)
            }
            From::Stream(stream) => {
                let mut upload = lock(&stream.upload);
                let Upload { body, reader } = &mut *upload;
                let Some(body) = body else {
                    return Poll::Ready(in_use.take().map(|_| Err(Cut.into())));
                };
                let polled = Pin::new(&mut *body).poll_frame(cx);
                let is_over = is_over(body, &polled);
                if polled.is_pending() {
                    reader.wait(cx);
                }
                (polled, is_over)
            }
        };
        if is_over {
            *in_use = None;
        }
        polled.map_err(Into::into)
    }

    fn is_end_stream(&self) -> bool {
        match &self.from {
            From::Connection(body) => body.is_end_stream(),
            From::Stream(stream) => match &lock(&stream.upload).body {
                Some(body) => body.is_end_stream(),
                None => self.in_use.is_none(),
            },
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.from {
            From::Connection(body) => body.size_hint(),
            From::Stream(stream) => match &lock(&stream.upload).body {
                Some(body) => body.size_hint(),
                None => SizeHint::new(),
            },
        }
    }
}

/// Whether that was all: hyper may not say the end until there is another request.
fn is_over(body: &Incoming, polled: &Polled) -> bool {
    match polled {
        Poll::Pending => false,
        Poll::Ready(Some(Ok(_))) => body.is_end_stream(),
        Poll::Ready(_) => true,
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        if let From::Stream(stream) = &self.from {
            let body = std::mem::take(&mut *lock(&stream.upload));
            drop(body);
        }
    }
}

impl fmt::Debug for RequestBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestBody").finish_non_exhaustive()
    }
}

// === impl Cut ===

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the stream was cut, since its client does not take the answer")
    }
}

impl std::error::Error for Cut {}
