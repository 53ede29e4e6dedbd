//! What the events of one server say of its client.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;
use tower_lifeline::{Event, Reporter, SeenBy};

/// What was seen of one client.
#[derive(Debug)]
pub(crate) struct Seen {
    start: Instant,
    pub(crate) produced: AtomicU64,
    by: [Mutex<ByOne>; 2],
}

#[derive(Clone, Copy, Debug, Default)]
struct ByOne {
    stalled: Option<Instant>,
    longest: Duration,
    /// When it was cut, and what had been produced.
    cut: Option<(Duration, u64)>,
}

// === impl Seen ===

impl Seen {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            start: Instant::now(),
            produced: AtomicU64::new(0),
            by: Default::default(),
        })
    }

    pub(crate) fn reporter(self: &Arc<Self>) -> Reporter {
        let seen = self.clone();
        Reporter::to(move |event: &Event| seen.note(event))
    }

    fn note(&self, event: &Event) {
        match *event {
            Event::ClientStalled { seen, idle, .. } => {
                self.of(seen).lock().unwrap().stalled = Instant::now().checked_sub(idle);
            }
            Event::ClientRecovered { seen, after, .. } => {
                let mut one = self.of(seen).lock().unwrap();
                one.stalled = None;
                one.longest = one.longest.max(after);
            }
            Event::ClientTooSlow { seen, .. } => {
                let cut = (self.start.elapsed(), self.produced.load(Ordering::Relaxed));
                self.of(seen).lock().unwrap().cut.get_or_insert(cut);
            }
            _ => {}
        }
    }

    fn of(&self, seen: SeenBy) -> &Mutex<ByOne> {
        &self.by[usize::from(seen == SeenBy::Connection)]
    }

    pub(crate) fn gap(&self, seen: SeenBy) -> String {
        let one = *self.of(seen).lock().unwrap();
        match one.stalled.map(|since| since.elapsed()) {
            Some(open) if open > one.longest => format!("> {:.1} s", open.as_secs_f64()),
            _ if one.longest.is_zero() => "< 0.1 s".to_owned(),
            _ => format!("{:.1} s", one.longest.as_secs_f64()),
        }
    }

    pub(crate) fn cut(&self) -> Option<(SeenBy, Duration, u64)> {
        let found = [SeenBy::Body, SeenBy::Connection].map(|seen| {
            let cut = self.of(seen).lock().unwrap().cut;
            cut.map(|(after, produced)| (seen, after, produced))
        });
        found.into_iter().flatten().min_by_key(|(_, after, _)| *after)
    }
}
