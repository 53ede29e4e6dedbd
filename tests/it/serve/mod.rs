//! `serve`, over real sockets.

mod basics;
