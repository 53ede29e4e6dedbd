//! The line structure of an event stream, tracked byte by byte.
