//! A knowledge base of papers: what it holds, how it is searched, and how people's own texts come in.
//!
//! The binary of this package serves it. The library is there so that tests can take it apart.

pub mod collection;
pub mod embed;
pub mod ingest;
pub mod model;
pub mod paper;
pub mod store;
