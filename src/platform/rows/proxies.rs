//! Proxies that people run themselves.

use super::secs;
use crate::platform::row::{Buffering, Confidence, Platform};

impl Platform {
    /// nginx. The 65 s that guides give are `keepalive_timeout` in its sample configuration: a connection *between*
    /// requests, which never cuts a stream. What cuts streams is `proxy_read_timeout`, 60 s.
    pub const NGINX: Self = Self {
        name: "nginx",
        title: "nginx",
        first_byte: secs(60),
        idle: secs(60),
        upstream_keep_alive: secs(60),
        buffering: Buffering::UnlessHeader,
        takes_header: true,
        cut_before_head: "504",
        cut_after_head: "HTTP/1.1: the connection closes without the last chunk; HTTP/2: RST_STREAM with INTERNAL_ERROR",
        meaning: "proxy_read_timeout runs between two reads, so it limits the first byte and every silence. Client \
                  headers and each silence of a request body have 60 s as well. keepalive_timeout (75 s; 65 s in the \
                  sample configuration) concerns connections of clients between requests and never cuts a stream. \
                  Before 1.29.7 upstream connections speak HTTP/1.0 unless proxy_http_version says otherwise, where a \
                  cut answer looks complete.",
        configure: "proxy_read_timeout 300s; proxy_buffering off; proxy_http_version 1.1;",
        source: "source of nginx/nginx at 3f6f7824 (1.31.5-dev)",
        as_of: "2026-08-21",
        behaviour_confidence: Confidence::Verified,
        ..Self::BLANK
    };

    /// ingress-nginx of Kubernetes, retired: no fixes after March 2026.
    pub const INGRESS_NGINX: Self = Self {
        name: "ingress-nginx",
        title: "ingress-nginx (Kubernetes)",
        first_byte: secs(60),
        idle: secs(60),
        upstream_keep_alive: secs(60),
        buffering: Buffering::Streams,
        takes_header: true,
        cut_before_head: "504",
        cut_after_head: "as nginx",
        meaning: "As nginx, with proxy-buffering off. After a reload of its configuration old workers live on for \
                  240 s (worker-shutdown-timeout), and their streams with them. The project is retired: no fixes \
                  after March 2026.",
        configure: "annotation nginx.ingress.kubernetes.io/proxy-read-timeout: \"300\"",
        source: "configmap.md and config.go of kubernetes/ingress-nginx at dbb11b92d",
        as_of: "2026-03",
        behaviour_confidence: Confidence::Verified,
        ..Self::BLANK
    };

    /// HAProxy with the timeouts of the first sample in its manual. It has none of its own.
    pub const HAPROXY: Self = Self {
        name: "haproxy",
        title: "HAProxy",
        first_byte: secs(50),
        idle: secs(50),
        buffering: Buffering::Streams,
        cut_before_head: "504 (sH in its log); 503 (sQ) for a request that waited in its queue",
        cut_after_head: "the connection is reset (sD, cD in its log)",
        meaning: "Without settings nothing is limited, and HAProxy warns at start. 50 s for server and client are what \
                  the first sample of its manual sets, and what is reckoned with here. timeout server limits the first \
                  byte and every silence, timeout client as well: the shorter counts. timeout tunnel is for upgraded \
                  connections, not for event streams.",
        configure: "timeout server 300s, timeout client 300s; option http-no-delay if small pieces come late",
        source: "doc/configuration.txt of haproxy/haproxy at 50872daa",
        as_of: "2026-08-21",
        behaviour_confidence: Confidence::Verified,
        ..Self::BLANK
    };

    /// Envoy, whose route `timeout` of 15 s is until the *end* of a response.
    pub const ENVOY: Self = Self {
        name: "envoy",
        title: "Envoy",
        first_byte: secs(15),
        idle: secs(300),
        total: secs(15),
        upstream_keep_alive: secs(3600),
        buffering: Buffering::Streams,
        cut_before_head: "504; 408 when stream_idle_timeout ran out",
        cut_after_head: "the stream is reset",
        meaning: "The timeout of a route runs from the end of the request to the end of the response, and no byte \
                  restarts it: streams need 0. stream_idle_timeout (300 s) is restarted by headers and data, not by \
                  pings.",
        configure: "route: { timeout: 0s, idle_timeout: 300s }",
        source: "docs faq/configuration/timeouts.rst and the API of envoyproxy/data-plane-api",
        as_of: "2026-01-29",
        behaviour_confidence: Confidence::Verified,
        ..Self::BLANK
    };

    /// Istio, which is Envoy without a timeout of its routes.
    pub const ISTIO: Self = Self {
        name: "istio",
        title: "Istio",
        idle: secs(300),
        upstream_keep_alive: secs(3600),
        buffering: Buffering::Streams,
        cut_before_head: "as Envoy",
        cut_after_head: "as Envoy",
        meaning: "The timeout of routes is off by default; Envoy's stream_idle_timeout stays, and limits a silence \
                  before the head as well as after it.",
        configure: "VirtualService: http.timeout (off by default); EnvoyFilter for stream_idle_timeout",
        source: "istio.io, task request-timeouts; Envoy's API",
        as_of: "2026-01-29",
        confidence: Confidence::Secondary,
        behaviour_confidence: Confidence::Verified,
        ..Self::BLANK
    };

    /// Traefik 3.
    pub const TRAEFIK: Self = Self {
        name: "traefik",
        title: "Traefik 3",
        request_read: secs(60),
        upstream_keep_alive: secs(90),
        buffering: Buffering::Streams,
        cut_before_head: "504",
        cut_after_head: "the connection is reset",
        meaning: "Neither the first byte nor silence is limited. A whole request, with its body, must arrive within \
                  60 s (respondingTimeouts.readTimeout, 0 before version 3). Clients' connections may be idle for \
                  180 s. Its compress middleware needs text/event-stream among its excluded types.",
        configure: "entryPoints.NAME.transport.respondingTimeouts.readTimeout",
        source: "source of traefik/traefik at fd5a576d (3.7)",
        as_of: "2026-07-24",
        behaviour_confidence: Confidence::Verified,
        ..Self::BLANK
    };

    /// Caddy 2.
    pub const CADDY: Self = Self {
        name: "caddy",
        title: "Caddy 2",
        upstream_keep_alive: secs(120),
        buffering: Buffering::Streams,
        cut_before_head: "502 or 504",
        cut_after_head: "the connection is reset",
        meaning: "Nothing limits the response; request headers have 60 s. encode, where it is on, compresses event \
                  streams too and flushes them; up to 2.11.4 it withholds the head until the first byte of the body, \
                  which an early beat brings out. On its unreleased master a single write to a client that stalls for \
                  60 s cuts; pauses between writes do not.",
        configure: "reverse_proxy: transport http { response_header_timeout, read_timeout }, stream_timeout",
        source: "source of caddyserver/caddy at 0cf03d32",
        as_of: "2026-08-21",
        behaviour_confidence: Confidence::Verified,
        ..Self::BLANK
    };

    /// Apache httpd with `mod_proxy_http`.
    pub const APACHE: Self = Self {
        name: "apache",
        title: "Apache httpd",
        first_byte: secs(60),
        idle: secs(60),
        buffering: Buffering::Streams,
        cut_before_head: "504",
        cut_after_head: "the connection closes",
        meaning: "ProxyTimeout, which is TimeOut where it is not set, runs between two reads. Clients' connections are \
                  closed after 5 s between requests. RequestReadTimeout gives request headers 20 to 40 s, and a body \
                  20 s and then 500 bytes per second.",
        configure: "ProxyTimeout 300",
        source: "documentation of httpd trunk: core, mod_proxy, mod_reqtimeout",
        as_of: "2024-10",
        ..Self::BLANK
    };

    /// Varnish.
    pub const VARNISH: Self = Self {
        name: "varnish",
        title: "Varnish",
        first_byte: secs(60),
        idle: secs(60),
        upstream_keep_alive: secs(60),
        buffering: Buffering::Streams,
        cut_before_head: "503",
        cut_after_head: "the connection closes",
        meaning: "first_byte_timeout and between_bytes_timeout. send_timeout (600 s, HTTP/1.1) cuts a response once a \
                  write has stalled. Event streams are usually passed or piped; a pipe may be idle for 60 s.",
        configure: "varnishd -p first_byte_timeout=300 -p between_bytes_timeout=300; in VCL per backend",
        source: "source of varnish-cache at 27d2ce15",
        as_of: "2026-02",
        ..Self::BLANK
    };

    /// Kong.
    pub const KONG: Self = Self {
        name: "kong",
        title: "Kong",
        first_byte: secs(60),
        idle: secs(60),
        upstream_keep_alive: secs(60),
        buffering: Buffering::UnlessHeader,
        takes_header: true,
        cut_before_head: "504",
        cut_after_head: "as nginx",
        meaning: "connect_timeout, write_timeout and read_timeout of a service, in milliseconds, run between two reads \
                  or writes. It is nginx inside. Routes buffer by default (response_buffering).",
        configure: "service: read_timeout 300000; route: response_buffering false",
        source: "source of Kong/kong at 22246ef",
        as_of: "2026-07",
        ..Self::BLANK
    };
}
