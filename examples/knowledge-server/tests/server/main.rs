//! The server without a database or a model, used by the official clients of MCP and by one that speaks HTTP alone.
//! What is missing is installed; where that fails, the test fails.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by a panic")]

mod clients;
mod outliving;
mod overload;
mod process;
#[path = "../serving/mod.rs"]
mod serving;
mod wire;
