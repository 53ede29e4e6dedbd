//! The one timer of a thing that waits.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use pin_project_lite::pin_project;
use tokio::task::unconstrained;
use tokio::time::{Sleep, sleep_until};

/// A timer that exists once something has had to wait, moves with it from head to body in one pointer, and is
/// left alone while its owner's end moves away: it rings early then, and is armed again.
#[derive(Debug, Default)]
pub(crate) struct Timer(Option<Pin<Box<Armed>>>);

pin_project! {
    #[derive(Debug)]
    struct Armed {
        #[pin]
        sleep: Sleep,
        waker: Waker,
    }
}

// === impl Timer ===

impl Timer {
    pub(crate) const fn new() -> Self {
        Self(None)
    }

    /// Whether the timer needs no attention: it has yet to ring and will wake this task when it does.
    #[inline]
    pub(crate) fn is_set(&self, cx: &Context<'_>) -> bool {
        self.0
            .as_ref()
            .is_some_and(|armed| armed.waker.will_wake(cx.waker()) && !armed.sleep.is_elapsed())
    }

    /// Ready once `at` has come, or may have come: the caller looks at the time and asks again. Pending: the
    /// task is woken at `at` at the latest.
    pub(crate) fn poll_until(&mut self, at: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let at = at.into();
        let armed = match &mut self.0 {
            Some(armed) => {
                if armed.sleep.is_elapsed() || armed.sleep.deadline() > at {
                    armed.as_mut().project().sleep.reset(at);
                } else if armed.waker.will_wake(cx.waker()) {
                    // It rings earlier than that, and wakes this task.
                    return Poll::Pending;
                }
                armed
            }
            none => none.insert(Box::pin(Armed {
                sleep: sleep_until(at),
                waker: cx.waker().clone(),
            })),
        };
        armed.as_mut().poll(cx)
    }
}

impl Armed {
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        if !this.waker.will_wake(cx.waker()) {
            this.waker.clone_from(cx.waker());
        }
        // With the task's budget spent, a `Sleep` would be pending without having registered this waker, and
        // `is_set` would trust it for ever.
        pin!(unconstrained(poll_fn(|cx| this.sleep.as_mut().poll(cx)))).poll(cx)
    }
}
