//! Seats: whoever holds one is in.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Waker;

use crate::event::{Event, Outcome, Reporter};
use crate::gate::{Core, EntryId, SeatPhase, Wake};
use crate::refusal::Reason;

/// A seat at an [`AdmissionGate`](crate::AdmissionGate). Dropping it gives it back, to the first who waits.
#[must_use = "a seat that is not held is given back at once"]
pub struct Seat(Hold);

/// A seat that several hold: it is given back when the last clone is dropped.
///
/// The layer puts one into a request's extensions where it was
/// [told to](crate::AdmissionGateLayer::share_seats), so that work that outlives its response keeps its seat.
#[derive(Clone)]
pub struct SharedSeat(Arc<Seat>);

/// What a request holds while it is in: flat, so that to drop one is one look.
#[derive(Debug)]
pub(super) enum Hold {
    Counted(Arc<Gate>, EntryId),
    Static(&'static Gate, EntryId),
    Shared(SharedSeat),
}

/// The gate itself, behind all its handles.
#[derive(Debug)]
#[repr(C)] // The core's word comes first, next to the count of references, see `Core`.
pub(super) struct Gate {
    pub(super) core: Core<Waker>,
    pub(super) name: &'static str,
    pub(super) lists: bool,
    pub(super) reporter: Reporter,
    /// A source of numbers that nobody can foresee: a random start, and a count.
    pub(super) random: AtomicU64,
}

/// A reference to a gate.
#[derive(Clone)]
pub(super) enum Root {
    Counted(Arc<Gate>),
    /// A gate that lives for ever, so that no reference needs counting.
    Static(&'static Gate),
}

// === impl Seat ===

impl Seat {
    #[inline]
    pub(super) fn new(root: Root, entry: EntryId) -> Self {
        Self(match root {
            Root::Counted(gate) => Hold::Counted(gate, entry),
            Root::Static(gate) => Hold::Static(gate, entry),
        })
    }

    /// A seat that can be cloned. This allocates.
    #[must_use]
    pub fn share(self) -> SharedSeat {
        SharedSeat(Arc::new(self))
    }

    #[inline]
    pub(super) fn into_hold(self) -> Hold {
        self.0
    }
}

impl fmt::Debug for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seat")
            .field("gate", &self.0.gate().0.name)
            .finish_non_exhaustive()
    }
}

// === impl SharedSeat ===

impl fmt::Debug for SharedSeat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedSeat")
            .field("gate", &self.0.0.gate().0.name)
            .finish_non_exhaustive()
    }
}

// === impl Hold ===

impl Hold {
    /// The request gets a clone.
    pub(super) fn shared<B>(seat: Seat, request: &mut http::Request<B>) -> Self {
        let seat = seat.share();
        request.extensions_mut().insert(seat.clone());
        Self::Shared(seat)
    }

    /// The head is out and a body follows.
    #[cold]
    pub(super) fn body_follows(&self) {
        self.set_phase(SeatPhase::Body);
    }

    #[cold]
    fn set_phase(&self, phase: SeatPhase) {
        let (gate, entry) = self.gate();
        if gate.lists {
            gate.core.set_phase(entry, phase);
        }
    }

    #[inline]
    fn gate(&self) -> (&Gate, EntryId) {
        match self {
            Self::Counted(gate, entry) => (gate, *entry),
            Self::Static(gate, entry) => (gate, *entry),
            Self::Shared(seat) => seat.0.0.gate(),
        }
    }
}

impl Drop for Hold {
    #[inline]
    fn drop(&mut self) {
        match self {
            Self::Counted(gate, entry) => gate.core.release(*entry),
            Self::Static(gate, entry) => gate.core.release(*entry),
            Self::Shared(seat) => seat.0.0.set_phase(SeatPhase::Outliving),
        }
    }
}

// === impl Gate ===

impl Gate {
    pub(super) fn next_random(&self) -> u64 {
        let n = self.random.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
        let mixed = (n ^ (n >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn class_name(&self, class: u8) -> &'static str {
        self.core.class_name(class)
    }

    pub(super) fn report_refused(&self, class: u8, reason: Reason, outcome: Outcome) {
        if !self.reporter.is_silent() {
            let (gate, class) = (self.name, self.class_name(class));
            self.reporter.report(&Event::GateRefused {
                gate,
                class,
                reason,
                outcome,
            });
        }
    }
}

// === impl Root ===

impl Deref for Root {
    type Target = Gate;

    #[inline]
    fn deref(&self) -> &Gate {
        match self {
            Self::Counted(gate) => gate,
            Self::Static(gate) => gate,
        }
    }
}

impl fmt::Debug for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl Wake for Waker {
    fn wake(self) {
        Self::wake(self);
    }
}
