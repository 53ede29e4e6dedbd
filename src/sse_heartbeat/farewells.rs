//! Word of the shutdown, for the streams that agreed to end with it.

use std::error::Error;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

use crate::clock::now;
use crate::spread::spread;
use crate::timer::Timer;

/// Ends the streams of a layer that [agreed](super::HeartbeatSettingsBuilder::with_goodbye) to it.
///
/// Clones are handles of the same layer. See the [module docs](super#goodbye) for how a stream ends.
///
/// ```
/// use tower_lifeline::SseHeartbeatLayer;
/// use tower_lifeline::sse_heartbeat::HeartbeatSettings;
///
/// # fn main() -> Result<(), tower_lifeline::ConfigError> {
/// let layer = SseHeartbeatLayer::new(HeartbeatSettings::builder().with_goodbye().build()?);
/// let farewells = layer.farewells();
/// let signal = async move {
///     // tokio::signal::ctrl_c().await;
///     farewells.say_goodbye();
/// };
/// // axum::serve(listener, app.layer(layer)).with_graceful_shutdown(signal).await;
/// # Ok(()) }
/// ```
#[derive(Clone, Default)]
pub struct Farewells(Arc<Gathering>);

#[derive(Default)]
struct Gathering {
    is_said: AtomicBool,
    /// How many guests there were, by which each has a number.
    came: AtomicU64,
    guests: Mutex<Guests>,
}

/// Who is to be woken. Places are used again, so that it is as long as the most guests at one time.
#[derive(Default)]
struct Guests {
    wakers: Vec<Option<Waker>>,
    free: Vec<usize>,
    saying: Option<Saying>,
}

/// When goodbye was said, and over how long it is to be heard.
#[derive(Clone, Copy)]
struct Saying {
    since: Instant,
    over: Duration,
}

/// One stream's place among those who are to be told.
pub(super) struct Guest {
    farewells: Farewells,
    number: u64,
    /// Where it waits, and with which waker.
    place: Option<(usize, Waker)>,
    /// For its own moment, once goodbye was said.
    timer: Timer,
}

/// The error that ends the body of a stream which was told goodbye.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SaidGoodbye;

// === impl Farewells ===

impl Farewells {
    /// Ends each stream that agreed to it, at its next boundary between two events; streams that begin later end
    /// at their first one.
    pub fn say_goodbye(&self) {
        self.say_goodbye_over(Duration::ZERO);
    }

    /// As [`say_goodbye`](Self::say_goodbye), but each stream has its own moment within `over` from now on, so that
    /// clients do not all come back at once. Said again, it is said anew.
    pub fn say_goodbye_over(&self, over: Duration) {
        let since = now();
        let mut guests = self.guests();
        guests.saying = Some(Saying { since, over });
        self.0.is_said.store(true, Ordering::SeqCst);
        let wakers: Vec<Waker> = guests.wakers.iter_mut().filter_map(Option::take).collect();
        drop(guests);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Whether it has been said.
    #[must_use]
    pub fn is_said(&self) -> bool {
        self.0.is_said.load(Ordering::SeqCst)
    }

    pub(super) fn guest(&self) -> Guest {
        Guest {
            farewells: self.clone(),
            number: self.0.came.fetch_add(1, Ordering::Relaxed),
            place: None,
            timer: Timer::new(),
        }
    }

    fn guests(&self) -> MutexGuard<'_, Guests> {
        self.0.guests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Farewells {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Farewells")
            .field("is_said", &self.is_said())
            .finish_non_exhaustive()
    }
}

// === impl Guests ===

impl Guests {
    /// The moment at which a guest hears it. `None`: it was not said.
    fn moment(&self, number: u64) -> Option<Instant> {
        let Saying { since, over } = self.saying?;
        Some(since.checked_add(spread(over, number)).unwrap_or(since))
    }
}

// === impl Guest ===

impl Guest {
    /// Whether it has been said to this one.
    pub(super) fn is_said(&self) -> bool {
        let moment = || self.farewells.guests().moment(self.number);
        self.farewells.is_said() && moment().is_some_and(|moment| moment <= now())
    }

    /// Ready once goodbye has been said to this one; until then the task will be woken for it.
    pub(super) fn poll_said(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let is_seated = |(_, waker): &(usize, Waker)| waker.will_wake(cx.waker());
        if !self.farewells.is_said() && self.place.as_ref().is_some_and(is_seated) {
            return Poll::Pending;
        }
        let farewells = self.farewells.clone();
        let mut guests = farewells.guests();
        let Some(moment) = guests.moment(self.number) else {
            self.sit(&mut guests, cx);
            return Poll::Pending;
        };
        if now() < moment {
            // It may be said again, and sooner.
            self.sit(&mut guests, cx);
        }
        drop(guests);
        while now() < moment {
            ready!(self.timer.poll_until(moment, cx));
        }
        Poll::Ready(())
    }

    fn sit(&mut self, guests: &mut Guests, cx: &Context<'_>) {
        let free = || match guests.free.pop() {
            Some(place) => place,
            None => {
                guests.wakers.push(None);
                guests.wakers.len() - 1
            }
        };
        let place = self.place.take().map_or_else(free, |(place, _)| place);
        let waker = cx.waker().clone();
        guests.wakers[place] = Some(waker.clone());
        self.place = Some((place, waker));
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let Some((place, _)) = self.place else { return };
        let mut guests = self.farewells.guests();
        if let Some(waker) = guests.wakers.get_mut(place) {
            *waker = None;
            guests.free.push(place);
        }
    }
}

impl fmt::Debug for Guest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guest")
            .field("waits", &self.place.is_some())
            .finish_non_exhaustive()
    }
}

// === impl SaidGoodbye ===

impl fmt::Display for SaidGoodbye {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the server is shutting down")
    }
}

impl Error for SaidGoodbye {}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn every_guest_is_woken_once_and_places_are_used_again() {
        let farewells = Farewells::default();
        let count = Arc::new(Count::default());
        let waker = Waker::from(count.clone());
        let mut cx = Context::from_waker(&waker);
        let mut guests: Vec<_> = (0..3).map(|_| farewells.guest()).collect();
        for guest in &mut guests {
            assert!(guest.poll_said(&mut cx).is_pending());
            assert!(guest.poll_said(&mut cx).is_pending());
        }
        guests.remove(1);
        let mut late = farewells.guest();
        assert!(late.poll_said(&mut cx).is_pending());
        assert_eq!(farewells.guests().wakers.len(), 3);
        let other = Arc::new(Count::default());
        let moved = Waker::from(other.clone());
        assert!(late.poll_said(&mut Context::from_waker(&moved)).is_pending());
        farewells.clone().say_goodbye();
        assert_eq!(
            (count.0.load(Ordering::SeqCst), other.0.load(Ordering::SeqCst)),
            (2, 1)
        );
        assert!(late.poll_said(&mut cx).is_ready() && farewells.guest().poll_said(&mut cx).is_ready());
        drop((guests, late));
        let guests = farewells.guests();
        assert!(guests.wakers.iter().all(Option::is_none) && guests.free.len() == 3);
    }
}
