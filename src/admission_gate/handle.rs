//! The handle of a gate: one state, however many layers, routes and tasks share it.

use std::time::Duration;

use super::limits::{check_places, check_queue_timeout, check_seats, check_share};
use super::seat::Root;
use super::{
    AdmissionGateBuilder, Class, ClassFigures, Drained, Enter, GateFigures, GateLimits, GateRefused, Seat,
    SeatInfo,
};
use crate::clock::now;
use crate::error::ConfigError;
use crate::event::{Event, Outcome};
use crate::gate::{Ask, Entered, Listed, SeatPhase};

/// A gate: who may be in at once, and who waits for it. See the [module docs](super).
///
/// Cheap to clone; all clones are the same gate.
#[derive(Clone, Debug)]
pub struct AdmissionGate {
    pub(super) root: Root,
}

// === impl AdmissionGate ===

impl AdmissionGate {
    /// A gate with these limits and nothing else.
    #[must_use]
    pub fn new(limits: GateLimits) -> Self {
        // Without classes there is nothing that `build` could refuse.
        Self::builder(limits).plain()
    }

    /// A builder, for a gate with a name, classes, a listing or an observer.
    pub const fn builder(limits: GateLimits) -> AdmissionGateBuilder {
        AdmissionGateBuilder::new(limits)
    }

    pub(super) const fn of(root: Root) -> Self {
        Self { root }
    }

    /// Waits for a seat, in the standard class and for no key unless the [`Enter`] is told otherwise.
    ///
    /// For the work behind a server: one seat per call of a language model, an embedding pool. The wait ends
    /// after the `queue_timeout`, or when the [current](crate::Deadline::current) deadline passes.
    ///
    /// # Errors
    /// [`GateRefused`]: the queue is full, the wait took too long, the key has its share, or the gate is
    /// closed.
    ///
    /// # Panics
    /// Its future panics outside of a tokio runtime whose timer is enabled, once it has to wait.
    ///
    /// # Example
    /// ```
    /// use tower_lifeline::{AdmissionGate, GateLimits};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let model = AdmissionGate::new(GateLimits::builder(4).build()?);
    /// let seat = model.enter().await?;
    /// assert_eq!(model.figures().in_flight, 1);
    /// drop(seat);
    /// assert_eq!(model.figures().in_flight, 0);
    /// # Ok(()) }
    /// ```
    #[inline]
    pub fn enter(&self) -> Enter {
        Enter::new(self.root.clone())
    }

    /// A seat in the standard class, if there is one at once.
    ///
    /// # Errors
    /// [`GateRefused`]: there is none, or the gate is closed.
    #[inline]
    pub fn try_enter(&self) -> Result<Seat, GateRefused> {
        if !self.root.lists {
            if let Some(entry) = self.root.core.take() {
                return Ok(Seat::new(self.root.clone(), entry));
            }
        }
        self.try_enter_slowly()
    }

    #[cold]
    fn try_enter_slowly(&self) -> Result<Seat, GateRefused> {
        let listed = self.root.lists.then(|| Listed {
            since: now(),
            tool: None,
            stall: None,
            phase: SeatPhase::Work,
        });
        let class = Class::STANDARD.index();
        match self.root.core.enter(
            Ask {
                class,
                key: None,
                listed,
            },
            false,
        ) {
            Entered::Seat(entry) => Ok(Seat::new(self.root.clone(), entry)),
            Entered::WouldRefuse(entry, reason) => {
                // Before the observer, which may panic: then the seat is given back.
                let seat = Seat::new(self.root.clone(), entry);
                self.root.report_refused(class, reason, Outcome::WouldHaveRefused);
                Ok(seat)
            }
            Entered::Refused(reason) => {
                self.root.report_refused(class, reason, Outcome::Failed);
                Err(GateRefused::new(
                    self.root.name,
                    self.root.class_name(class),
                    reason,
                ))
            }
            Entered::Waiting(place) => {
                // Never: it was said that nobody waits.
                self.root.core.abandon(&place);
                Err(GateRefused::new(
                    self.root.name,
                    "standard",
                    crate::refusal::Reason::QueueFull,
                ))
            }
        }
    }

    /// The name that the gate was given.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.root.name
    }

    /// How the gate stands.
    #[must_use]
    pub fn figures(&self) -> GateFigures {
        GateFigures::new(&self.root.core.standing())
    }

    /// How one class stands. `None`: there is no such class; the exempt are not counted.
    #[must_use]
    pub fn class_figures(&self, class: Class) -> Option<ClassFigures> {
        let (setup, in_flight, waiting) = self.root.core.class(class.index())?;
        Some(ClassFigures {
            name: setup.name,
            seats: setup.seats,
            in_flight,
            max_queue: setup.places,
            waiting,
            is_apart: setup.apart,
        })
    }

    /// How all classes stand, the standard class first.
    pub fn all_class_figures(&self) -> impl Iterator<Item = ClassFigures> {
        (0..Class::EXEMPT.index()).map_while(|index| self.class_figures(Class::new(index)))
    }

    /// Who holds the seats, the oldest first: the question of three o'clock in the morning.
    ///
    /// Empty unless the gate was built with [`list_seats`](AdmissionGateBuilder::list_seats).
    #[must_use]
    pub fn seats(&self) -> Vec<SeatInfo> {
        let now = now();
        let listed = self.root.core.listing().into_iter();
        let mut seats: Vec<_> = listed
            .map(|(class, listed)| SeatInfo::new(class, listed, now))
            .collect();
        seats.sort_by_key(|seat| std::cmp::Reverse(seat.age()));
        seats
    }

    /// Changes the number of seats. Whoever is in stays in; nobody comes in until fewer are in than this.
    ///
    /// # Errors
    /// Refuses zero (close the gate instead) and more than 1,048,575.
    pub fn set_max_in_flight(&self, seats: u32) -> Result<(), ConfigError> {
        check_seats("max_in_flight", seats)?;
        self.root.core.set_limits(|limits| limits.max_in_flight = seats);
        Ok(())
    }

    /// Changes the number of places in the queue. Whoever waits there stays.
    ///
    /// # Errors
    /// Refuses more than 1,048,575.
    pub fn set_max_queue(&self, places: u32) -> Result<(), ConfigError> {
        check_places("max_queue", places)?;
        self.root.core.set_limits(|limits| limits.max_queue = places);
        Ok(())
    }

    /// Changes the longest wait, of those who have yet to line up.
    ///
    /// # Errors
    /// Refuses zero.
    pub fn set_queue_timeout(&self, limit: Duration) -> Result<(), ConfigError> {
        check_queue_timeout(limit)?;
        self.root.core.set_limits(|limits| limits.queue_timeout = limit);
        Ok(())
    }

    /// Changes the share of one key, or switches it off.
    ///
    /// # Errors
    /// Refuses zero.
    pub fn set_key_share(&self, share: Option<u32>) -> Result<(), ConfigError> {
        share.map_or(Ok(()), check_share)?;
        self.root.core.set_limits(|limits| limits.key_share = share);
        Ok(())
    }

    /// Changes the seats and the places of a class.
    ///
    /// # Errors
    /// Refuses zero seats, more than 1,048,575 of either, and a class that has no limits of its own.
    pub fn set_class(&self, class: Class, seats: u32, max_queue: u32) -> Result<(), ConfigError> {
        check_seats("seats", seats)?;
        check_places("max_queue", max_queue)?;
        if self.root.core.set_class(class.index(), seats, max_queue) {
            return Ok(());
        }
        Err(ConfigError::new(
            "the class has no limits of its own that could be changed".into(),
        ))
    }

    /// Lets everybody in and only tells who would have been refused, in the figures and as events with
    /// [`Outcome::WouldHaveRefused`]; or ends that.
    ///
    /// Nobody waits in a dry run. Who comes when seats and places together are taken would have been refused;
    /// who comes before that would have waited, perhaps for too long, which a dry run cannot tell.
    /// A closed gate refuses in a dry run too.
    pub fn set_dry_run(&self, dry: bool) {
        self.root.core.set_dry_run(dry);
    }

    /// Lets nobody in any more: the first step of a drain. Those who wait are refused at once, so that they
    /// can go elsewhere while there is time; those who are in stay until they are done.
    ///
    /// It cannot be undone. The future that is returned tells when everybody is out; the gate is closed
    /// whether it is awaited or not.
    #[expect(
        clippy::must_use_candidate,
        reason = "to close without waiting is what many want"
    )]
    pub fn close(&self) -> Drained {
        if self.root.core.close() {
            self.root
                .reporter
                .report(&Event::GateClosed { gate: self.root.name });
        }
        self.drained()
    }

    /// Tells when the gate is closed and everybody is out.
    #[must_use]
    pub fn drained(&self) -> Drained {
        Drained::new(self.root.clone())
    }

    /// Whether the gate was closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.figures().is_closed
    }
}
