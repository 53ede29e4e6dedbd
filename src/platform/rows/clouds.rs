//! Google's and Microsoft's load balancers, gateways and runners.

use super::secs;
use crate::platform::row::{Buffering, Confidence, Platform};

impl Platform {
    /// Google's external Application Load Balancer, whose 30 s are for the whole response.
    pub const GCP_EXTERNAL_ALB: Self = Self {
        name: "gcp-external-alb",
        title: "Google Cloud external Application Load Balancer",
        first_byte: secs(30),
        total: secs(30),
        upstream_keep_alive: secs(600),
        buffering: Buffering::Streams,
        cut_before_head: "502 or 504",
        cut_after_head: "the connection closes",
        meaning: "The timeout of a backend service, 30 s, is for the complete response and no idle timer (the value is \
                  documented; its meaning is from Google's examples and third parties). Connections to the server are \
                  kept for 600 s, fixed; those of clients for 610 s. With a serverless backend the limit of that \
                  backend counts.",
        configure: "gcloud compute backend-services update NAME --timeout=3600",
        source: "Compute API reference, backendServices.timeoutSec; gcpdiag lb/BP/2025_002",
        as_of: "2026-11-22",
        confidence: Confidence::Secondary,
        ..Self::BLANK
    };

    /// Cloud Run: 5 minutes for a response by default, 60 at most.
    pub const GCP_CLOUD_RUN: Self = Self {
        name: "gcp-cloud-run",
        title: "Google Cloud Run",
        first_byte: secs(300),
        total: secs(300),
        kill: secs(10),
        buffering: Buffering::Streams,
        cut_before_head: "504",
        cut_after_head: "the connection closes",
        meaning: "The request timeout, 300 s by default and 3600 s at most, is for the whole response. The container is \
                  not told of a cut and works on. Above 15 min clients should be able to reconnect. SIGKILL comes 10 s \
                  after SIGTERM.",
        configure: "gcloud run services update NAME --timeout=3600",
        source: "https://docs.cloud.google.com/run/docs/configuring/request-timeout",
        as_of: "2026-11-22",
        kill_source: "Google Cloud blog, graceful shutdowns on Cloud Run, 2020-10-20, verified",
        behaviour_confidence: Confidence::Verified,
        ..Self::BLANK
    };

    /// Azure Application Gateway v2, which buffers unless its response buffer is off.
    pub const AZURE_APPGW: Self = Self {
        name: "azure-appgw",
        title: "Azure Application Gateway v2",
        first_byte: secs(30),
        idle: secs(30),
        buffering: Buffering::UnlessConfigured,
        cut_before_head: "504",
        cut_after_head: "the connection closes",
        meaning: "requestTimeout of the backend settings must exceed the time between two events. 30 s is PowerShell's \
                  default; a gateway that was made in the portal may have 20 s. Connections of clients: 75 s, HTTP/2 \
                  180 s, fixed.",
        configure: "requestTimeout of the backend settings, 1 to 86 400 s; response buffer off (for the whole gateway)",
        source: "Azure documentation, use-server-sent-events; the default: Azure/azure-powershell#5145",
        as_of: "2026-11-22",
        confidence: Confidence::Secondary,
        behaviour_confidence: Confidence::Verified,
        ..Self::BLANK
    };

    /// Azure Front Door.
    pub const AZURE_FRONTDOOR: Self = Self {
        name: "azure-frontdoor",
        title: "Azure Front Door",
        first_byte: secs(30),
        buffering: Buffering::Unknown,
        cut_before_head: "504, OriginTimeout",
        cut_after_head: "the connection closes",
        meaning: "30 s to the origin's response; that it also limits silence was not verified, so no idle limit stands \
                  here: beats of 15 s are on the safe side. The portal may set 60 s.",
        configure: "origin response timeout, 16 to 240 s (Standard, Premium)",
        source: "learn.microsoft.com, Front Door, troubleshoot-issues",
        as_of: "2026-11-22",
        behaviour_confidence: Confidence::Verified,
        ..Self::BLANK
    };

    /// Azure App Service.
    pub const AZURE_APP_SERVICE: Self = Self {
        name: "azure-app-service",
        title: "Azure App Service",
        first_byte: secs(230),
        idle: secs(230),
        buffering: Buffering::Streams,
        cut_before_head: "504 or 499",
        cut_after_head: "the connection closes",
        meaning: "230 s at the load balancer. Sources disagree whether they are of silence or of the whole response: \
                  measure before you count on streams that are longer.",
        configure: "nothing: its limits are fixed",
        source: "azure-advice.com and other third parties, who disagree",
        as_of: "2026-11-22",
        confidence: Confidence::Secondary,
        ..Self::BLANK
    };

    /// Azure Container Apps.
    pub const AZURE_CONTAINER_APPS: Self = Self {
        name: "azure-container-apps",
        title: "Azure Container Apps",
        first_byte: secs(240),
        idle: secs(240),
        kill: secs(480),
        buffering: Buffering::Streams,
        cut_before_head: "504",
        cut_after_head: "the stream is reset",
        meaning: "Documented as a request timeout of 240 s; the setting is named requestIdleTimeout, so it is taken for \
                  one of silence. SIGKILL comes 480 s after SIGTERM (terminationGracePeriodSeconds, by its API \
                  reference; a user's test of 2021 saw 30 s).",
        configure: "premium ingress: requestIdleTimeout, 4 to 30 min; terminationGracePeriodSeconds, 0 to 3600 s",
        source: "Azure documentation, ingress-overview (2023), and references of the ARM SDKs",
        as_of: "2026-11-22",
        ..Self::BLANK
    };
}
