//! `Places`: a bound on the tasks that are kept, be they at work or finished and waiting for their client.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How many tasks there may be.
#[derive(Clone, Debug)]
pub(super) struct Places {
    taken: Arc<Mutex<Taken>>,
    most: usize,
}

#[derive(Debug, Default)]
struct Taken {
    at_work: usize,
    /// When each of those that are finished is forgotten. `None`: never.
    finished: VecDeque<Option<Instant>>,
}

/// That of a task. Dropped, it is free, or once the result is forgotten where there was a task.
#[derive(Debug)]
pub(super) struct Place {
    places: Places,
    kept: Duration,
    has_task: bool,
}

// === impl Places ===

impl Places {
    pub(super) fn new(most: usize) -> Self {
        Self {
            taken: Arc::default(),
            most,
        }
    }

    /// A place, if there is one, for a task whose result is kept for so long after its end.
    pub(super) fn take(&self, kept: Duration) -> Option<Place> {
        let now = Instant::now();
        let mut taken = self.taken();
        let is_kept = |forgotten: &Option<Instant>| forgotten.is_none_or(|forgotten| forgotten > now);
        taken.finished.retain(is_kept);
        if taken.at_work + taken.finished.len() >= self.most {
            return None;
        }
        taken.at_work += 1;
        let places = self.clone();
        Some(Place {
            places,
            kept,
            has_task: false,
        })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Place ===

impl Place {
    /// From here on there is a task, whose result is kept.
    pub(super) fn with_task(mut self) -> Self {
        self.has_task = true;
        self
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        taken.at_work -= 1;
        if self.has_task {
            taken.finished.push_back(Instant::now().checked_add(self.kept));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_place_is_free_once_the_result_is_forgotten() {
        const KEPT: Duration = Duration::from_secs(60);
        let places = Places::new(2);
        let first = places.take(KEPT).unwrap().with_task();
        drop(places.take(Duration::MAX).unwrap());
        let second = places.take(KEPT).unwrap().with_task();
        assert!(places.take(KEPT).is_none());
        drop(first);
        assert!(places.take(KEPT).is_none(), "its result is kept");
        tokio::time::advance(KEPT).await;
        let third = places.take(KEPT).unwrap().with_task();
        assert!(places.take(KEPT).is_none());
        drop((second, third));
        tokio::time::advance(KEPT).await;
        assert!(places.take(KEPT).is_some());
    }
}
