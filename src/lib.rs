//! Tower middleware that keeps long, streaming HTTP answers alive where they should live and ends them
//! cleanly where they must end.

pub mod rpc;
pub mod sse;
