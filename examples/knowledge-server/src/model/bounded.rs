//! An event stream whose events have an end to their size, before somebody collects one in memory.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures::Stream;

use super::error::ModelError;

/// The chunks of an event stream, until an event grows beyond the limit.
#[derive(Debug)]
pub(super) struct Bounded<S> {
    inner: S,
    limit: usize,
    /// The bytes of the event so far.
    event: usize,
    /// Whether the line so far is empty.
    at_start: bool,
}

// === impl Bounded ===

impl<S> Bounded<S> {
    pub(super) const fn new(inner: S, limit: usize) -> Self {
        Self {
            inner,
            limit,
            event: 0,
            at_start: true,
        }
    }

    /// Whether all events stay within the limit, `chunk` included.
    fn takes(&mut self, chunk: &[u8]) -> bool {
        for byte in chunk {
            match byte {
                // An empty line ends an event; a line may end with either or both.
                b'\n' | b'\r' if self.at_start => self.event = 0,
                b'\n' | b'\r' => self.at_start = true,
                _ => self.at_start = false,
            }
            self.event += 1;
            if self.event > self.limit {
                return false;
            }
        }
        true
    }
}

impl<S> Stream for Bounded<S>
where
    S: Stream<Item = reqwest::Result<Bytes>> + Unpin,
{
    type Item = Result<Bytes, ModelError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let chunk = ready!(Pin::new(&mut self.inner).poll_next(cx));
        Poll::Ready(chunk.map(|chunk| {
            let chunk = chunk.map_err(|error| ModelError::of_body(&error))?;
            match self.takes(&chunk) {
                true => Ok(chunk),
                false => Err(ModelError::Garbage(format!(
                    "one of its lines is longer than {} bytes",
                    self.limit
                ))),
            }
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn takes(limit: usize, chunks: &[&str]) -> bool {
        let mut bounded = Bounded::new((), limit);
        chunks.iter().all(|chunk| bounded.takes(chunk.as_bytes()))
    }

    #[test]
    fn events_are_counted_and_streams_are_not() {
        for end in ["\n\n", "\r\n\r\n", "\r\r"] {
            let event = format!("data: 12{end}");
            assert!(takes(13, &[event.as_str(); 1000]), "{end:?}");
            assert!(!takes(7, &[event.as_str(); 2]), "{end:?}");
        }
        assert!(takes(4, &[":\n\n"; 1000]));
        assert!(!takes(100, &["data: and so on"; 7]));
        assert!(!takes(100, &["data: 123456\n"; 8]), "many lines are one event");
    }
}
