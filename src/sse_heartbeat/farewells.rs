//! Word of the shutdown, for the streams that agreed to end with it.

use std::error::Error;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

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
    guests: Mutex<Guests>,
}

/// Who is to be woken. Places are used again, so that it is as long as the most guests at one time.
#[derive(Default)]
struct Guests {
    wakers: Vec<Option<Waker>>,
    free: Vec<usize>,
}

/// One stream's place among those who are to be told.
pub(super) struct Guest {
    farewells: Farewells,
    /// Where it waits, and with which waker.
    place: Option<(usize, Waker)>,
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
        self.0.is_said.store(true, Ordering::SeqCst);
        let wakers = std::mem::take(&mut self.guests().wakers);
        wakers.into_iter().flatten().for_each(Waker::wake);
    }

    /// Whether it has been said.
    #[must_use]
    pub fn is_said(&self) -> bool {
        self.0.is_said.load(Ordering::SeqCst)
    }

    pub(super) fn guest(&self) -> Guest {
        Guest {
            farewells: self.clone(),
            place: None,
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

// === impl Guest ===

impl Guest {
    pub(super) fn is_said(&self) -> bool {
        self.farewells.is_said()
    }

    /// Ready once goodbye has been said; until then the task will be woken for it.
    pub(super) fn poll_said(&mut self, cx: &Context<'_>) -> Poll<()> {
        if self.farewells.is_said() {
            return Poll::Ready(());
        }
        if self
            .place
            .as_ref()
            .is_some_and(|(_, waker)| waker.will_wake(cx.waker()))
        {
            return Poll::Pending;
        }
        let waker = cx.waker().clone();
        let mut guests = self.farewells.guests();
        // Said between the first look and the lock: nobody would wake whoever sits down now.
        if self.farewells.is_said() {
            return Poll::Ready(());
        }
        let free = || match guests.free.pop() {
            Some(place) => place,
            None => {
                guests.wakers.push(None);
                guests.wakers.len() - 1
            }
        };
        let place = self.place.take().map_or_else(free, |(place, _)| place);
        guests.wakers[place] = Some(waker.clone());
        drop(guests);
        self.place = Some((place, waker));
        Poll::Pending
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let Some((place, _)) = self.place else { return };
        let mut guests = self.farewells.guests();
        // Once goodbye is said, nobody sits there any more.
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
        let cx = Context::from_waker(&waker);
        let mut guests: Vec<_> = (0..3).map(|_| farewells.guest()).collect();
        for guest in &mut guests {
            assert!(guest.poll_said(&cx).is_pending());
            assert!(guest.poll_said(&cx).is_pending());
        }
        guests.remove(1);
        let mut late = farewells.guest();
        assert!(late.poll_said(&cx).is_pending());
        assert_eq!(farewells.guests().wakers.len(), 3);
        let other = Arc::new(Count::default());
        let moved = Waker::from(other.clone());
        assert!(late.poll_said(&Context::from_waker(&moved)).is_pending());
        farewells.clone().say_goodbye();
        assert_eq!(
            (count.0.load(Ordering::SeqCst), other.0.load(Ordering::SeqCst)),
            (2, 1)
        );
        assert!(late.poll_said(&cx).is_ready() && farewells.guest().poll_said(&cx).is_ready());
        drop((guests, late));
        assert!(farewells.guests().free.is_empty());
    }
}
