//! Classes of requests: who is counted with whom.

use crate::request_head::RequestHead;

/// A class of requests at one gate, as [`AdmissionGateBuilder::class`](super::AdmissionGateBuilder::class) gave
/// it out.
///
/// A class of another gate means nothing at this one; it is taken for some class of this one, or for the
/// standard class where there are fewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Class(u8);

/// The limits of a class. See [`AdmissionGateBuilder::class`](super::AdmissionGateBuilder::class).
///
/// | limit | default | reason for the default |
/// |---|---|---|
/// | seats | as many as the whole has | a class without limits of its own is a name in figures and events |
/// | queue, without seats of its own | shared with the standard class | as above |
/// | queue, inside the whole with seats of its own | the smaller of 2 × seats and an equal part of the whole's `max_queue` | each class keeps places that no other can fill |
/// | queue, apart | 0 | a stream that cannot be served now is better opened elsewhere than kept waiting |
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClassLimits {
    pub(super) seats: Option<u32>,
    pub(super) max_queue: Option<u32>,
    pub(super) apart: bool,
}

/// Chooses the class of a request by its head.
///
/// Any `Fn(&RequestHead<'_>) -> Class` does, and [`McpClasses`](super::McpClasses) for MCP.
pub trait Classify: Send + Sync + 'static {
    /// The class of this request.
    fn classify(&self, head: &RequestHead<'_>) -> Class;
}

// === impl Class ===

impl Class {
    /// Everybody who is in no other class; no limits but those of the whole.
    pub const STANDARD: Self = Self(0);

    /// Passes the gate without a seat, a place or a count, even when it is closed: health checks, and what
    /// costs less to serve than to refuse.
    pub const EXEMPT: Self = Self(u8::MAX);

    /// Classes that a gate can have besides these two.
    pub(super) const MOST: usize = 250;

    pub(super) const fn new(index: u8) -> Self {
        Self(index)
    }

    pub(super) const fn index(self) -> u8 {
        self.0
    }

    pub(super) const fn is_exempt(self) -> bool {
        self.0 == Self::EXEMPT.0
    }
}

// === impl ClassLimits ===

impl ClassLimits {
    /// No limits of its own: only a name in figures, listings and events. It waits in the standard class's
    /// places.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            seats: None,
            max_queue: Some(0),
            apart: false,
        }
    }

    /// So many seats at most, inside the whole: each is one of the whole's as well.
    #[must_use]
    pub const fn inside(seats: u32) -> Self {
        Self {
            seats: Some(seats),
            max_queue: None,
            apart: false,
        }
    }

    /// So many seats of its own, which do not count in the whole. For long-lived streams: inside the whole they
    /// would hold its seats for hours.
    #[must_use]
    pub const fn apart(seats: u32) -> Self {
        Self {
            seats: Some(seats),
            max_queue: None,
            apart: true,
        }
    }

    /// Lets so many of the class wait. Inside the whole these places are part of the whole's `max_queue`.
    ///
    /// Without seats of its own, zero means that the class shares the standard class's places.
    #[must_use]
    pub const fn with_max_queue(mut self, places: u32) -> Self {
        self.max_queue = Some(places);
        self
    }
}

impl<F> Classify for F
where
    F: Fn(&RequestHead<'_>) -> Class + Send + Sync + 'static,
{
    fn classify(&self, head: &RequestHead<'_>) -> Class {
        self(head)
    }
}
