//! The store, the model clients and the whole server against the real thing: PostgreSQL with pgvector, and a language
//! model. Both are installed by the first test that needs them; where that fails, the test fails.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by a panic")]

mod model;
#[path = "../parts/mod.rs"]
mod parts;
mod pg;
mod server;
#[path = "../serving/mod.rs"]
mod serving;
mod texts;
#[cfg(feature = "tls")]
mod tls;
