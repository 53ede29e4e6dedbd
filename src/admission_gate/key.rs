//! Keys: on whose account a request is.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hash};
use std::sync::OnceLock;

use http::HeaderName;

use super::mcp;
use crate::request_head::RequestHead;

/// On whose account a request is: a client, a session, a tool.
///
/// It is a hash of 64 bits under a random key of the process, so that keys of any length cost the same and
/// nobody can aim at somebody else's. The gate remembers a key only while one of its requests is in or waits:
/// an unbounded set of keys takes no more memory than there are seats and places.
///
/// There is no key by peer address, on purpose: behind a proxy every peer is the proxy. Where there is none, make
/// one of what your server puts into the extensions: `Key::of(addr.ip())`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key(u64);

// === impl Key ===

impl Key {
    /// The key of anything that can be hashed.
    #[must_use]
    pub fn of(value: impl Hash) -> Self {
        static SEED: OnceLock<RandomState> = OnceLock::new();
        Self(SEED.get_or_init(RandomState::new).hash_one(value))
    }

    /// The value of this header. `None`, where it is absent.
    #[must_use]
    pub fn header(head: &RequestHead<'_>, name: &HeaderName) -> Option<Self> {
        head.headers().get(name).map(|value| Self::of(value.as_bytes()))
    }

    /// The MCP session (`Mcp-Session-Id`, revisions up to 2025-11-25).
    #[must_use]
    pub fn mcp_session(head: &RequestHead<'_>) -> Option<Self> {
        Self::header(head, &HeaderName::from_static("mcp-session-id"))
    }

    /// The MCP tool (`Mcp-Name` of a `tools/call`, revision 2026-07-28 or newer).
    #[must_use]
    pub fn mcp_tool(head: &RequestHead<'_>) -> Option<Self> {
        mcp::tool(head.headers()).map(Self::of)
    }

    pub(super) const fn get(self) -> u64 {
        self.0
    }
}
