//! The wait for the response head, or for the moment in which it is too late for one.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::Response;
use http_body::Body;
use pin_project_lite::pin_project;

use super::SseHeartbeatBody;
use super::beat::Beat;
use super::candidate::{Asker, Candidate};
use super::exchange::{Answer, Exchange};
use super::plan::{Plan, may_beat};
use crate::error::BoxError;
use crate::timer::Timer;

pin_project! {
    /// The response future of [`SseHeartbeat`](super::SseHeartbeat).
    #[must_use = "futures do nothing unless they are polled"]
    #[derive(Debug)]
    pub struct SseHeartbeatFuture<F, B> {
        #[pin]
        state: State<F, B>,
    }
}

pin_project! {
    #[project = StateProj]
    #[derive(Debug)]
    enum State<F, B> {
        /// The answer is the service's own, whenever it comes.
        Direct { #[pin] inner: F, answering: Option<Answering> },
        /// It may be late. `None` once it was given.
        Candidate { exchange: Option<Pin<Box<Exchange<F, B>>>>, asker: Asker },
    }
}

/// What it takes to make a stream of an answer.
#[derive(Debug)]
pub(super) struct Answering {
    pub(super) plan: Arc<Plan>,
    /// Kept only where a stream has use for it.
    pub(super) asker: Asker,
    /// Whether the answer to such a request has no body that could beat.
    pub(super) is_bodiless: bool,
}

// === impl SseHeartbeatFuture ===

impl<F, B> SseHeartbeatFuture<F, B> {
    pub(super) const fn direct(inner: F, answering: Answering) -> Self {
        Self {
            state: State::Direct {
                inner,
                answering: Some(answering),
            },
        }
    }

    pub(super) fn candidate(inner: F, candidate: Candidate, plan: Arc<Plan>, asker: Asker) -> Self {
        let of_stream = if plan.watches_calls() {
            asker.clone()
        } else {
            Asker::default()
        };
        let exchange = Box::pin(Exchange::waiting(inner, candidate, plan, asker));
        Self {
            state: State::Candidate {
                exchange: Some(exchange),
                asker: of_stream,
            },
        }
    }
}

impl<F, B, E> Future for SseHeartbeatFuture<F, B>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body<Data: From<Bytes>, Error: Into<BoxError>>,
{
    type Output = Result<Response<SseHeartbeatBody<B, F>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProj::Direct { inner, answering } => {
                let answer = ready!(inner.poll(cx));
                let Some(answering) = answering.take() else {
                    return Poll::Pending;
                };
                Poll::Ready(answer.map(|response| answering.dress(response, Timer::new())))
            }
            StateProj::Candidate { exchange, asker } => {
                let Some(waiting) = exchange else {
                    return Poll::Pending;
                };
                let answer = ready!(waiting.as_mut().poll_answer(cx));
                let Some(mut waited) = exchange.take() else {
                    return Poll::Pending;
                };
                let plan = waited.plan().clone();
                match answer {
                    Answer::Given(answer) => {
                        let timer = waited.as_mut().take_timer();
                        let answering = Answering {
                            plan,
                            asker: std::mem::take(asker),
                            is_bodiless: false,
                        };
                        Poll::Ready(answer.map(|response| answering.dress(response, timer)))
                    }
                    Answer::Late => Poll::Ready(Ok(plan.head(SseHeartbeatBody::exchange(waited)))),
                }
            }
        }
    }
}

// === impl Answering ===

impl Answering {
    /// Gives a stream its beat, and leaves every other answer as it is.
    pub(super) fn dress<F, B: Body>(
        self,
        mut response: Response<B>,
        timer: Timer,
    ) -> Response<SseHeartbeatBody<B, F>> {
        if self.is_bodiless || !may_beat(&response) {
            return response.map(SseHeartbeatBody::untouched);
        }
        let plan = self.plan;
        plan.mark(response.headers_mut());
        let watches_calls = plan.watches_calls();
        let beat = Beat::new(plan, timer);
        response.map(|body| match watches_calls {
            false => SseHeartbeatBody::beating(body, beat),
            true => match Exchange::stream(body, beat, self.asker) {
                Ok(exchange) => SseHeartbeatBody::exchange(Box::pin(exchange)),
                Err((body, beat)) => SseHeartbeatBody::beating(body, beat),
            },
        })
    }
}
