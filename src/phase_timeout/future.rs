//! The wait for the response head.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{Response, StatusCode};
use http_body::Body;
use pin_project_lite::pin_project;

use super::PhaseTimeoutBody;
use super::policy::Settings;
use super::stream::EventStream;
use crate::error::PhaseExpired;
use crate::event::Outcome;
use crate::media;
use crate::phase::{BYTES_BETWEEN_LOOKS, Endless};
use crate::refusal::{Caller, Reason, Refusal};
use crate::rpc;
use crate::watch::HeadWatch;

pin_project! {
    /// The response future of [`PhaseTimeout`](super::PhaseTimeout).
    #[must_use = "futures do nothing unless they are polled"]
    #[derive(Debug)]
    pub struct PhaseTimeoutFuture<F> {
        #[pin]
        state: State<F>,
    }
}

pin_project! {
    #[project = StateProj]
    #[project_replace = StateOwned]
    #[derive(Debug)]
    enum State<F> {
        Waiting {
            #[pin]
            inner: F,
            waiting: Waiting,
        },
        Done,
    }
}

/// What is known of the request while its head is waited for.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(super) watch: HeadWatch,
    pub(super) caller: Caller,
    pub(super) settings: Settings,
    pub(super) is_connect: bool,
    pub(super) endless: Endless,
    pub(super) can_resume: bool,
}

// === impl PhaseTimeoutFuture ===

impl<F> PhaseTimeoutFuture<F> {
    pub(super) const fn new(inner: F, waiting: Waiting) -> Self {
        Self {
            state: State::Waiting { inner, waiting },
        }
    }
}

impl<F, B, E> Future for PhaseTimeoutFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body<Data: From<Bytes>, Error: Into<crate::error::BoxError>>,
{
    type Output = Result<Response<PhaseTimeoutBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        let StateProj::Waiting { inner, waiting } = state.as_mut().project() else {
            return Poll::Pending;
        };
        let answer = match inner.poll(cx) {
            Poll::Ready(answer) => Ok(answer),
            Poll::Pending => match waiting.poll_expired(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(expired) => Err(expired),
            },
        };
        // Drops the inner future, and with it what it held, before anybody hears of the end.
        let StateOwned::Waiting { waiting, .. } = state.project_replace(State::Done) else {
            return Poll::Pending;
        };
        Poll::Ready(match answer {
            Ok(answer) => answer.map(|response| waiting.watch_over(response)),
            Err(expired) => Ok(waiting.refuse(expired)),
        })
    }
}

// === impl Waiting ===

impl Waiting {
    /// The head is not there. Ready: and it is too late for it.
    #[inline]
    pub(crate) fn poll_expired(&mut self, cx: &mut Context<'_>) -> Poll<PhaseExpired> {
        self.watch.poll_expired(cx)
    }

    /// When it was first waited for.
    #[inline]
    pub(crate) const fn started(&self) -> Option<Instant> {
        self.watch.started()
    }

    /// The answer to a request whose own has not come in time.
    pub(crate) fn refuse<B>(&self, expired: PhaseExpired) -> Response<PhaseTimeoutBody<B>> {
        let refusal = Refusal::new(Reason::PhaseExpired(expired), self.settings.status);
        self.watch
            .report(expired, Outcome::Refused(refusal.status().as_u16()));
        self.caller.refuse(&refusal).map(PhaseTimeoutBody::refusal)
    }

    /// The head is there, and a body to watch over may come with it.
    pub(crate) fn watch_over<B: Body>(self, response: Response<B>) -> Response<PhaseTimeoutBody<B>> {
        let body = response.body();
        if body.is_end_stream() || self.is_upgrade(response.status()) {
            return response.map(PhaseTimeoutBody::untouched);
        }
        let size = body.size_hint().exact();
        let is_stream = media::is_event_stream(response.headers());
        let endless = match self.endless {
            _ if !is_stream => Endless::No,
            Endless::No if is_subscription(&self.caller) => Endless::Subscription,
            endless => endless,
        };
        let watch = self.watch.into_body(
            endless,
            size.is_some_and(|size| size <= BYTES_BETWEEN_LOOKS.into()),
        );
        if watch.is_idle() {
            return response.map(PhaseTimeoutBody::untouched);
        }
        // A goodbye would make a body longer than it said it would be.
        let goodbye =
            self.settings.goodbye && size.is_none() && !response.headers().contains_key(CONTENT_LENGTH);
        let call = self.caller.into_call().filter(|_| goodbye);
        let stream = is_stream.then(|| EventStream::new(call, goodbye, self.can_resume));
        response.map(|inner| PhaseTimeoutBody::watched(inner, watch, stream, self.settings.grace))
    }

    fn is_upgrade(&self, status: StatusCode) -> bool {
        status == StatusCode::SWITCHING_PROTOCOLS || (self.is_connect && status.is_success())
    }
}

fn is_subscription(caller: &Caller) -> bool {
    let call = caller.call().and_then(rpc::CallSlot::call);
    call.and_then(rpc::Message::method) == Some(rpc::SUBSCRIPTIONS_LISTEN)
}
