//! What the costs must stay below.

/// What a row adds to the bare handler is at most this share of what another row adds, in instructions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    pub(crate) row: &'static str,
    pub(crate) peers: &'static str,
    pub(crate) at_most: f64,
}

pub(crate) const TARGETS: [Target; 2] = [
    Target {
        row: "PhaseTimeout, all phases",
        peers: "tower-http, those three",
        at_most: 1.0 / 3.0,
    },
    Target {
        row: "AdmissionGate",
        peers: "LoadShed + ConcurrencyLimit",
        at_most: 0.5,
    },
];
