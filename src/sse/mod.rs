//! The structure of an event stream, and what may be inserted into one.
//!
//! # What it is for
//! A layer that keeps a stream alive or cuts it has to know, for a stream that somebody else writes in chunks of any
//! size: has an event ended, did this chunk carry anything but comments, may something be inserted here, can the client
//! resume. [`Tracker`] answers that without a buffer; [`comment_line`], [`comment_block`] and [`message_event`] build
//! what to insert.
//!
//! # The rules
//! They are those of the WHATWG HTML standard, section 9.2 (9.2.5 how a stream is divided, 9.2.6 what its lines mean).
//! - A line ends with LF, CR or CRLF, in any mixture. Behind a CR one cannot know which until the next byte is there.
//! - One byte order mark (EF BB BF) is taken off the very front of the stream; anywhere else it is a character.
//! - A line that begins with a colon is a comment. A blank line ends the event. Any other line is a field: its name goes
//!   to the first colon or to the line end, and one space behind that colon is not part of the value.
//! - A blank line dispatches an event only if a `data` field, even an empty one, has come since the last blank line.
//!   Otherwise it forgets the event's name and keeps its id.
//! - What is unfinished when the stream ends is discarded.
//!
//! So a comment line changes nothing wherever a line has ended; a blank line or a whole event changes nothing else
//! wherever, beyond that, no field line has come since the last blank line. A comment does not leave an event
//! unfinished: behind a comment line between two events a whole event is legal.
//!
//! # Where it is more careful than the standard
//! - Any field line leaves an event unfinished, even one of which parsers keep nothing (`retry`, unknown names). The
//!   place is then [`LineEnd`](Place::LineEnd), though a parser would take a whole event.
//! - Behind a CR nothing is legal. An LF that follows would be harmless where no event is unfinished, but parsers which
//!   look for whole CRLF pairs exist. A stream whose lines all end with bare CRs therefore has no legal place;
//!   [`before_goodbye`](Tracker::before_goodbye), behind which nothing follows, does know a way out.
//! - Before the first byte the place is [`Start`](Place::Start): a mark that follows an insertion would become part of a
//!   field name and spoil the first line.
//! - [`sent_id`](Tracker::sent_id) counts an `id` from the first byte of its value on.
//!
//! # Bounds
//! The state has two bytes. A chunk is read without allocation, and no byte of it more than a few times; that takes
//! about 0.4 instructions a byte on long lines and 150 to 200 a line on top.
//!
//! # What it does not do
//! It does not decode or check UTF-8: no byte of a longer sequence, broken or whole, can be a line end, so the places
//! are right whatever the text is. Compressed streams mean nothing to it.
//!
//! # Example
//! ```
//! use tower_lifeline::sse::{Place, Tracker, comment_block};
//!
//! let mut tracker = Tracker::new();
//! let mut sent = Vec::new();
//! for chunk in ["data: {\"par", "t\": 1}\r", "\n\r\n", ": note\n"] {
//!     let seen = tracker.feed(chunk.as_bytes());
//!     sent.extend_from_slice(chunk.as_bytes());
//!     if tracker.place() == Place::BetweenEvents {
//!         sent.extend_from_slice(&comment_block("alive"));
//!     }
//!     assert_eq!(seen.events(), chunk == "\n\r\n");
//! }
//! assert_eq!(sent, b"data: {\"part\": 1}\r\n\r\n: alive\n\n: note\n: alive\n\n");
//! assert!(!tracker.sent_id());
//! ```

mod frames;
mod line;
mod scan;
mod tracker;

#[cfg(test)]
mod tests;

pub use self::frames::{comment_block, comment_line, message_event};
pub use self::tracker::{Place, Seen, Sink, Tracker};
