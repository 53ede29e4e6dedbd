//! Vectors from a server.
