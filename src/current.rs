//! The deadline of the request that code runs for, where it runs in the task that polls it.

use std::cell::RefCell;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use http::Extensions;
use pin_project_lite::pin_project;

use crate::clock::now;
use crate::deadline::{Deadline, Terms};

thread_local! {
    static CURRENT: RefCell<Current> = const { RefCell::new(Current(Deadline::unbounded())) };
}

/// A deadline that is the current one while something is polled. Where nobody asks for it, nobody looks at the time.
#[derive(Debug, Default)]
pub(crate) struct Current(Deadline);

/// Puts back what was there before, a panic notwithstanding.
struct Exchanged<'a>(&'a mut Current);

pin_project! {
    /// The future of [`Deadline::scope`].
    struct Scoped<F> {
        // `None` only while it is dropped.
        #[pin]
        work: Option<F>,
        current: Current,
    }

    impl<F> PinnedDrop for Scoped<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            this.current.while_current(|| this.work.set(None));
        }
    }
}

// === impl Current ===

impl Current {
    /// One that is as far off as the terms allow, from the moment in which somebody asks for it.
    #[inline]
    pub(crate) fn on_demand(terms: Arc<Terms>) -> Self {
        Self(Deadline::unbounded().with_terms(terms))
    }

    /// The deadline's instant, if it is known.
    pub(crate) const fn fixed(&self) -> Option<Instant> {
        self.0.instant()
    }

    /// Fixes what has not been fixed before.
    #[inline]
    pub(crate) fn count_from(&mut self, started: Instant) {
        if let Some(allowed) = self.0.allowed() {
            self.0 = mem::take(&mut self.0).capped_at(started, allowed);
        }
    }

    /// The deadline, for somebody who asks.
    fn deadline(&mut self) -> &Deadline {
        if self.0.allowed().is_some() {
            self.count_from(now());
        }
        &self.0
    }

    #[inline]
    pub(crate) fn while_current<T>(&mut self, work: impl FnOnce() -> T) -> T {
        self.exchange();
        let _exchanged = Exchanged(self);
        work()
    }

    /// Swaps places with the one that is current. While the thread ends there is none.
    #[inline]
    fn exchange(&mut self) {
        let _ = CURRENT.try_with(|current| {
            if let Ok(mut current) = current.try_borrow_mut() {
                mem::swap(&mut *current, self);
            }
        });
    }
}

/// When the request has to be over: the earlier of what its extensions say and of the [current](Deadline::current)
/// deadline, which is all that there is inside of somebody who leaves the extensions alone.
pub(crate) fn earliest(extensions: &Extensions) -> Option<Instant> {
    let own = extensions.get::<Deadline>().and_then(Deadline::instant);
    let asked = CURRENT.try_with(|current| current.borrow_mut().deadline().instant());
    match (own, asked.ok().flatten()) {
        (Some(own), Some(current)) => Some(own.min(current)),
        (own, current) => own.or(current),
    }
}

/// Whether somebody further out has made a deadline the current one.
#[inline]
pub(crate) fn is_any() -> bool {
    let is_any = |current: &Current| current.0.instant().is_some() || current.0.allowed().is_some();
    CURRENT
        .try_with(|current| is_any(&current.borrow()))
        .unwrap_or(false)
}

impl From<Deadline> for Current {
    fn from(deadline: Deadline) -> Self {
        Self(deadline)
    }
}

impl Drop for Exchanged<'_> {
    #[inline]
    fn drop(&mut self) {
        self.0.exchange();
    }
}

// === impl Deadline ===

impl Deadline {
    /// Makes this the [`current`](Self::current) deadline while `work` is polled.
    pub fn scope<F: Future>(self, work: F) -> impl Future<Output = F::Output> {
        Scoped {
            work: Some(work),
            current: self.into(),
        }
    }

    /// The deadline of the request that this code runs for, where it runs in the task that polls it; else an
    /// unbounded one. A spawned task does not inherit it: take it along.
    #[must_use]
    pub fn current() -> Self {
        CURRENT
            .try_with(|current| current.borrow_mut().deadline().clone())
            .unwrap_or_default()
    }
}

// === impl Scoped ===

impl<F: Future> Future for Scoped<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        match this.work.as_pin_mut() {
            Some(work) => this.current.while_current(|| work.poll(cx)),
            None => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::time::Duration;

    use super::*;
    use crate::event::Reporter;

    #[expect(clippy::disallowed_methods, reason = "any instant serves as the origin")]
    fn at(secs: u64) -> Deadline {
        Deadline::at(Instant::now() + Duration::from_secs(secs))
    }

    #[test]
    fn what_a_scope_holds_is_dropped_within_it() {
        struct Last(Option<Instant>);
        impl Drop for Last {
            fn drop(&mut self) {
                assert_eq!(Deadline::current().instant(), self.0);
            }
        }
        let outer = at(3);
        let last = Last(outer.instant());
        drop(outer.scope(async move {
            let _last = last;
            std::future::pending::<()>().await;
        }));
    }

    #[test]
    fn scopes_nest_and_end() {
        let (outer, inner) = (at(9), at(3));
        let seen = |deadline: &Deadline| assert_eq!(Deadline::current().instant(), deadline.instant());
        Current::from(outer.clone()).while_current(|| {
            seen(&outer);
            Current::from(inner.clone()).while_current(|| seen(&inner));
            seen(&outer);
            let panicked = catch_unwind(AssertUnwindSafe(|| {
                Current::from(inner.clone()).while_current(|| panic!("on purpose"));
            }));
            assert!(panicked.is_err());
            seen(&outer);
        });
        seen(&Deadline::unbounded());
    }

    fn on_demand(allowed: Option<Duration>) -> Current {
        let reporter = Reporter::silent();
        Current::on_demand(Arc::new(Terms { reporter, allowed }))
    }

    #[test]
    fn a_limit_counts_from_the_first_time_that_somebody_asks() {
        let mut current = on_demand(Some(Duration::from_secs(60)));
        current.while_current(|| ());
        assert!(current.0.instant().is_none(), "nobody asked");
        let first = current.while_current(|| Deadline::current().instant());
        assert!(first.is_some());
        assert_eq!(current.while_current(|| Deadline::current().instant()), first);
        assert_eq!(current.deadline().instant(), first);
        let mut unlimited = on_demand(None);
        assert_eq!(unlimited.while_current(|| Deadline::current().instant()), None);
    }
}
