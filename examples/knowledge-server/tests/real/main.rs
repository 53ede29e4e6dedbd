//! The store and the model clients against the real thing: PostgreSQL with pgvector, and a language model. Both
//! are installed by the first test that needs them; where that fails, the test fails.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by a panic")]

mod model;
#[path = "../parts/mod.rs"]
mod parts;
mod pg;
mod texts;
