//! `Upstream`: requests to a model's server, each with a seat, limits, the key, and at most one retry.

use std::time::Duration;

use reqwest::header::AUTHORIZATION;
use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use serde::Serialize;
use tower_lifeline::outgoing::reqwest::PhasedClient;
use tower_lifeline::{AdmissionGate, Deadline, GateLimits, PhaseLimits, Reporter, Seat};

use super::endpoint::Endpoint;
use super::error::ModelError;
use super::retry;

/// A model's server.
#[derive(Clone, Debug)]
pub(crate) struct Upstream {
    endpoint: Endpoint,
    client: PhasedClient,
    gate: AdmissionGate,
}

/// The most that is read of a refusal.
const REFUSAL_BYTES: usize = 16 * 1024;

// === impl Upstream ===

impl Upstream {
    pub(crate) fn new(
        endpoint: Endpoint,
        phases: PhaseLimits,
        gate: GateLimits,
        name: &'static str,
        reporter: &Reporter,
    ) -> Result<Self, ModelError> {
        let wrong = |error: &dyn std::error::Error| ModelError::Settings(error.to_string());
        // Refused where there is one already, which serves as well.
        #[cfg(feature = "tls")]
        let _installed = rustls::crypto::ring::default_provider().install_default();
        // Whoever redirects would be handed the key.
        let builder = Client::builder().redirect(Policy::none());
        let client =
            PhasedClient::reporting(builder, phases, reporter.clone()).map_err(|error| wrong(&error))?;
        let gate = AdmissionGate::builder(gate)
            .name(name)
            .reporter(reporter.clone())
            .build();
        Ok(Self {
            endpoint,
            client,
            gate: gate.map_err(|error| wrong(&error))?,
        })
    }

    pub(crate) const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// A seat at the model.
    pub(crate) async fn seat(&self, deadline: &Deadline) -> Result<Seat, ModelError> {
        let refused = |reason: String| ModelError::Busy {
            reason,
            retry_after: None,
        };
        let seat = self.gate.enter().deadline(deadline).await;
        seat.map_err(|error| refused(error.to_string()))
    }

    /// Posts `body`, and gives back the response, which is a success. The exchange has until `deadline`; a retry
    /// begins only if that is before `begins`.
    pub(crate) async fn post(
        &self,
        path: &str,
        body: &impl Serialize,
        deadline: &Deadline,
        begins: &Deadline,
    ) -> Result<Response, ModelError> {
        let response = self.post_once(path, body, deadline).await?;
        let Some(wait) = retry::asked_for(&response) else {
            return self.success(response).await;
        };
        if begins.left().is_some_and(|left| left <= wait) {
            return Err(self.busy(&response, wait));
        }
        tracing::info!(
            host = self.endpoint.host(),
            ?wait,
            "the model is busy, asking again"
        );
        drop(response);
        tokio::time::sleep(wait).await;
        let response = self.post_once(path, body, deadline).await?;
        match retry::asked_for(&response) {
            Some(wait) => Err(self.busy(&response, wait)),
            None => self.success(response).await,
        }
    }

    async fn post_once(
        &self,
        path: &str,
        body: &impl Serialize,
        deadline: &Deadline,
    ) -> Result<Response, ModelError> {
        let client = self.client.with_deadline(deadline.clone());
        let mut request = client.client().post(self.endpoint.at(path)).json(body);
        if let Some(key) = self.endpoint.key() {
            request = request.header(AUTHORIZATION, key.header()?);
        }
        let sent = client.send(request).await;
        sent.map_err(|error| ModelError::of_send(&error))
    }

    fn busy(&self, response: &Response, wait: Duration) -> ModelError {
        ModelError::Busy {
            reason: format!("{} answers with {}", self.endpoint.host(), response.status()),
            retry_after: Some(wait),
        }
    }

    async fn success(&self, response: Response) -> Result<Response, ModelError> {
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let body = read(response, REFUSAL_BYTES).await.unwrap_or_default();
        Err(ModelError::Refused {
            status: status.as_u16(),
            message: self.endpoint.quoted(&complaint(&body)),
        })
    }
}

/// The body of `response`, which must not be longer than `limit` bytes.
pub(crate) async fn read(mut response: Response, limit: usize) -> Result<Vec<u8>, ModelError> {
    let mut body = Vec::new();
    while let Some(bytes) = response
        .chunk()
        .await
        .map_err(|error| ModelError::of_body(&error))?
    {
        if body.len() + bytes.len() > limit {
            return Err(ModelError::Garbage(format!("it is longer than {limit} bytes")));
        }
        body.extend_from_slice(&bytes);
    }
    Ok(body)
}

/// What a server complains of: `{"error":{"message":"…"}}`, `{"error":"…"}`, or whatever text it is.
pub(super) fn complaint(body: &[u8]) -> String {
    let json: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let error = json.as_ref().and_then(|json| json.get("error"));
    let message = error.and_then(|error| error.get("message").unwrap_or(error).as_str());
    message.map_or_else(|| String::from_utf8_lossy(body).into_owned(), str::to_owned)
}
