//! A knowledge base of papers: what it holds, how it is searched, how people's own texts come in, and the server
//! that offers it over MCP.
//!
//! The binary of this package is the command line alone. The library is there so that tests can take it apart.

pub mod cli;
pub mod collection;
pub mod embed;
pub mod fault;
pub mod ingest;
pub mod knowledge;
pub mod model;
pub mod paper;
pub mod server;
pub mod shell;
pub mod stack;
pub mod store;

mod figures;
mod late;
mod mcp;
mod notice;
mod open;
mod origin;
