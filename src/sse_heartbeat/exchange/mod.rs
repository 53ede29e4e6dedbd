//! A request whose answer may come later than its stream: what is known of it, in one block.

mod talks;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use self::talks::Talks;
use super::beat::Beat;
use super::candidate::{Asker, Candidate};
use super::farewells::SaidGoodbye;
use super::late::Gather;
use super::plan::Plan;
use crate::error::BoxError;

use crate::timer::Timer;

pin_project! {
    /// First the future of the service, then, once the stream has been committed, its body.
    #[derive(Debug)]
    pub(super) struct Exchange<F, B> {
        #[pin]
        stage: Stage<F, B>,
        talk: Talks,
    }
}

pin_project! {
    #[project = StageProj]
    #[derive(Debug)]
    enum Stage<F, B> {
        /// The service has not answered.
        Waiting { #[pin] future: F },
        /// It has, with a stream.
        Stream { #[pin] body: B },
        /// It has, with what becomes one event when it is whole.
        Whole { #[pin] body: B, gather: Gather },
        /// This is left to say.
        Last { event: Bytes, then: Then },
        /// It has been said, and hyper flushes it.
        Grace,
        Ended,
    }
}

/// What follows the last event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    End,
    Cut,
}

/// What came of waiting for the service.
#[derive(Debug)]
pub(super) enum Answer<T> {
    Given(T),
    /// It is late: the stream begins without it.
    Late,
}

/// hyper throws away what is not flushed when a body fails; it took it a few milliseconds on a loaded machine.
const GRACE: Duration = Duration::from_millis(50);

// === impl Exchange ===

impl<F, B> Exchange<F, B> {
    /// A request that may be answered early.
    pub(super) fn waiting(future: F, candidate: Candidate, plan: Arc<Plan>, asker: Asker) -> Self {
        let beat = Beat::new(plan, Timer::new());
        let talk = Talks {
            beat,
            asker,
            candidate: Some(candidate),
            progress: None,
            parting: None,
        };
        Self {
            stage: Stage::Waiting { future },
            talk,
        }
    }

    /// A stream that was answered in time and has more to it than beats. `Err`: it has not.
    pub(super) fn stream(body: B, beat: Beat, asker: Asker) -> Result<Self, (B, Beat)> {
        let mut talk = Talks {
            beat,
            asker,
            candidate: None,
            progress: None,
            parting: None,
        };
        talk.begin();
        match talk.progress.is_some() || talk.parting.is_some() {
            true => Ok(Self {
                stage: Stage::Stream { body },
                talk,
            }),
            false => Err((body, talk.beat)),
        }
    }

    /// The timer that was waited with.
    pub(super) fn take_timer(self: Pin<&mut Self>) -> Timer {
        self.project().talk.beat.take_timer()
    }

    pub(super) fn plan(&self) -> &Arc<Plan> {
        &self.talk.beat.plan
    }

    /// Waits for the service until it is late.
    pub(super) fn poll_answer<T>(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Answer<T>>
    where
        F: Future<Output = T>,
    {
        let mut this = self.project();
        let StageProj::Waiting { future } = this.stage.as_mut().project() else {
            return Poll::Pending;
        };
        if let Poll::Ready(answer) = future.poll(cx) {
            // Drops the future, and with it what it held, before anybody hears of the answer.
            this.stage.set(Stage::Ended);
            return Poll::Ready(Answer::Given(answer));
        }
        ready!(this.talk.poll_late(cx));
        this.talk.begin();
        Poll::Ready(Answer::Late)
    }

    /// The next frame of a stream that has been committed.
    // Kept out of the way of the streams that have nothing of this.
    #[inline(never)]
    pub(super) fn poll_frame<E>(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, BoxError>>>
    where
        F: Future<Output = Result<Response<B>, E>>,
        B: Body<Data: From<Bytes>, Error: Into<BoxError>>,
    {
        let this = self.project();
        let (mut stage, talk) = (this.stage, this.talk);
        loop {
            if talk.is_leaving() {
                if let Poll::Ready(next) = talk.poll_parting(cx) {
                    stage.set(next);
                }
            }
            match stage.as_mut().project() {
                StageProj::Waiting { future } => {
                    if let Poll::Ready(answer) = future.poll(cx) {
                        let next = talk.splice(answer);
                        stage.set(next);
                        continue;
                    }
                }
                StageProj::Stream { mut body } => match body.as_mut().poll_frame(cx) {
                    Poll::Ready(Some(Ok(mut frame))) => {
                        if talk.lets_pass(&mut frame) {
                            return Poll::Ready(Some(Ok(frame)));
                        }
                        continue;
                    }
                    Poll::Ready(end) => {
                        // Drops the body before anybody hears of its end.
                        stage.set(Stage::Ended);
                        if let Some(next) = end
                            .as_ref()
                            .filter(|end| end.is_err())
                            .and_then(|_| talk.failed())
                        {
                            stage.set(next);
                            continue;
                        }
                        return Poll::Ready(end.map(|frame| frame.map_err(Into::into)));
                    }
                    Poll::Pending => {}
                },
                StageProj::Whole { mut body, gather } => match body.as_mut().poll_frame(cx) {
                    Poll::Ready(frame) => {
                        if let Some(next) = talk.gather(gather, frame) {
                            stage.set(next);
                        }
                        continue;
                    }
                    Poll::Pending => {}
                },
                StageProj::Last { event, then } => {
                    let event = std::mem::take(event);
                    let next = if *then == Then::Cut {
                        Stage::Grace
                    } else {
                        Stage::Ended
                    };
                    talk.beat.insert();
                    stage.set(next);
                    return Poll::Ready(Some(Ok(Frame::data(event.into()))));
                }
                StageProj::Grace => {
                    ready!(talk.beat.poll_silence(GRACE, cx));
                    stage.set(Stage::Ended);
                    return Poll::Ready(Some(Err(SaidGoodbye.into())));
                }
                StageProj::Ended => return Poll::Ready(None),
            }
            match talk.poll_parting(cx) {
                Poll::Ready(next) => stage.set(next),
                Poll::Pending => return talk.poll_beat(cx).map(|frame| Some(Ok(frame))),
            }
        }
    }
}

impl<F, B: Body> Exchange<F, B> {
    pub(super) fn is_end_stream(&self) -> bool {
        match &self.stage {
            Stage::Stream { body } => body.is_end_stream(),
            Stage::Ended => true,
            _ => false,
        }
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        match self.stage {
            Stage::Ended => SizeHint::with_exact(0),
            _ => SizeHint::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_block_is_little_more_than_the_future_in_it() {
        type Large = [u8; 1000];
        let block = size_of::<Exchange<Large, Large>>();
        assert!(block - size_of::<Large>() <= 208, "{block}");
    }
}
