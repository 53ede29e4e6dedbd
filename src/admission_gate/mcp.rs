//! Classes of MCP requests, by what their headers bind themselves to.

use std::borrow::Cow;
use std::collections::HashMap;

use http::{HeaderMap, Method};

use super::{Class, Classify};
use crate::media::{self, EVENT_STREAM};
use crate::request_head::RequestHead;
use crate::rpc::{self, CallSlot, Message};

/// The classes of MCP requests. See [`AdmissionGateBuilder::mcp`](super::AdmissionGateBuilder::mcp).
///
/// | request | class |
/// |---|---|
/// | a path given to [`health`](Self::health) | exempt |
/// | a path not given to [`only`](Self::only), where one was | standard |
/// | `subscriptions/listen`, and a GET that accepts `text/event-stream` | `streams`: apart from the whole, 1024 seats |
/// | DELETE (the end of a session), OPTIONS | exempt |
/// | `ping`, `initialize`, `tools/list`, `notifications/…` | exempt |
/// | `tools/call` of a tool given to [`tool`](Self::tool) | that class |
/// | a method given to [`method`](Self::method) | that class |
/// | all others | standard |
///
/// The method is believed where `Mcp-Method` names it and `MCP-Protocol-Version` is 2026-07-28 or newer: from that
/// revision on an MCP server has to refuse a request whose headers and body disagree. Older requests and those
/// without the headers are standard: what they are stands in the body, which is read too late to decide, and a
/// claim that nothing binds would be a way around the gate. Only where a layer outside has read the body and noted
/// the call in a [`CallSlot`] of the extensions are `initialize` and `ping` of old clients exempt as well.
///
/// **Say where MCP is served**, with [`only`](Self::only), wherever the gate stands before anything else too: other
/// handlers compare no headers with bodies, so without a path a POST, DELETE, OPTIONS or GET to *them* passes the
/// gate without a seat as soon as its method or its headers say so.
#[derive(Clone, Debug)]
pub struct McpClasses {
    streams: Class,
    health: Vec<Box<str>>,
    /// Where MCP is served; empty: everywhere.
    paths: Vec<Box<str>>,
    methods: HashMap<Box<str>, Class>,
    tools: HashMap<Box<str>, Class>,
}

/// Methods that cost less to serve than to refuse.
const EXEMPT: [&str; 3] = ["initialize", "ping", "tools/list"];

// === impl McpClasses ===

impl McpClasses {
    pub(super) fn new(streams: Class) -> Self {
        let methods = EXEMPT.map(|method| (method.into(), Class::EXEMPT)).into();
        Self {
            streams,
            health: Vec::new(),
            paths: Vec::new(),
            methods,
            tools: HashMap::new(),
        }
    }

    /// Exempts a path, for health checks: `/healthz`.
    #[must_use]
    pub fn health(mut self, path: &str) -> Self {
        self.health.push(path.into());
        self
    }

    /// Classifies the requests to this path (`/mcp`) alone, exactly as the layer sees it: within a nested router
    /// without the prefix. May be given more than once. All other requests are standard, but for
    /// [`health`](Self::health).
    #[must_use]
    pub fn only(mut self, path: &str) -> Self {
        self.paths.push(path.into());
        self
    }

    /// Puts the calls of one tool into a class.
    #[must_use]
    pub fn tool(mut self, name: &str, class: Class) -> Self {
        self.tools.insert(name.into(), class);
        self
    }

    /// Puts the requests of one method into a class.
    #[must_use]
    pub fn method(mut self, method: &str, class: Class) -> Self {
        self.methods.insert(method.into(), class);
        self
    }

    /// Puts long-lived streams into another class than their own.
    #[must_use]
    pub const fn streams(mut self, class: Class) -> Self {
        self.streams = class;
        self
    }

    fn by_method(&self, head: &RequestHead<'_>) -> Class {
        let headers = head.headers();
        let Some(method) = rpc::header_method(headers) else {
            return by_body(head);
        };
        if method == rpc::SUBSCRIPTIONS_LISTEN {
            return self.streams;
        }
        if method.starts_with("notifications/") {
            return Class::EXEMPT;
        }
        let by_tool = tool(headers).and_then(|tool| self.tools.get(&*tool));
        by_tool
            .or_else(|| self.methods.get(method))
            .copied()
            .unwrap_or(Class::STANDARD)
    }
}

impl Classify for McpClasses {
    fn classify(&self, head: &RequestHead<'_>) -> Class {
        let is_among = |paths: &[Box<str>]| paths.iter().any(|path| **path == *head.uri().path());
        if is_among(&self.health) {
            return Class::EXEMPT;
        }
        if !self.paths.is_empty() && !is_among(&self.paths) {
            return Class::STANDARD;
        }
        match *head.method() {
            Method::POST => self.by_method(head),
            Method::GET if media::accepts(head.headers(), EVENT_STREAM) => self.streams,
            Method::DELETE | Method::OPTIONS => Class::EXEMPT,
            _ => Class::STANDARD,
        }
    }
}

/// What only the body tells, where somebody has read it already.
fn by_body(head: &RequestHead<'_>) -> Class {
    let call = head.extensions().get::<CallSlot>().and_then(CallSlot::call);
    match call.and_then(Message::method) {
        Some("initialize" | "ping") => Class::EXEMPT,
        _ => Class::STANDARD,
    }
}

/// The tool that a `tools/call` names in its headers, where they bind.
pub(super) fn tool(headers: &HeaderMap) -> Option<Cow<'_, str>> {
    if rpc::header_method(headers)? != "tools/call" {
        return None;
    }
    let name = headers.get("mcp-name")?.to_str().ok()?;
    let Some(encoded) = name
        .strip_prefix("=?base64?")
        .and_then(|rest| rest.strip_suffix("?="))
    else {
        return Some(Cow::Borrowed(name));
    };
    String::from_utf8(base64(encoded)?).ok().map(Cow::Owned)
}

/// Standard Base64 (RFC 4648, section 4), padded or not.
fn base64(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=').as_bytes();
    let mut bytes = Vec::with_capacity(digits.len() * 3 / 4);
    let (mut bits, mut count) = (0u32, 0);
    for digit in digits {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    (bits == 0 && count < 6).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(method: Method, path: &str, headers: &[(&'static str, &str)]) -> http::Request<()> {
        let mut request = http::Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap()
    }

    fn of(request: &http::Request<()>) -> Class {
        let (streams, search, reads) = (Class::new(1), Class::new(2), Class::new(3));
        let classes = McpClasses::new(streams).health("/healthz").tool("search", search);
        classes
            .tool("suche für alle", search)
            .method("resources/read", reads)
            .classify(&RequestHead::of(request))
    }

    fn post(headers: &[(&'static str, &str)]) -> Class {
        let version = [("mcp-protocol-version", "2026-07-28")];
        of(&head(Method::POST, "/mcp", &[&version, headers].concat()))
    }

    #[test]
    fn binding_headers_choose_the_class() {
        for method in ["initialize", "ping", "tools/list", "notifications/cancelled"] {
            assert_eq!(post(&[("mcp-method", method)]), Class::EXEMPT, "{method}");
        }
        let call = |name| post(&[("mcp-method", "tools/call"), ("mcp-name", name)]);
        assert_eq!(call("search"), Class::new(2));
        assert_eq!(call("=?base64?c3VjaGUgZsO8ciBhbGxl?="), Class::new(2));
        assert_eq!(call("=?base64?!?="), Class::STANDARD);
        assert_eq!(call("other"), Class::STANDARD);
        assert_eq!(
            post(&[("mcp-method", "prompts/get"), ("mcp-name", "search")]),
            Class::STANDARD
        );
        assert_eq!(post(&[("mcp-method", "resources/read")]), Class::new(3));
        assert_eq!(post(&[("mcp-method", "subscriptions/listen")]), Class::new(1));
    }

    #[test]
    fn without_a_binding_revision_everything_is_standard() {
        for version in [None, Some("2025-11-25"), Some("soon")] {
            let mut headers = vec![("mcp-method", "ping")];
            headers.extend(version.map(|version| ("mcp-protocol-version", version)));
            assert_eq!(of(&head(Method::POST, "/mcp", &headers)), Class::STANDARD);
        }
    }

    #[test]
    fn a_body_that_was_read_binds_as_well() {
        let with = |json: &str| {
            let mut request = head(Method::POST, "/mcp", &[]);
            let (slot, mut scanner) = (CallSlot::new(), rpc::Scanner::new());
            scanner.feed(json.as_bytes());
            slot.fill(scanner.finish().unwrap());
            request.extensions_mut().insert(slot);
            of(&request)
        };
        assert_eq!(with(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#), Class::EXEMPT);
        assert_eq!(
            with(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call"}"#),
            Class::STANDARD
        );
    }

    #[test]
    fn elsewhere_nothing_that_a_request_says_of_itself_counts() {
        let classes = McpClasses::new(Class::new(1)).health("/healthz").only("/mcp");
        let of = |method, path| {
            let headers = [
                ("mcp-method", "ping"),
                ("mcp-protocol-version", "2026-07-28"),
                ("accept", "text/event-stream"),
            ];
            classes.classify(&RequestHead::of(&head(method, path, &headers)))
        };
        for (method, class) in [
            (Method::POST, Class::EXEMPT),
            (Method::DELETE, Class::EXEMPT),
            (Method::OPTIONS, Class::EXEMPT),
            (Method::GET, Class::new(1)),
        ] {
            assert_eq!(of(method.clone(), "/mcp"), class);
            for path in ["/", "/mcp/", "/other"] {
                assert_eq!(of(method.clone(), path), Class::STANDARD, "{method} {path}");
            }
            assert_eq!(of(method, "/healthz"), Class::EXEMPT);
        }
    }

    #[test]
    fn paths_and_http_methods_do_without_headers() {
        assert_eq!(of(&head(Method::GET, "/healthz", &[])), Class::EXEMPT);
        assert_eq!(of(&head(Method::GET, "/mcp", &[])), Class::STANDARD);
        assert_eq!(
            of(&head(Method::GET, "/mcp", &[("accept", "text/event-stream")])),
            Class::new(1)
        );
        assert_eq!(of(&head(Method::DELETE, "/mcp", &[])), Class::EXEMPT);
    }

    #[test]
    fn base64_is_read_strictly() {
        assert_eq!(base64("Zm9v").as_deref(), Some(&b"foo"[..]));
        assert_eq!(base64("Zm8=").as_deref(), Some(&b"fo"[..]));
        assert_eq!(base64("Zg").as_deref(), Some(&b"f"[..]));
        assert_eq!((base64("Z"), base64("Z*==")), (None, None));
    }
}
