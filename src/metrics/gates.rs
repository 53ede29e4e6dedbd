//! How gates stand, as gauges.

use std::fmt;

use metrics::{Counter, Gauge};

use super::register::{Handle, describe};
use super::table as t;
use crate::admission_gate::{AdmissionGate, ClassFigures};

/// The gauges of one gate, set when they are told to: see [`record`](Self::record).
pub struct GateGauges {
    gate: AdmissionGate,
    seats: Gauge,
    in_flight: Gauge,
    queue_places: Gauge,
    queued: Gauge,
    closed: Gauge,
    dry_run: Gauge,
    admitted: Counter,
    classes: Vec<ClassGauges>,
}

struct ClassGauges {
    seats: Gauge,
    in_flight: Gauge,
    queue_places: Gauge,
    queued: Gauge,
}

/// Why gates refuse, but for phases.
const REASONS: [&str; 4] = ["queue_full", "queue_timeout", "key_share", "draining"];

// === impl GateGauges ===

impl GateGauges {
    /// Gauges of this gate, with the recorder that is installed now; two gates need two names.
    ///
    /// The counters of the gate's refusals exist from now on, at zero, so that the first refusal is an increase.
    #[must_use]
    pub fn new(gate: &AdmissionGate) -> Self {
        describe();
        let name = gate.name();
        let gauge = |metric| Gauge::register(metric, &[name]);
        let classes = gate.all_class_figures().map(|class| {
            for reason in REASONS {
                // Registered is all that it has to be: the recorder keeps it.
                let _ = Counter::register(&t::GATE_REFUSALS, &[name, class.name, reason, "refused"]);
            }
            ClassGauges::new(name, class.name)
        });
        Self {
            classes: classes.collect(),
            gate: gate.clone(),
            seats: gauge(&t::GATE_SEATS),
            in_flight: gauge(&t::GATE_IN_FLIGHT),
            queue_places: gauge(&t::GATE_QUEUE_PLACES),
            queued: gauge(&t::GATE_QUEUED),
            closed: gauge(&t::GATE_CLOSED),
            dry_run: gauge(&t::GATE_DRY_RUN),
            admitted: Counter::register(&t::GATE_ADMITTED, &[name]),
        }
    }

    /// Sets the gauges to how the gate stands: when they are read, or from time to time, as
    /// [`watch_runtime`](super::watch_runtime) does. It takes the lock of the gate's queue once for the whole and
    /// once for each class.
    pub fn record(&self) {
        let figures = self.gate.figures();
        self.seats.set(figures.max_in_flight);
        self.in_flight.set(figures.in_flight);
        self.queue_places.set(figures.max_queue);
        self.queued.set(figures.waiting);
        self.closed.set(u8::from(figures.is_closed));
        self.dry_run.set(u8::from(figures.is_dry_run));
        self.admitted.absolute(figures.admitted);
        for (gauges, class) in self.classes.iter().zip(self.gate.all_class_figures()) {
            gauges.record(&class, figures.max_in_flight);
        }
    }
}

impl fmt::Debug for GateGauges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GateGauges")
            .field("gate", &self.gate.name())
            .finish_non_exhaustive()
    }
}

// === impl ClassGauges ===

impl ClassGauges {
    fn new(gate: &'static str, class: &'static str) -> Self {
        let gauge = |metric| Gauge::register(metric, &[gate, class]);
        Self {
            seats: gauge(&t::GATE_CLASS_SEATS),
            in_flight: gauge(&t::GATE_CLASS_IN_FLIGHT),
            queue_places: gauge(&t::GATE_CLASS_QUEUE_PLACES),
            queued: gauge(&t::GATE_CLASS_QUEUED),
        }
    }

    fn record(&self, class: &ClassFigures, whole: u32) {
        self.seats.set(class.seats.unwrap_or(whole));
        self.in_flight.set(class.in_flight);
        self.queue_places.set(class.max_queue);
        self.queued.set(class.waiting);
    }
}
