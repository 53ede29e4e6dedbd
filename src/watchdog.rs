//! One task that looks at many things at intervals, for as long as there is any.
//!
//! Whoever waits for a client that does not read is not polled, so that a timer of its own would wake nobody. A
//! task beside them looks at all of them in turn. It exists while something is watched: the first thing starts
//! it, and when it finds nothing any more it ends. Should its runtime be shut down while others go on, the next
//! thing that comes starts it there.

#[cfg(test)]
mod tests;

use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

use crate::clock::now;
use crate::timer::Timer;

/// Something to look at.
pub(crate) trait Watched: Send + Sync {
    /// Looks. It is called outside of the watchdog's lock, and a panic in it is caught.
    fn look(&self, now: Instant) -> After;
}

/// What becomes of something after a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    /// It is watched until somebody releases it.
    Stay,
    /// It has outlived whoever would release it, and is over.
    Go,
}

/// Looks at what it is given, at intervals. Clones share one task and one list.
#[derive(Clone)]
pub(crate) struct Watchdog {
    shared: Arc<Shared>,
}

/// The place of something that is watched, given back once.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Place(u32);

struct Shared {
    between_looks: Duration,
    list: Mutex<List>,
}

#[derive(Default)]
struct List {
    entries: Vec<Entry>,
    free: Option<u32>,
    count: usize,
    is_patrolled: bool,
}

enum Entry {
    Watched(Arc<dyn Watched>),
    Free { next: Option<u32> },
}

/// The task.
struct Patrol {
    shared: Arc<Shared>,
    timer: Timer,
    round_at: Instant,
    next: usize,
    at_hand: Vec<(Place, Arc<dyn Watched>)>,
    /// It has not been relieved: nobody else patrols the list.
    is_on_duty: bool,
}

/// So many at a time are taken from the list, whose lock everybody needs who comes or goes.
const AT_ONCE: usize = 64;

/// After so many, others of the runtime have their turn: some tens of microseconds.
const BEFORE_A_PAUSE: usize = 1024;

// === impl Watchdog ===

impl Watchdog {
    /// A watchdog that will look each `between_looks`.
    pub(crate) fn new(between_looks: Duration) -> Self {
        Self {
            shared: Arc::new(Shared {
                between_looks,
                list: Mutex::default(),
            }),
        }
    }

    /// Looks at `watched` from now on.
    pub(crate) fn watch(&self, watched: Arc<dyn Watched>) -> Place {
        let mut list = self.shared.list();
        let place = list.insert(watched);
        let starts = !list.is_patrolled;
        if starts {
            list.is_patrolled = true;
        }
        drop(list);
        if starts {
            self.start();
        }
        place
    }

    /// Looks at it no more. A look that has begun may end after this.
    #[expect(clippy::needless_pass_by_value, reason = "nobody can give a place back twice")]
    pub(crate) fn release(&self, place: Place) {
        let watched = self.shared.list().remove(&place);
        drop(watched);
    }

    /// How many are watched.
    pub(crate) fn count(&self) -> usize {
        self.shared.list().count
    }

    #[cold]
    fn start(&self) {
        let patrol = Patrol {
            round_at: now() + self.shared.between_looks,
            shared: self.shared.clone(),
            timer: Timer::new(),
            next: 0,
            at_hand: Vec::new(),
            is_on_duty: true,
        };
        // Without a runtime the patrol is dropped here, and whoever comes next tries again.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(patrol);
        }
    }
}

impl fmt::Debug for Watchdog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watchdog")
            .field("between_looks", &self.shared.between_looks)
            .field("count", &self.count())
            .finish()
    }
}

// === impl Shared ===

impl Shared {
    fn list(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl List ===

impl List {
    fn insert(&mut self, watched: Arc<dyn Watched>) -> Place {
        self.count += 1;
        let entry = Entry::Watched(watched);
        if let Some(place) = self.free {
            let entry = std::mem::replace(&mut self.entries[place as usize], entry);
            self.free = match entry {
                Entry::Free { next } => next,
                Entry::Watched(_) => None,
            };
            return Place(place);
        }
        self.entries.push(entry);
        // Four thousand million bodies at once would need more memory than there is.
        Place((self.entries.len() - 1) as u32)
    }

    fn remove(&mut self, place: &Place) -> Option<Arc<dyn Watched>> {
        let entry = self.entries.get_mut(place.0 as usize)?;
        let Entry::Watched(watched) = std::mem::replace(entry, Entry::Free { next: self.free }) else {
            return None;
        };
        self.free = Some(place.0);
        self.count -= 1;
        Some(watched)
    }
}

// === impl Patrol ===

impl Patrol {
    /// Takes the next few from the list. False: there are no more in this round.
    fn take_some(&mut self) -> bool {
        let list = self.shared.list();
        let rest = list.entries.get(self.next..).unwrap_or_default();
        let some = &rest[..rest.len().min(AT_ONCE)];
        self.at_hand
            .extend((self.next..).zip(some).filter_map(|(place, entry)| match entry {
                Entry::Watched(watched) => Some((Place(place as u32), watched.clone())),
                Entry::Free { .. } => None,
            }));
        self.next += some.len();
        !some.is_empty()
    }

    /// Looks at all that are left in this round. Pending: there are more, after a pause.
    fn poll_round(&mut self, cx: &Context<'_>) -> Poll<()> {
        let now = now();
        for _ in 0..BEFORE_A_PAUSE / AT_ONCE {
            if !self.take_some() {
                self.next = 0;
                return Poll::Ready(());
            }
            for (place, watched) in self.at_hand.drain(..) {
                // What a look drops is other people's, and one that panics must not take the others with it.
                let _ = catch_unwind(AssertUnwindSafe(|| {
                    if watched.look(now) == After::Go {
                        drop(self.shared.list().remove(&place));
                    }
                    drop(watched);
                }));
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Whether there was nothing left to watch: then the next thing starts a patrol of its own.
    fn is_over(&mut self) -> bool {
        let mut list = self.shared.list();
        if list.count > 0 {
            return false;
        }
        // A crowd that has gone leaves its places behind.
        (list.entries, list.free) = (Vec::new(), None);
        list.is_patrolled = false;
        self.is_on_duty = false;
        true
    }
}

impl Future for Patrol {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let patrol = self.get_mut();
        loop {
            ready!(patrol.timer.poll_until(patrol.round_at, cx));
            let now = now();
            if now < patrol.round_at {
                continue;
            }
            ready!(patrol.poll_round(cx));
            if patrol.is_over() {
                return Poll::Ready(());
            }
            patrol.round_at = now + patrol.shared.between_looks;
        }
    }
}

impl Drop for Patrol {
    fn drop(&mut self) {
        if self.is_on_duty {
            self.shared.list().is_patrolled = false;
        }
    }
}
