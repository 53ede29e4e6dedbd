//! `PhasedClient`: reqwest's client with every phase limited.

use std::time::Duration;

use ::reqwest::{Body, Client, ClientBuilder, Request, RequestBuilder, Response};
use http::Method;

use super::body::TimedOutBody;
use super::service::ReqwestFuture;
use crate::clock::now;
use crate::deadline::Deadline;
use crate::error::Phase;
use crate::event::{DeadlineHeader, Outcome, Reporter, Side};
use crate::outgoing::connect::ConnectTimeoutLayer;
use crate::outgoing::error::OutgoingError;
use crate::outgoing::future::OutgoingTimeoutFuture;
use crate::outgoing::header;
use crate::phase::PhaseLimits;

/// A [`Client`] whose `connect`, `head`, `read` and `total` phases are limited; see the
/// [module docs](super).
///
/// Cheap to clone: clones share one pool of connections.
#[derive(Clone, Debug)]
pub struct PhasedClient {
    client: Client,
    limits: PhaseLimits,
    deadline: Option<Deadline>,
    header: Option<DeadlineHeader>,
    reporter: Reporter,
}

/// What stands for "no timeout", since reqwest's builder can set one but not take it back. Thirty years, as
/// tokio's own far future, so that adding it to any instant cannot overflow.
const NEVER: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

// === impl PhasedClient ===

impl PhasedClient {
    /// Builds the client, with the `connect` limit in its connector and the others around its requests.
    ///
    /// The builder's own `timeout`, `read_timeout` and `connect_timeout` are replaced by none, so that the
    /// phases alone decide.
    ///
    /// # Errors
    /// Those of [`ClientBuilder::build`].
    pub fn new(builder: ClientBuilder, limits: PhaseLimits) -> ::reqwest::Result<Self> {
        Self::reporting(builder, limits, Reporter::log())
    }

    /// As [`new`](Self::new), and tells `reporter` of phases that ran out.
    ///
    /// # Errors
    /// Those of [`ClientBuilder::build`].
    pub fn reporting(
        builder: ClientBuilder,
        limits: PhaseLimits,
        reporter: Reporter,
    ) -> ::reqwest::Result<Self> {
        let connect = ConnectTimeoutLayer::new(limits).with_reporter(reporter.clone());
        let client = builder
            .connector_layer(connect)
            .connect_timeout(NEVER)
            .read_timeout(NEVER)
            .timeout(NEVER)
            .build()?;
        Ok(Self {
            client,
            limits,
            deadline: None,
            header: None,
            reporter,
        })
    }

    /// The same client under other limits, for one route or one request. `connect` stays what it was when the
    /// client was built, since a connection serves many requests.
    #[must_use]
    pub fn with_limits(&self, limits: PhaseLimits) -> Self {
        Self {
            limits,
            ..self.clone()
        }
    }

    /// The same client, working for a request that has this `deadline`. Without one, that of the task which
    /// sends ([`Deadline::current`]) holds.
    #[must_use]
    pub fn with_deadline(&self, deadline: Deadline) -> Self {
        Self {
            deadline: Some(deadline),
            ..self.clone()
        }
    }

    /// The same client, which writes what is left of the deadline into `header` as
    /// [`DeadlineHeaderLayer`](crate::outgoing::DeadlineHeaderLayer) does.
    #[must_use]
    pub fn with_deadline_header(&self, header: DeadlineHeader) -> Self {
        Self {
            header: Some(header),
            ..self.clone()
        }
    }

    /// reqwest's client, to start requests with: `send` on them goes past the phases, but for `connect`; hand
    /// them to [`send`](Self::send) of this type.
    #[must_use]
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// Sends what `request` builds, through this client whichever it was started with.
    ///
    /// # Errors
    /// As [`execute`](Self::execute), and what reqwest finds wrong with the request.
    pub async fn send(&self, request: RequestBuilder) -> Result<Response, OutgoingError> {
        self.execute(request.build().map_err(OutgoingError::from_service)?)
            .await
    }

    /// Sends `request` and waits for the response head. The body of the response is held to the `read` and
    /// `total` phases while it is read, by whichever of the response's methods.
    ///
    /// A timeout that was set on the request itself counts as a deadline of it.
    ///
    /// # Errors
    /// [`OutgoingError::Expired`] where a phase ran out, the `connect` phase included; else
    /// [`OutgoingError::Service`] with the [`reqwest::Error`].
    ///
    /// The errors of the response's own methods are reqwest's; there
    /// [`PhaseExpired::find`](crate::PhaseExpired::find) finds the phase, and `is_timeout` knows it for what
    /// it is.
    pub async fn execute(&self, mut request: Request) -> Result<Response, OutgoingError> {
        let mut deadline = self.deadline.clone().unwrap_or_else(Deadline::current);
        if let Some(timeout) = request.timeout_mut().take() {
            deadline = deadline.capped_at(now(), timeout);
        }
        let deadline = deadline.instant();
        if let Some(header) = self.header {
            let written = header::write(header, deadline, request.headers_mut());
            // In a dry run it is sent although it is too late, and reported as any other of its limits.
            if let Some(expired) = written
                .err()
                .filter(|_| !self.limits.is_report_only(Phase::Total))
            {
                self.reporter
                    .phase_expired(Side::Outgoing, expired, Outcome::Failed);
                return Err(expired.into());
            }
        }
        let is_connect = request.method() == Method::CONNECT;
        let reporter = self.reporter.clone();
        let send = || ReqwestFuture::new(&self.client, request);
        let response = OutgoingTimeoutFuture::new(self.limits, deadline, reporter, is_connect, send).await?;
        Ok(response.map(|body| Body::wrap(TimedOutBody::new(body))).into())
    }
}
