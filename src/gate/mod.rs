//! The gate's core: who may go in, who waits, who is sent away. It knows neither time nor tasks: it is told
//! the time where it needs it, and hands back whoever is to be woken.
//!
//! Without classes and keys a seat is one count in one atomic [`Word`]; the lock is for those who wait, and for
//! seats that carry more than themselves (a class with limits of its own, a key, a line in the listing).

mod control;
mod core;
mod entries;
mod place;
mod queue;
mod rate;
mod room;
mod sync;
mod word;

#[cfg(all(test, loom))]
mod loom_tests;
#[cfg(test)]
mod tests;

pub(crate) use self::control::Standing;
pub(crate) use self::core::{Ask, Core, Entered, Limits, Turn, Wake};
pub use self::entries::SeatPhase;
pub(crate) use self::entries::{EntryId, Listed};
pub(crate) use self::place::PlaceId;
pub(crate) use self::rate::{spread, whole_seconds};
pub(crate) use self::room::ClassSetup;
pub(crate) use self::word::MAX_SEATS;
