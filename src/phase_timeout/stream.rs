//! What an event stream has said so far, as far as its end depends on it.

use bytes::{Buf, Bytes};

use crate::error::PhaseExpired;
use crate::peek;
use crate::refusal::{self, Reason};
use crate::rpc::{self, CallSlot, Kind, Scanner};
use crate::sse::{self, Sink, Tracker};

/// An event stream, watched as it flows.
#[derive(Debug)]
pub(super) struct EventStream {
    lines: Tracker,
    /// Part of the stream could not be seen, so where it stands is not known.
    is_lost: bool,
    says_goodbye: bool,
    can_resume: bool,
    answer: Option<Box<Answer>>,
}

/// How an event stream is to be ended before its time.
#[derive(Debug)]
pub(super) enum End {
    /// Cleanly: it is between two events, and its client can resume it.
    Resumable,
    /// With this goodbye, then with an error.
    Goodbye(Bytes),
    /// With an error.
    Cut,
}

/// Looks out for the final response of the one call that the stream answers.
#[derive(Debug)]
struct Answer {
    call: CallSlot,
    scanner: Scanner,
    is_final: bool,
}

// === impl EventStream ===

impl EventStream {
    pub(super) fn new(call: Option<CallSlot>, says_goodbye: bool, can_resume: bool) -> Self {
        let answer = call.map(|call| {
            Box::new(Answer {
                call,
                scanner: Scanner::new().with_max_scan(usize::MAX),
                is_final: false,
            })
        });
        Self {
            lines: Tracker::new(),
            is_lost: false,
            says_goodbye,
            can_resume,
            answer,
        }
    }

    /// Reads a frame in passing. True: there was more in it than comments.
    pub(super) fn read(&mut self, data: &impl Buf) -> bool {
        if self.is_lost {
            // Taking an event for a comment would cut a healthy stream.
            return true;
        }
        let Self { lines, answer, .. } = self;
        let mut progress = false;
        let all_seen = peek::chunks(data, |chunk| {
            let seen = match answer.as_deref_mut().filter(|answer| !answer.is_final) {
                Some(answer) => lines.feed_with(chunk, answer),
                None => lines.feed(chunk),
            };
            progress |= seen.progress();
        });
        self.is_lost |= !all_seen;
        progress || !all_seen
    }

    /// Whether more may come than the producer has to say.
    pub(super) const fn may_say_goodbye(&self) -> bool {
        self.says_goodbye
    }

    /// How the stream may end here and now.
    pub(super) fn end(&self, expired: PhaseExpired) -> End {
        if self.is_lost {
            return End::Cut;
        }
        let Some(before) = self.lines.before_goodbye() else {
            return End::Cut;
        };
        if self.can_resume && self.lines.sent_id() {
            return End::Resumable;
        }
        if !self.says_goodbye || self.answer.as_ref().is_some_and(|answer| answer.is_final) {
            return End::Cut;
        }
        let call = self.answer.as_ref().and_then(|answer| answer.call.call());
        let reason = Reason::PhaseExpired(expired);
        let goodbye = match call.and_then(rpc::Message::request_id) {
            Some(id) => sse::message_event(refusal::json_rpc_error(id, reason), None),
            None => sse::comment_block(reason.sentence().as_ref()),
        };
        End::Goodbye(if before.is_empty() {
            goodbye
        } else {
            [before, &goodbye].concat().into()
        })
    }
}

// === impl Answer ===

impl Sink for Answer {
    fn data(&mut self, bytes: &[u8]) {
        self.scanner.feed(bytes);
    }

    fn data_line_end(&mut self) {
        self.scanner.feed(b"\n");
    }

    fn event_end(&mut self) {
        self.is_final |= self
            .scanner
            .finish()
            .is_some_and(|message| message.kind() == Kind::Response);
        self.scanner.reset();
    }
}
