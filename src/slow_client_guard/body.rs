//! The body of an answer whose client is watched.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::slot::{Slot, Terms, Ties};
use crate::error::BoxError;
use crate::watchdog::{Place, Watchdog};

pin_project! {
    /// The response body of [`SlowClientGuard`](super::SlowClientGuard).
    ///
    /// Its error is that of the inner body; [`SlowClient`](crate::SlowClient), where the client was too slow; or
    /// [`PhaseExpired`](crate::PhaseExpired), where the request's deadline passed while nobody polled.
    #[derive(Debug)]
    pub struct SlowClientGuardBody<B> {
        #[pin]
        state: State<B>,
    }
}

pin_project! {
    #[project = StateProj]
    #[derive(Debug)]
    enum State<B> {
        /// There is nothing to take.
        Untouched { #[pin] inner: B },
        Guarded { guarded: Guarded<B> },
    }
}

/// The owner's end of a slot.
#[derive(Debug)]
struct Guarded<B> {
    slot: Arc<Slot<B>>,
    watchdog: Watchdog,
    /// `None`: there is nothing left to watch.
    place: Option<Place>,
    is_over: bool,
}

// === impl SlowClientGuardBody ===

impl<B> SlowClientGuardBody<B> {
    pub(super) const fn untouched(inner: B) -> Self {
        Self {
            state: State::Untouched { inner },
        }
    }
}

impl<B: Body + Send + 'static> SlowClientGuardBody<B> {
    pub(super) fn guarded(inner: B, terms: Arc<Terms>, ties: Ties, watchdog: Watchdog) -> Self {
        let slot = Arc::new(Slot::new(inner, terms, ties));
        let place = Some(watchdog.watch(slot.clone()));
        Self {
            state: State::Guarded {
                guarded: Guarded {
                    slot,
                    watchdog,
                    place,
                    is_over: false,
                },
            },
        }
    }
}

impl<B: Body<Error: Into<BoxError>>> Body for SlowClientGuardBody<B> {
    type Data = B::Data;
    type Error = BoxError;

    #[inline]
    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, BoxError>>> {
        match self.project().state.project() {
            StateProj::Untouched { inner } => {
                inner.poll_frame(cx).map(|frame| Some(frame?.map_err(Into::into)))
            }
            StateProj::Guarded { guarded } => guarded.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.state {
            State::Untouched { inner } => inner.is_end_stream(),
            // Asked of the inner body with each frame, when the lock is at hand.
            State::Guarded { guarded } => guarded.is_over,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.state {
            State::Untouched { inner } => inner.size_hint(),
            State::Guarded { guarded } => guarded.slot.size_hint(),
        }
    }
}

// === impl Guarded ===

impl<B: Body<Error: Into<BoxError>>> Guarded<B> {
    #[inline(always)]
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, BoxError>>> {
        let mut is_over = false;
        let polled = self.slot.poll_frame(cx, &mut is_over);
        if is_over {
            self.end();
        }
        polled
    }
}

impl<B> Guarded<B> {
    /// The body has ended, and is let go. Its last frame may be in the hands of a server that cannot send it: over HTTP/2
    /// that waits for the client's window, and nothing but this would ever end it.
    #[cold]
    fn end(&mut self) {
        self.is_over = true;
        if !self.slot.end() {
            self.release();
        }
    }

    fn release(&mut self) {
        if let Some(place) = self.place.take() {
            self.watchdog.release(place);
        }
    }
}

impl<B> Drop for Guarded<B> {
    fn drop(&mut self) {
        self.release();
        if !self.is_over {
            self.slot.close();
        }
    }
}
