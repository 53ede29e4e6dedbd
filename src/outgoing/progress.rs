//! What counts as progress of whoever sends a response body.

use bytes::Buf;
use http::HeaderMap;

use crate::sse::Tracker;
use crate::{media, peek};

#[derive(Debug)]
pub(super) enum Progress {
    /// Any byte.
    Bytes,
    /// The bytes of events: comments say only that somebody keeps the connection alive.
    Events(Tracker),
}

// === impl Progress ===

impl Progress {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        if media::is_event_stream(headers) {
            Self::Events(Tracker::new())
        } else {
            Self::Bytes
        }
    }

    /// Whether `data` holds progress. It is looked at, not consumed.
    pub(super) fn is_in(&mut self, data: &impl Buf) -> bool {
        if !data.has_remaining() {
            return false;
        }
        let Self::Events(tracker) = self else { return true };
        let mut progress = false;
        if !peek::chunks(data, |chunk| progress |= tracker.feed(chunk).progress()) {
            // The place in the stream is lost, and taking an event for a comment would cut a healthy stream.
            *self = Self::Bytes;
            return true;
        }
        progress
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn comments_are_no_progress_however_the_buffer_is_cut() {
        let text = b": alive\n\n: alive\n\n";
        for at in 1..text.len() {
            let (a, b) = text.split_at(at);
            let mut progress = Progress::Events(Tracker::new());
            let chained = Bytes::copy_from_slice(a).chain(Bytes::copy_from_slice(b));
            assert!(!progress.is_in(&chained), "cut at {at}");
            assert_eq!(chained.remaining(), text.len());
            assert!(progress.is_in(&Bytes::from_static(b"data: x\n\n")));
        }
    }

    #[test]
    fn an_event_in_a_later_piece_is_progress() {
        let mut progress = Progress::Events(Tracker::new());
        assert!(progress.is_in(&Bytes::from_static(b": alive\n").chain(Bytes::from_static(b"data: x\n\n"))));
        assert!(progress.is_in(&Bytes::from_static(b"data: x\n").chain(Bytes::from_static(b": alive\n\n"))));
    }

    #[test]
    fn what_cannot_be_seen_counts_as_progress_from_there_on() {
        let mut progress = Progress::Events(Tracker::new());
        let (seen, hidden) = (Bytes::from_static(b": ali"), Bytes::from_static(b"ve\n\n"));
        assert!(progress.is_in(&OnePieceShown(seen.clone().chain(hidden))));
        assert!(progress.is_in(&seen));
    }

    #[test]
    fn no_byte_is_no_progress() {
        assert!(!Progress::Bytes.is_in(&Bytes::new()));
        assert!(Progress::Bytes.is_in(&Bytes::from_static(b":")));
    }

    /// Leaves `chunks_vectored` as the trait has it, which shows the first piece only.
    struct OnePieceShown<B>(B);

    impl<B: Buf> Buf for OnePieceShown<B> {
        fn remaining(&self) -> usize {
            self.0.remaining()
        }

        fn chunk(&self) -> &[u8] {
            self.0.chunk()
        }

        fn advance(&mut self, _: usize) {
            unreachable!("a look does not consume");
        }
    }
}
