//! What MCP's own request headers say, where they may be believed.

use http::{HeaderMap, HeaderName};

/// The method that opens a stream which stays open for as long as the client listens (MCP 2026-07-28).
pub(crate) const SUBSCRIPTIONS_LISTEN: &str = "subscriptions/listen";

// As names, because a text is parsed at each look.
static METHOD: HeaderName = HeaderName::from_static("mcp-method");
static PROTOCOL_VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
static SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");

/// The first revision whose servers have to refuse a request whose headers and body disagree, and the first
/// without sessions and resumption.
const HEADERS_BIND_SINCE: &str = "2026-07-28";

/// The JSON-RPC method that `Mcp-Method` names, if the request's revision makes that binding. Without a
/// revision, or with an older one, the header is anybody's claim.
pub(crate) fn header_method(headers: &HeaderMap) -> Option<&str> {
    let method = headers.get(&METHOD)?.to_str().ok()?;
    let revision = headers.get(&PROTOCOL_VERSION)?.to_str().ok()?;
    is_at_least(revision, HEADERS_BIND_SINCE).then_some(method)
}

/// Whether the request says of itself that it is one of MCP's streams.
pub(crate) fn is_mcp(headers: &HeaderMap) -> bool {
    headers.contains_key(&PROTOCOL_VERSION) || headers.contains_key(&SESSION_ID)
}

/// Whether a stream in answer to the request can be resumed, should it send ids. From 2026-07-28 on there is no
/// way to.
pub(crate) fn can_resume(headers: &HeaderMap) -> bool {
    let revision = headers
        .get(&PROTOCOL_VERSION)
        .and_then(|value| value.to_str().ok());
    !revision.is_some_and(|revision| is_at_least(revision, HEADERS_BIND_SINCE))
}

/// Revisions are dates, which compare as text.
fn is_at_least(revision: &str, since: &str) -> bool {
    let is_date = |text: &str| {
        text.len() == since.len()
            && text.bytes().zip(since.bytes()).all(|(byte, like)| match like {
                b'-' => byte == b'-',
                _ => byte.is_ascii_digit(),
            })
    };
    is_date(revision) && revision >= since
}

#[cfg(test)]
mod tests {
    use super::*;

    fn method_of(revision: Option<&'static str>) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert("mcp-method", http::HeaderValue::from_static(SUBSCRIPTIONS_LISTEN));
        if let Some(revision) = revision {
            headers.insert("mcp-protocol-version", http::HeaderValue::from_static(revision));
        }
        header_method(&headers) == Some(SUBSCRIPTIONS_LISTEN)
    }

    #[test]
    fn only_a_revision_that_binds_the_header_is_believed() {
        assert!(method_of(Some("2026-07-28")) && method_of(Some("2027-01-01")));
        for revision in [
            None,
            Some("2025-11-25"),
            Some("9999"),
            Some("zzzz-zz-zz"),
            Some(""),
        ] {
            assert!(!method_of(revision), "{revision:?}");
        }
    }

    #[test]
    fn what_is_stateless_cannot_be_resumed() {
        let with = |revision: &'static str| {
            HeaderMap::from_iter([(PROTOCOL_VERSION.clone(), http::HeaderValue::from_static(revision))])
        };
        assert!(can_resume(&HeaderMap::new()) && can_resume(&with("2025-11-25")));
        assert!(!can_resume(&with("2026-07-28")));
        assert!(is_mcp(&with("2025-11-25")) && !is_mcp(&HeaderMap::new()));
    }
}
