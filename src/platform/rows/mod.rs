//! The rows: what each platform does by default, each with its source. `docs/platforms.md` holds the same numbers, and
//! a test compares them.

mod aws;
mod clouds;
mod edges;
mod proxies;

use std::time::Duration;

use super::row::{Buffering, Confidence, Platform};

impl Platform {
    /// No platform: clients connect to the server itself.
    pub const DIRECT: Self = Self {
        name: "direct",
        title: "No platform",
        is_http: false,
        buffering: Buffering::Streams,
        meaning: "Clients connect to the server itself, so nothing but the server and the client limits anything.",
        ..Self::BLANK
    };

    /// Every row, [`DIRECT`](Self::DIRECT) first.
    pub const ALL: &'static [Self] = &[
        Self::DIRECT,
        Self::NGINX,
        Self::INGRESS_NGINX,
        Self::HAPROXY,
        Self::ENVOY,
        Self::ISTIO,
        Self::TRAEFIK,
        Self::CADDY,
        Self::APACHE,
        Self::VARNISH,
        Self::KONG,
        Self::CLOUDFLARE,
        Self::CLOUDFLARED,
        Self::NGROK,
        Self::FLY,
        Self::HEROKU,
        Self::RAILWAY,
        Self::VERCEL,
        Self::VERCEL_EDGE,
        Self::KUBERNETES,
        Self::AWS_ALB,
        Self::AWS_NLB,
        Self::AWS_APIGW_REST,
        Self::AWS_APIGW_REST_STREAM,
        Self::AWS_APIGW_REST_STREAM_EDGE,
        Self::AWS_APIGW_HTTP,
        Self::AWS_CLOUDFRONT,
        Self::AWS_APP_RUNNER,
        Self::GCP_EXTERNAL_ALB,
        Self::GCP_CLOUD_RUN,
        Self::AZURE_APPGW,
        Self::AZURE_FRONTDOOR,
        Self::AZURE_APP_SERVICE,
        Self::AZURE_CONTAINER_APPS,
    ];

    pub(super) const BLANK: Self = Self {
        name: "",
        title: "",
        first_byte: None,
        idle: None,
        total: None,
        request_read: None,
        upstream_keep_alive: None,
        kill: None,
        is_http: true,
        buffering: Buffering::Unknown,
        takes_header: false,
        cut_before_head: "",
        cut_after_head: "",
        meaning: "",
        configure: "",
        source: "",
        kill_source: "",
        as_of: "",
        confidence: Confidence::Verified,
        behaviour_confidence: Confidence::Unverified,
    };
}

const fn secs(secs: u64) -> Option<Duration> {
    Some(Duration::from_secs(secs))
}
