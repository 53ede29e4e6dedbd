//! What is decided while a stream is waited for and while it flows.

use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http::Response;
use http_body::{Body, Frame};

use super::super::beat::Beat;
use super::super::candidate::{Asker, Candidate, Standing};
use super::super::late::{Gather, Late, error_event};
use super::super::parting::{Goodbye, Parting};
use super::super::plan::lost_headers;
use super::super::progress::{Spoken, Talk};
use super::{Stage, Then};
use crate::clock::now;
use crate::event::{Event, Lost};
use crate::rpc::{CallSlot, Id, Message};

/// Everything but what is pinned.
#[derive(Debug)]
pub(super) struct Talks {
    pub(super) beat: Beat,
    pub(super) asker: Asker,
    pub(super) candidate: Option<Candidate>,
    pub(super) progress: Option<Talk>,
    pub(super) parting: Option<Box<Parting>>,
}

// === impl Talks ===

impl Talks {
    fn call(&self) -> Option<&Message> {
        self.asker.call.as_ref()?.call()
    }

    fn id(&self) -> Option<&Id> {
        self.call()?.request_id()
    }

    fn report(&self, event: &Event) {
        self.beat.plan.report(event);
    }

    /// The stream begins.
    pub(super) fn begin(&mut self) {
        let plan = &self.beat.plan;
        self.progress = plan
            .progress
            .as_ref()
            .and_then(|progress| progress.talk(self.call()?));
        let guest = plan.settings.goodbye.then(|| plan.farewells.guest());
        self.parting = (guest.is_some() || self.candidate.is_some())
            .then(|| Box::new(Parting::new(guest, self.asker.can_resume)));
    }

    /// Ready once the service is late and the request is one that may be answered without it.
    pub(super) fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(candidate) = &mut self.candidate else {
            return Poll::Pending;
        };
        let after = self.beat.plan.settings.commit_after();
        loop {
            if candidate.since.is_some() {
                let call = self.asker.call.as_ref().and_then(CallSlot::call);
                match candidate.standing(call) {
                    Standing::Eligible => break,
                    Standing::Never => {
                        self.candidate = None;
                        return Poll::Pending;
                    }
                    // Whoever reads the body may do so in a task of its own, which does not wake this one.
                    Standing::Unknown => {}
                }
            }
            let waited = ready!(self.beat.poll_silence(after, cx));
            self.beat.end_silence();
            candidate.since = candidate.since.or_else(|| now().checked_sub(waited));
        }
        self.beat.end_silence();
        let waited = candidate
            .since
            .map_or(after, |since| now().saturating_duration_since(since));
        self.beat.plan.report(&Event::CommittedEarly { waited });
        Poll::Ready(())
    }

    /// The late answer takes the place of the service's future.
    pub(super) fn splice<F, B: Body, E>(&mut self, answer: Result<Response<B>, E>) -> Stage<F, B> {
        let Ok(response) = answer else {
            return self.last(Err(Lost::ServiceError));
        };
        let (head, body) = response.into_parts();
        match lost_headers(&head.headers) {
            0 => {}
            count => self.report(&Event::CommitLost {
                lost: Lost::Headers(count),
            }),
        }
        let limit = self.beat.plan.settings.max_late_body();
        let (size, is_empty) = (body.size_hint().lower(), body.is_end_stream());
        match Late::of(head.status, &head.headers, size, is_empty, self.id(), limit) {
            Late::Stream => {
                if head.status != http::StatusCode::OK {
                    self.report(&Event::CommitLost {
                        lost: Lost::Status(head.status.as_u16()),
                    });
                }
                Stage::Stream { body }
            }
            Late::Whole(gather) => {
                // The answer is here, so there is nothing to say in its stead.
                (self.progress, self.parting) = (None, None);
                Stage::Whole { body, gather }
            }
            Late::Lost(lost) => self.last(Err(lost)),
            Late::Nothing => Stage::Ended,
        }
    }

    /// Takes a frame of a body that is to become one event. `Some`: and that was all.
    pub(super) fn gather<F, B: Body, E>(
        &self,
        gather: &mut Gather,
        frame: Option<Result<Frame<B::Data>, E>>,
    ) -> Option<Stage<F, B>> {
        let end = match frame {
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => Err(gather.take(data).err()?),
                Err(_) => return None,
            },
            Some(Err(_)) => Err(gather.broken()),
            None => gather.finish(self.id()),
        };
        Some(self.last(end))
    }

    /// One event is left to say: what the answer became, or that it was lost.
    fn last<F, B>(&self, end: Result<(Bytes, Option<Lost>), Lost>) -> Stage<F, B> {
        let (event, lost) = match end {
            Ok(end) => end,
            Err(lost) => (error_event(self.id(), lost), Some(lost)),
        };
        if let Some(lost) = lost {
            self.report(&Event::CommitLost { lost });
        }
        Stage::Last {
            event,
            then: Then::End,
        }
    }

    /// Takes notice of a frame of the service's. False: it is held back for good.
    pub(super) fn lets_pass<D: Buf + From<Bytes>>(&mut self, frame: &mut Frame<D>) -> bool {
        let mut spoken = Spoken::default();
        let read = match &mut self.parting {
            Some(parting) => parting.reads(&mut self.beat, frame, &mut spoken),
            None if self.progress.is_some() => self.beat.reads(frame, &mut spoken),
            None if self.beat.lets_pass(frame) => return true,
            None => return self.beat.reads(frame, &mut ()).is_some(),
        };
        if spoken.0 || read == Some(false) {
            self.progress = None;
        }
        read.is_some()
    }

    /// Whether goodbye was said, and a frame has gone out since: what was there already went first.
    pub(super) fn is_leaving(&self) -> bool {
        self.parting.as_ref().is_some_and(|parting| parting.is_leaving)
    }

    /// The late stream broke off. `Some`: without an answer, so that this goes out in its stead.
    pub(super) fn failed<F, B>(&mut self) -> Option<Stage<F, B>> {
        self.candidate.as_ref()?;
        let parting = self.parting.take()?;
        let event = parting.fail(self.beat.position(), self.id()?)?;
        self.report(&Event::CommitLost {
            lost: Lost::BodyFailed,
        });
        Some(Stage::Last {
            event,
            then: Then::End,
        })
    }

    /// Ready once goodbye has been said and this stream can end.
    pub(super) fn poll_parting<F, B>(&mut self, cx: &mut Context<'_>) -> Poll<Stage<F, B>> {
        let Some(parting) = &mut self.parting else {
            return Poll::Pending;
        };
        let Some(guest) = &mut parting.guest else {
            return Poll::Pending;
        };
        ready!(guest.poll_said(cx));
        let id = self
            .asker
            .call
            .as_ref()
            .and_then(CallSlot::call)
            .and_then(Message::request_id);
        let goodbye = parting.say(self.beat.position(), id);
        if let Some(outcome) = goodbye.outcome() {
            self.report(&Event::Farewell { outcome });
        }
        let next = match goodbye {
            Goodbye::Later => return Poll::Pending,
            Goodbye::Needless => Poll::Pending,
            Goodbye::End => Poll::Ready(Stage::Ended),
            Goodbye::Say(event) => Poll::Ready(Stage::Last {
                event,
                then: Then::Cut,
            }),
        };
        self.parting = None;
        next
    }

    pub(super) fn poll_beat<D: From<Bytes>>(&mut self, cx: &mut Context<'_>) -> Poll<Frame<D>> {
        let due = ready!(self.beat.poll_due(cx));
        if due.may_be_event {
            if let Some(progress) = &mut self.progress {
                if let Some(event) = progress.next(now()) {
                    return Poll::Ready(Frame::data(event.into()));
                }
                self.progress = None;
            }
        }
        Poll::Ready(due.frame())
    }
}
