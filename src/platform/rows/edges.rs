//! Edges and platforms that run a server and stand in front of it.

use super::secs;
use crate::platform::row::{Buffering, Confidence, Platform};

impl Platform {
    /// Cloudflare in front of a host name. The 100 s that guides give are outdated: its documentation says 120 s now.
    pub const CLOUDFLARE: Self = Self {
        name: "cloudflare",
        title: "Cloudflare (proxied host name)",
        first_byte: secs(120),
        idle: secs(120),
        upstream_keep_alive: secs(900),
        buffering: Buffering::Streams,
        cut_before_head: "524",
        cut_after_head: "the stream is reset: after the head no status is possible",
        meaning: "Proxy read timeout: the longest time between two reads from the origin, so it limits the first byte \
                  and every silence. Copies of the page up to April 2025 say 100 s, and logs of January 2026 show \
                  cuts after 125 s of silence: plan with 100 s. A write to the origin has 30 s. Connections of clients \
                  may be idle for 400 s.",
        configure: "Enterprise only: zone setting proxy_read_timeout or a Cache Rule, up to 6000 s; else a host name \
                    that is DNS-only",
        source: "cloudflare-docs: connection-limits.mdx, error-524.mdx",
        as_of: "2026-11-22",
        ..Self::BLANK
    };

    /// cloudflared, the connector of Cloudflare Tunnel. Cloudflare itself is one more hop: `cloudflare,cloudflared`.
    pub const CLOUDFLARED: Self = Self {
        name: "cloudflared",
        title: "Cloudflare Tunnel (cloudflared)",
        first_byte: secs(120),
        idle: secs(120),
        upstream_keep_alive: secs(90),
        buffering: Buffering::Streams,
        cut_before_head: "502 or 524",
        cut_after_head: "the stream is reset",
        meaning: "The limits of Cloudflare apply: 120 s, plan with 100 s. It flushes responses without a \
                  Content-Length, chunked ones, and text/event-stream, gRPC and application/x-ndjson. Connecting to \
                  the server may take 30 s.",
        configure: "originRequest: connectTimeout, keepAliveTimeout; the rest as Cloudflare",
        source: "ingress/config.go and connection/connection.go of cloudflare/cloudflared at d1df7985",
        as_of: "2026-11-22",
        behaviour_confidence: Confidence::Verified,
        ..Self::BLANK
    };

    /// ngrok.
    pub const NGROK: Self = Self {
        name: "ngrok",
        title: "ngrok",
        idle: secs(300),
        buffering: Buffering::Streams,
        cut_before_head: "ERR_NGROK_3004",
        cut_after_head: "the connection closes",
        meaning: "Each direction may be silent for 300 s. There is no limit to the response head of its own.",
        configure: "through its support only",
        source: "ngrok documentation, http.mdx",
        as_of: "2026-08",
        ..Self::BLANK
    };

    /// Fly.io. The 75 s that guides give have no source: they are nginx's default for connections of clients.
    pub const FLY: Self = Self {
        name: "fly",
        title: "Fly.io (HTTP handler)",
        first_byte: secs(60),
        idle: secs(60),
        kill: secs(5),
        buffering: Buffering::Unknown,
        cut_before_head: "502",
        cut_after_head: "the connection closes",
        meaning: "Fly.io documents a setting and no default: 60 s is what older pages said and what users report. 75 s \
                  has no source; it is nginx's default for connections of clients. SIGKILL comes 5 s after SIGTERM \
                  (kill_timeout, at most 300 s). The edge compresses what has no Content-Encoding.",
        configure: "fly.toml: [http_service.http_options] idle_timeout = 600; kill_timeout = \"60s\"; concurrency type \
                    \"requests\"",
        source: "reference/configuration of superfly/docs at 5c22c8ce; the default: fly.io/docs/reference/services \
                 (older copy) and users' reports",
        as_of: "2026-08-07",
        kill_source: "blueprints/long-running-tasks of superfly/docs, 2026-08-07, verified",
        confidence: Confidence::Secondary,
        ..Self::BLANK
    };

    /// Heroku. The 55 s that guides give are half of it: before them stand 30 s to the first byte.
    pub const HEROKU: Self = Self {
        name: "heroku",
        title: "Heroku",
        first_byte: secs(30),
        idle: secs(55),
        kill: secs(30),
        buffering: Buffering::Streams,
        cut_before_head: "503, H12 in the router's log",
        cut_after_head: "the connection closes, H15 in the router's log",
        meaning: "30 s to the first byte, from the moment the whole request has been passed to the dyno; then each \
                  byte, in either direction, restarts a window of 55 s. The dyno is not told of a cut and works on. A \
                  router has at most 50 requests under way per dyno, by older pages. SIGKILL comes 30 s after SIGTERM.",
        configure: "nothing: its limits are fixed",
        source: "https://devcenter.heroku.com/articles/request-timeout",
        as_of: "2024-05-07",
        kill_source: "https://devcenter.heroku.com/articles/dyno-shutdown-behavior, 2024-12-03, verified",
        behaviour_confidence: Confidence::Secondary,
        ..Self::BLANK
    };

    /// Railway, with 15 minutes for a response, however lively.
    pub const RAILWAY: Self = Self {
        name: "railway",
        title: "Railway",
        first_byte: secs(300),
        idle: secs(300),
        total: secs(900),
        request_read: secs(300),
        buffering: Buffering::Streams,
        cut_before_head: "502",
        cut_after_head: "the connection closes",
        meaning: "A request may take 15 min if data keeps flowing, and is closed after 5 min without any. An upload \
                  has 5 min. Event streams are never buffered, cached or compressed. HTTP/1.1 connections of clients \
                  may be idle for 60 s.",
        configure: "nothing: its limits are fixed",
        source: "Railway documentation, specs-and-limits.md and cdn.md",
        as_of: "2026-07-21",
        behaviour_confidence: Confidence::Verified,
        ..Self::BLANK
    };

    /// Vercel functions (Node, Fluid compute).
    pub const VERCEL: Self = Self {
        name: "vercel",
        title: "Vercel functions (Fluid)",
        first_byte: secs(300),
        total: secs(300),
        buffering: Buffering::Streams,
        cut_before_head: "504, FUNCTION_INVOCATION_TIMEOUT",
        cut_after_head: "the response is truncated",
        meaning: "maxDuration, 300 s by default and 800 s at most (Pro, Enterprise), includes the time in which a \
                  response streams; then the function is ended.",
        configure: "maxDuration of the function, up to 800 s (Pro, Enterprise)",
        source: "Vercel documentation on function duration (2025-12, 2026-08); the numbers: its plugin and knowledge \
                 base",
        as_of: "2026-08",
        confidence: Confidence::Secondary,
        ..Self::BLANK
    };

    /// Vercel's edge functions, with the tightest limit to a first byte of all but Envoy.
    pub const VERCEL_EDGE: Self = Self {
        name: "vercel-edge",
        title: "Vercel edge functions",
        first_byte: secs(25),
        buffering: Buffering::Streams,
        cut_before_head: "504",
        cut_after_head: "the response is truncated",
        meaning: "A response must begin within 25 s and may go on then; for how long was not verified (300 s is said).",
        configure: "nothing: its limits are fixed",
        source: "Vercel documentation, limitations of edge functions",
        as_of: "2024",
        ..Self::BLANK
    };

    /// Kubernetes itself: no proxy, but what stops the server.
    pub const KUBERNETES: Self = Self {
        name: "kubernetes",
        title: "Kubernetes (pod)",
        kill: secs(30),
        is_http: false,
        buffering: Buffering::Streams,
        meaning: "No HTTP hop: name the ingress before it. SIGKILL comes terminationGracePeriodSeconds after the pod \
                  began to end, and a preStop hook uses up some of it.",
        configure: "terminationGracePeriodSeconds of the pod",
        source: "kubernetes.io, pod-termination; the default: spring-projects/spring-boot#26469",
        as_of: "2026-11-22",
        confidence: Confidence::Secondary,
        ..Self::BLANK
    };
}
