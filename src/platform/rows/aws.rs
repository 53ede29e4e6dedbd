//! Amazon's load balancers, gateways and runners.

use super::secs;
use crate::platform::row::{Buffering, Confidence, Platform};

impl Platform {
    /// Application Load Balancer.
    pub const AWS_ALB: Self = Self {
        name: "aws-alb",
        title: "AWS Application Load Balancer",
        first_byte: secs(60),
        idle: secs(60),
        upstream_keep_alive: secs(60),
        buffering: Buffering::Streams,
        cut_before_head: "504; 502 if the server closed a connection that was being used again",
        cut_after_head: "the connection closes",
        meaning: "One idle timeout for the first byte, every silence, and connections to the server between requests: \
                  set keep_alive with idle. At least one byte per period; HTTP/2 pings are not supported and do not \
                  count. The server must keep connections open for longer than it.",
        configure: "attribute idle_timeout.timeout_seconds, 1 to 4000 s",
        source: "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-load-balancer-attributes.html",
        as_of: "2026-11-22",
        ..Self::BLANK
    };

    /// Network Load Balancer: TCP.
    pub const AWS_NLB: Self = Self {
        name: "aws-nlb",
        title: "AWS Network Load Balancer",
        first_byte: secs(350),
        idle: secs(350),
        is_http: false,
        buffering: Buffering::Streams,
        cut_before_head: "the connection is forgotten; what is sent later is answered by RST",
        cut_after_head: "the same",
        meaning: "A flow of TCP that is silent for 350 s, in a response or between two, is forgotten without a word. \
                  Fixed for TLS listeners.",
        configure: "attribute tcp.idle_timeout.seconds of a TCP listener, 60 to 6000 s",
        source: "https://docs.aws.amazon.com/elasticloadbalancing/latest/network/update-idle-timeout.html",
        as_of: "2026-11-22",
        ..Self::BLANK
    };

    /// API Gateway, REST API as it is by default: no streams.
    pub const AWS_APIGW_REST: Self = Self {
        name: "aws-apigw-rest",
        title: "AWS API Gateway, REST (buffered)",
        first_byte: secs(29),
        total: secs(29),
        buffering: Buffering::UnlessConfigured,
        cut_before_head: "504",
        cut_after_head: "never: the head comes with the whole response",
        meaning: "The whole response within 29 s, and none of it before its end. With responseTransferMode STREAM it is \
                  aws-apigw-rest-stream.",
        configure: "responseTransferMode: STREAM; or a higher quota (regional APIs)",
        source: "https://docs.aws.amazon.com/apigateway/latest/developerguide/response-transfer-mode.html",
        as_of: "2026-11-22",
        behaviour_confidence: Confidence::Verified,
        ..Self::BLANK
    };

    /// API Gateway, REST API with response streaming, regional or private.
    pub const AWS_APIGW_REST_STREAM: Self = Self {
        name: "aws-apigw-rest-stream",
        title: "AWS API Gateway, REST (STREAM, regional or private)",
        first_byte: secs(900),
        idle: secs(300),
        total: secs(900),
        buffering: Buffering::Streams,
        cut_before_head: "504",
        cut_after_head: "the stream ends",
        meaning: "15 min for the whole, 5 min of silence; the first byte within the timeout of the integration \
                  (timeoutInMillis, up to 900 000). 10 MB at full speed, then 2 MB/s. No content encoding. A Lambda \
                  behind it may run on after a cut.",
        configure: "timeoutInMillis of the integration, up to 900 000",
        source: "https://docs.aws.amazon.com/apigateway/latest/developerguide/response-transfer-mode.html",
        as_of: "2026-11-22",
        behaviour_confidence: Confidence::Verified,
        ..Self::BLANK
    };

    /// API Gateway, REST API with response streaming, edge-optimised: 30 s of silence.
    pub const AWS_APIGW_REST_STREAM_EDGE: Self = Self {
        name: "aws-apigw-rest-stream-edge",
        title: "AWS API Gateway, REST (STREAM, edge-optimised)",
        idle: secs(30),
        configure: "nothing: use a regional API for 300 s of silence",
        meaning: "As aws-apigw-rest-stream, but with 30 s of silence, which cannot be changed.",
        ..Self::AWS_APIGW_REST_STREAM
    };

    /// API Gateway, HTTP API: no streams at all.
    pub const AWS_APIGW_HTTP: Self = Self {
        name: "aws-apigw-http",
        title: "AWS API Gateway, HTTP API",
        first_byte: secs(30),
        total: secs(30),
        buffering: Buffering::Whole,
        cut_before_head: "504 or 503",
        cut_after_head: "never: the head comes with the whole response",
        meaning: "The whole response within 30 s (50 to 30 000 ms), and none of it before its end. It cannot stream: a \
                  REST API can.",
        configure: "only downwards; for streams use a REST API with responseTransferMode STREAM",
        source: "API Gateway V2 API reference, timeoutInMillis",
        as_of: "2026-11-22",
        behaviour_confidence: Confidence::Verified,
        ..Self::BLANK
    };

    /// CloudFront.
    pub const AWS_CLOUDFRONT: Self = Self {
        name: "aws-cloudfront",
        title: "AWS CloudFront",
        first_byte: secs(30),
        upstream_keep_alive: secs(5),
        buffering: Buffering::Streams,
        cut_before_head: "504",
        cut_after_head: "the connection closes",
        meaning: "OriginReadTimeout, 30 s. That it also runs between packets was not verified, so no idle limit stands \
                  here: beats of 15 s are on the safe side. A cap on the whole (ResponseCompletionTimeout) is off by \
                  default. Connections to the origin are kept for 5 s.",
        configure: "OriginReadTimeout, 1 to 120 s; OriginKeepaliveTimeout, 1 to 120 s",
        source: "CloudFront API reference, CustomOriginConfig",
        as_of: "2026-11-22",
        ..Self::BLANK
    };

    /// App Runner, closed to new customers: 120 s for a request and its response.
    pub const AWS_APP_RUNNER: Self = Self {
        name: "aws-app-runner",
        title: "AWS App Runner",
        first_byte: secs(120),
        idle: secs(120),
        total: secs(120),
        buffering: Buffering::Unknown,
        cut_before_head: "an error",
        cut_after_head: "the connection closes",
        meaning: "120 s for reading the request and writing the response together. Closed to new customers.",
        configure: "nothing: its limits are fixed",
        source: "https://docs.aws.amazon.com/apprunner/latest/dg/develop.html",
        as_of: "2026-11-22",
        ..Self::BLANK
    };
}
