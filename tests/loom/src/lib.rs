//! The gate's core as it is, with stand-ins for the two types that it passes on without looking at them.
#![allow(dead_code, unused_imports, missing_docs, reason = "only what the tests in `gate` need is used here")]

#[path = "../../../src/client_stall.rs"]
mod client_stall;
#[path = "../../../src/gate/mod.rs"]
mod gate;

mod refusal {
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Reason {
        QueueFull,
        KeyShare,
        Draining,
    }
}
