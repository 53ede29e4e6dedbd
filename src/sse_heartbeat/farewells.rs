//! Word of the shutdown, for the streams that agreed to end with it.

use std::error::Error;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
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
    /// How often goodbye was said.
    said: AtomicU64,
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
    /// How often goodbye had been said when this was noted, and this one's moment since then, if it is ever to come.
    heard: (u64, Option<Instant>),
    /// How often it had been said when this one sat down.
    seated_at: u64,
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
        self.0.said.fetch_add(1, Ordering::SeqCst);
        let wakers: Vec<Waker> = guests.wakers.iter_mut().filter_map(Option::take).collect();
        drop(guests);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Whether it has been said.
    #[must_use]
    pub fn is_said(&self) -> bool {
        self.0.said.load(Ordering::SeqCst) > 0
    }

    pub(super) fn guest(&self) -> Guest {
        Guest {
            farewells: self.clone(),
            number: self.0.came.fetch_add(1, Ordering::Relaxed),
            heard: (0, None),
            seated_at: 0,
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
    /// The moment at which a guest hears it. `None`: it was not said, or over so long a time that it never comes.
    fn moment(&self, number: u64) -> Option<Instant> {
        let Saying { since, over } = self.saying?;
        since.checked_add(spread(over, number))
    }
}

// === impl Guest ===

impl Guest {
    /// Whether it has been said to this one. Between the saying and its own moment this looks at the time.
    pub(super) fn is_said(&mut self) -> bool {
        let said = self.farewells.0.said.load(Ordering::SeqCst);
        if said != self.heard.0 {
            self.heard = (said, self.farewells.guests().moment(self.number));
        }
        self.heard.1.is_some_and(|moment| moment <= now())
    }

    /// Ready once goodbye has been said to this one; until then the task will be woken for it.
    pub(super) fn poll_said(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let is_seated = |(_, waker): &(usize, Waker)| waker.will_wake(cx.waker());
        let said = self.farewells.0.said.load(Ordering::SeqCst);
        if said != self.seated_at || !self.place.as_ref().is_some_and(is_seated) {
            let farewells = self.farewells.clone();
            let mut guests = farewells.guests();
            // It may have been said meanwhile; and it may be said again, and sooner.
            let said = self.farewells.0.said.load(Ordering::SeqCst);
            (self.heard, self.seated_at) = ((said, guests.moment(self.number)), said);
            if self.heard.1.is_none_or(|moment| now() < moment) {
                self.sit(&mut guests, cx);
            }
        }
        let Some(moment) = self.heard.1 else {
            return Poll::Pending;
        };
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

    #[tokio::test(start_paused = true)]
    async fn what_takes_for_ever_is_never_heard_and_may_be_said_again() {
        let farewells = Farewells::default();
        // The first of all hears it first, over however long a time.
        drop(farewells.guest());
        let mut guests: Vec<_> = (0..40).map(|_| farewells.guest()).collect();
        farewells.say_goodbye_over(Duration::MAX);
        assert!(farewells.is_said());
        let mut cx = Context::from_waker(Waker::noop());
        for guest in &mut guests {
            assert!(!guest.is_said() && guest.poll_said(&mut cx).is_pending());
        }
        farewells.say_goodbye();
        for guest in &mut guests {
            assert!(guest.is_said() && guest.poll_said(&mut cx).is_ready());
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
