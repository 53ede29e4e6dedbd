//! How a stream ends before its time: one that agreed to it when the server shuts down, and a committed one whose
//! service fails.

use bytes::{Buf, Bytes};
use http_body::Frame;

use super::beat::Beat;
use super::farewells::{Guest, SaidGoodbye};
use super::late::error_event;
use super::position::Position;
use super::progress::Spoken;
use crate::event::{Lost, Outcome};
use crate::rpc::{self, Id, Kind, Scanner};
use crate::sse::{self, Sink};

/// What a stream has to know to end before its time.
#[derive(Debug)]
pub(super) struct Parting {
    /// Where goodbye is said, if the stream agreed to it.
    pub(super) guest: Option<Guest>,
    /// Goodbye was said, and a frame has gone out since.
    pub(super) is_leaving: bool,
    can_resume: bool,
    answer: Answer,
}

/// Looks out for the final response of the call that the stream answers.
#[derive(Debug)]
struct Answer {
    scanner: Scanner,
    is_final: bool,
}

/// Two who listen to the same stream.
struct Both<'a>(&'a mut Answer, &'a mut Spoken);

/// What a goodbye means to a stream here and now.
#[derive(Debug)]
pub(super) enum Goodbye {
    /// Not yet: an event is unfinished.
    Later,
    /// Nothing: the answer is given, and what is left is for the producer to say.
    Needless,
    /// A clean end: the client comes back for the rest.
    End,
    /// This, then an error.
    Say(Bytes),
}

/// From the range that MCP leaves to implementations, as the codes of refusals are.
const SHUTTING_DOWN: i32 = -32003;

// === impl Parting ===

impl Parting {
    pub(super) fn new(guest: Option<Guest>, can_resume: bool) -> Self {
        Self {
            guest,
            is_leaving: false,
            can_resume,
            answer: Answer {
                // A result may be larger than any request.
                scanner: Scanner::new().with_max_scan(usize::MAX),
                is_final: false,
            },
        }
    }

    /// Reads a frame, as [`Beat::reads`] does.
    pub(super) fn reads<D: Buf + From<Bytes>>(
        &mut self,
        beat: &mut Beat,
        frame: &mut Frame<D>,
        spoken: &mut Spoken,
    ) -> Option<bool> {
        self.is_leaving = self.guest.as_mut().is_some_and(Guest::is_said);
        beat.reads(frame, &mut Both(&mut self.answer, spoken))
    }

    /// What goes out at `position` in the stead of an answer that will not come, to the request with this `id`.
    /// `None`: it came, or nothing can be said here.
    pub(super) fn fail(&self, position: &Position, id: &Id) -> Option<Bytes> {
        let before = position.before_goodbye().filter(|_| !self.answer.is_final)?;
        Some([before, &error_event(Some(id), Lost::BodyFailed)].concat().into())
    }

    /// Ends the stream at `position`, which answers the request with this `id`, if any.
    pub(super) fn say(&self, position: &Position, id: Option<&Id>) -> Goodbye {
        if self.answer.is_final {
            return Goodbye::Needless;
        }
        let Some(before) = position.before_goodbye() else {
            return Goodbye::Later;
        };
        if self.can_resume && position.is_resumable() {
            return Goodbye::End;
        }
        let sentence = SaidGoodbye.to_string();
        let goodbye = match id {
            Some(id) => {
                let data = Some("{\"reason\":\"shutting_down\"}");
                sse::message_event(rpc::error_message(id, SHUTTING_DOWN, &sentence, data), None)
            }
            None => sse::comment_block(sentence),
        };
        Goodbye::Say(if before.is_empty() {
            goodbye
        } else {
            [before, &goodbye].concat().into()
        })
    }
}

impl Goodbye {
    pub(super) const fn outcome(&self) -> Option<Outcome> {
        match self {
            Self::Later | Self::Needless => None,
            Self::End => Some(Outcome::EndedResumable),
            Self::Say(_) => Some(Outcome::SaidGoodbye),
        }
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
        self.is_final |= self.scanner.kind() == Some(Kind::Response);
        self.scanner.reset();
    }
}

// === impl Both ===

impl Sink for Both<'_> {
    fn data(&mut self, bytes: &[u8]) {
        self.0.data(bytes);
        self.1.data(bytes);
    }

    fn data_line_end(&mut self) {
        self.0.data_line_end();
    }

    fn event_end(&mut self) {
        self.0.event_end();
    }
}
