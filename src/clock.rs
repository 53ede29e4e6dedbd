//! The one place where this crate asks for the time.

use std::time::Instant;

/// Now, on tokio's clock, so that a paused clock governs everything here.
#[inline]
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
