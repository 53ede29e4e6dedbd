//! A client that does not read its answer cannot hold on to what produces it.
//!
//! # Failure it stops
//! A client opens a stream and stops reading: a telephone in a tunnel, a browser tab that sleeps, an attacker.
//! Buffers fill, the server waits for room, and the answer's body waits for the server: with its database cursor,
//! its stream from the language model and its seat at the gate. Nothing in the body can end this, for nobody polls
//! it.

mod body;
mod future;
mod layer;
mod service;
mod slot;

pub use crate::slow_client::{SlowClient, SlowClientLimits, SlowClientLimitsBuilder, Slowness};

pub use self::body::SlowClientGuardBody;
pub use self::future::SlowClientGuardFuture;
pub use self::layer::SlowClientGuardLayer;
pub use self::service::SlowClientGuard;
