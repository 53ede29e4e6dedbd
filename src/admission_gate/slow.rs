//! A request that waits: for a seat, then for the inner service.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::Request;
use http_body::Body;
use tower_service::Service;

use super::front::Front;
use super::future::{Calling, State};
use super::queued::{Queued, Wait};
use super::seat::Hold;
use super::service::refused;
use crate::clock::now;
use crate::current::earliest;

/// A request that waits, and all that it takes to go on.
pub(super) struct Slow<S, B> {
    stage: Stage,
    service: S,
    request: Option<Request<B>>,
    front: Arc<Front>,
    class: u8,
}

#[derive(Debug)]
enum Stage {
    Queued(Queued),
    /// Has its seat (the exempt: none), but the inner service was not ready when it was asked.
    Seated(Option<Hold>, Option<Wait>),
}

// === impl Slow ===

impl<S, B> Slow<S, B> {
    pub(super) fn queued(queued: Queued, service: S, request: Request<B>, front: Arc<Front>) -> Self {
        let class = queued.class();
        Self {
            stage: Stage::Queued(queued),
            service,
            request: Some(request),
            front,
            class,
        }
    }

    pub(super) const fn seated(
        hold: Option<Hold>,
        class: u8,
        service: S,
        request: Request<B>,
        front: Arc<Front>,
    ) -> Self {
        Self {
            stage: Stage::Seated(hold, None),
            service,
            request: Some(request),
            front,
            class,
        }
    }
}

impl<S, B> Slow<S, B>
where
    S: Service<Request<B>>,
    B: Body,
{
    /// Ready: how it goes on.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<State<S, B>, S::Error>> {
        if let Stage::Queued(queued) = &mut self.stage {
            match ready!(queued.poll(cx)) {
                Ok(seat) => {
                    let wait = queued.take_wait();
                    let shared = self.request.as_mut().filter(|_| self.front.shares);
                    let hold = match shared {
                        Some(request) => Hold::shared(seat, request),
                        None => seat.into_hold(),
                    };
                    self.stage = Stage::Seated(Some(hold), Some(wait));
                }
                Err(reason) => return self.refuse(reason),
            }
        }
        let Stage::Seated(hold, wait) = &mut self.stage else {
            return Poll::Pending;
        };
        match self.service.poll_ready(cx) {
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            // The exempt are not refused here either.
            Poll::Pending if hold.is_none() => return Poll::Pending,
            // The wait for the inner service ends when the wait for the seat would have ended.
            Poll::Pending => {
                let wait = wait.get_or_insert_with(|| {
                    let extensions = self.request.as_ref().map(Request::extensions);
                    let deadline = extensions.and_then(earliest);
                    Wait::new(self.front.root.core.queue_timeout(), deadline, now())
                });
                let reason = ready!(wait.poll(cx));
                self.front.root.core.count_timed_out();
                return self.refuse(reason);
            }
        }
        let Some(request) = self.request.take() else {
            return Poll::Pending;
        };
        let calling = Calling::of(&request, hold.take(), self.front.root.lists);
        Poll::Ready(Ok(State::Calling {
            response: self.service.call(request),
            calling,
        }))
    }

    fn refuse(&mut self, reason: crate::refusal::Reason) -> Poll<Result<State<S, B>, S::Error>> {
        self.stage = Stage::Seated(None, None);
        let Some(request) = self.request.take() else {
            return Poll::Pending;
        };
        Poll::Ready(Ok(refused(&self.front, request, self.class, reason)))
    }
}

impl<S, B> fmt::Debug for Slow<S, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slow")
            .field("stage", &self.stage)
            .finish_non_exhaustive()
    }
}
