//! Heartbeats: their times and places, what parsers make of them, early commit, and real MCP over real sockets.

mod beats;
mod commit;
mod mcp;
mod parse;
mod words;
