//! Outgoing work under a deadline: each call with its own limit, and never more than what the request has
//! left.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use pin_project_lite::pin_project;

use crate::clock::now;
use crate::deadline::Deadline;
use crate::error::{Bound, CallExpired};
use crate::event::{CallOutcome, Event, Reporter};
use crate::timer::Timer;

pin_project! {
    /// The future of [`Deadline::call`].
    #[must_use = "futures do nothing unless they are polled"]
    #[derive(Debug)]
    pub struct DeadlineCall<F> {
        // `None` once it has ended, so that what it held is free before anybody hears of it.
        #[pin]
        work: Option<F>,
        watch: CallWatch,
    }
}

#[derive(Debug)]
struct CallWatch {
    name: &'static str,
    limit: Duration,
    deadline: Option<Instant>,
    started: Option<Instant>,
    timer: Timer,
    reporter: Reporter,
}

// === impl Deadline ===

impl Deadline {
    /// A deadline that passes in `limit` from now.
    #[must_use]
    pub fn after(limit: Duration) -> Self {
        Self::unbounded().capped_at(now(), limit)
    }

    /// What is left. `None`: it never passes.
    #[must_use]
    pub fn left(&self) -> Option<Duration> {
        self.instant()?;
        self.left_at(now())
    }

    /// Whether it has passed.
    #[must_use]
    pub fn has_passed(&self) -> bool {
        self.left() == Some(Duration::ZERO)
    }

    /// Runs `work` for no longer than `limit`, and no longer than what is left of this deadline.
    ///
    /// Both count from the first poll. `work` is dropped in the moment in which the time is up; where the
    /// deadline had passed already it is not even started. `name` appears in errors and events: a fixed word
    /// such as `db.search`.
    ///
    /// # Errors
    /// [`CallExpired`], which tells whose time ran out: the call's own or the request's.
    ///
    /// # Panics
    /// Its future panics outside of a tokio runtime whose timer is enabled, once it has to wait.
    ///
    /// # Example
    /// ```
    /// use std::time::Duration;
    /// use tower_lifeline::{Bound, Deadline};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
    /// let deadline = Deadline::after(Duration::from_secs(3));
    /// let row = deadline.call("db.search", Duration::from_secs(15), async { 42 }).await;
    /// assert_eq!(row, Ok(42));
    ///
    /// let hung = std::future::pending::<()>();
    /// let expired = deadline.call("db.search", Duration::from_secs(15), hung).await.unwrap_err();
    /// assert_eq!(expired.bound(), Bound::Deadline);
    /// assert_eq!(expired.limit(), Duration::from_secs(3));
    /// # }
    /// ```
    pub fn call<F: IntoFuture>(
        &self,
        name: &'static str,
        limit: Duration,
        work: F,
    ) -> DeadlineCall<F::IntoFuture> {
        let watch = CallWatch {
            name,
            limit,
            deadline: self.instant(),
            started: None,
            timer: Timer::new(),
            reporter: self.reporter().clone(),
        };
        DeadlineCall {
            work: Some(work.into_future()),
            watch,
        }
    }
}

// === impl DeadlineCall ===

impl<F: Future> Future for DeadlineCall<F> {
    type Output = Result<F::Output, CallExpired>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let Some(expired) = this.watch.start() {
            this.work.set(None);
            this.watch.ended(CallOutcome::Expired(expired.bound()));
            return Poll::Ready(Err(expired));
        }
        let Some(work) = this.work.as_mut().as_pin_mut() else {
            return Poll::Pending;
        };
        if let Poll::Ready(output) = work.poll(cx) {
            this.work.set(None);
            this.watch.ended(CallOutcome::Completed);
            return Poll::Ready(Ok(output));
        }
        match this.watch.wait(cx) {
            Some(expired) => {
                this.work.set(None);
                this.watch.ended(CallOutcome::Expired(expired.bound()));
                Poll::Ready(Err(expired))
            }
            None => Poll::Pending,
        }
    }
}

// === impl CallWatch ===

impl CallWatch {
    /// Starts the clock at the first poll. `Some`: nothing was left of the deadline.
    fn start(&mut self) -> Option<CallExpired> {
        if self.started.is_some() {
            return None;
        }
        let now = now();
        self.started = Some(now);
        let passed = self.deadline.is_some_and(|deadline| deadline <= now);
        passed.then(|| CallExpired::new(self.name, Bound::Deadline, Duration::ZERO, Duration::ZERO))
    }

    fn wait(&mut self, cx: &mut Context<'_>) -> Option<CallExpired> {
        if self.timer.is_set(cx) {
            return None;
        }
        let started = self.started?;
        let own = started.checked_add(self.limit);
        let (ends, bound) = match (own, self.deadline) {
            (Some(own), Some(deadline)) if deadline < own => (deadline, Bound::Deadline),
            (Some(own), _) => (own, Bound::Limit),
            (None, deadline) => (deadline?, Bound::Deadline),
        };
        loop {
            let now = now();
            if ends <= now {
                return Some(CallExpired::new(self.name, bound, ends - started, now - started));
            }
            if self.timer.poll_until(ends, cx).is_pending() {
                return None;
            }
        }
    }

    fn ended(&mut self, outcome: CallOutcome) {
        let reporter = std::mem::take(&mut self.reporter);
        if reporter.is_silent() {
            return;
        }
        if let Some(started) = self.started {
            let elapsed = now().saturating_duration_since(started);
            reporter.report(&Event::CallEnded {
                name: self.name,
                outcome,
                elapsed,
            });
        }
    }
}

impl Drop for CallWatch {
    fn drop(&mut self) {
        self.ended(CallOutcome::Dropped);
    }
}
