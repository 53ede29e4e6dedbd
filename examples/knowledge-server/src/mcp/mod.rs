//! The papers over MCP, in the revisions 2026-07-28, which has no sessions, and 2025-11-25, which has.
//!
//! # Who leaves whom
//! | a call | ends with |
//! |---|---|
//! | of 2026-07-28 | its client: who closes the response has cancelled the call |
//! | of a session | `notifications/cancelled`, its result or its deadline, but not with the connection: its client comes back for the rest, see [`sessions`] |
//! | that is a task | `tasks/cancel`, its result or its deadline |
//!
//! Whatever ends it, the work is dropped in that moment, and with it the query in the database and the generation of
//! the model. Until then it holds its seat at the gate.

mod answers;
mod call;
mod events;
mod full;
mod papers;
mod places;
mod sessions;

use std::sync::Arc;
use std::time::Duration;

use axum::{Router, middleware};
use rmcp::task_manager::TaskManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use tokio_util::sync::CancellationToken;
use tower_lifeline::{Deadline, Reporter};

use self::papers::Papers;
use self::places::Places;
pub(crate) use self::sessions::PRIMING;
use self::sessions::Sessions;
use crate::cli::ServeArgs;
use crate::knowledge::Knowledge;
use crate::origin::usual;
use crate::stack::MCP;

/// The service of MCP, and what lives as long as the server.
#[derive(Debug)]
pub(crate) struct Mcp {
    knowledge: Arc<Knowledge>,
    sessions: Arc<Sessions>,
    tasks: Tasks,
    config: StreamableHttpServerConfig,
    end: CancellationToken,
}

/// Calls that outlive their request, and how long they may take.
#[derive(Clone)]
pub(crate) struct Tasks {
    pub(crate) running: TaskManager,
    pub(crate) limit: Duration,
    places: Places,
    reporter: Reporter,
}

/// A question has two thousand characters, and a request some headers of JSON around it.
const MOST_REQUEST_BYTES: usize = 64 * 1024;

/// An answer and its sources take some tens of KB, and are kept for minutes.
const MOST_TASKS: usize = 300;

/// After so long a client comes back to a stream that was closed.
const RETRY: Duration = Duration::from_secs(1);

// === impl Mcp ===

impl Mcp {
    pub(crate) fn new(knowledge: Arc<Knowledge>, args: &ServeArgs, reporter: Reporter) -> Self {
        let end = CancellationToken::new();
        let origins = args.allow_origins.iter().map(|origin| with_port(origin));
        let config = StreamableHttpServerConfig::default()
            // Its comments would hide a tool that hangs from the read clock.
            .with_sse_keep_alive(None)
            .with_sse_retry(Some(RETRY))
            .with_max_request_body_bytes(MOST_REQUEST_BYTES)
            .with_allowed_origins(origins)
            .enforce_origin_validation()
            .with_cancellation_token(end.clone());
        let mut hosts = config.allowed_hosts.clone();
        hosts.extend(args.allow_hosts.iter().cloned());
        let limit = args.limits.call_limit;
        Self {
            knowledge,
            sessions: Arc::new(Sessions::new(RETRY, limit, args.limits.sessions as usize)),
            tasks: Tasks {
                running: TaskManager::new(),
                limit,
                places: Places::new(MOST_TASKS),
                reporter,
            },
            config: config.with_allowed_hosts(hosts),
            end,
        }
    }

    pub(crate) fn routes(&self) -> Router {
        let papers = Papers::new(self.knowledge.clone(), self.tasks.clone());
        let config = self.config.clone();
        let service = StreamableHttpService::new(move || Ok(papers.clone()), self.sessions.clone(), config);
        Router::new()
            .route_service(MCP, service)
            .layer(middleware::from_fn(full::tell))
    }

    /// Whether a client may come back for an answer that is still being worked at.
    pub(crate) fn is_awaited(&self) -> bool {
        self.tasks.running.running_task_count() > 0 || self.sessions.is_busy()
    }

    /// Ends sessions and tasks, and so what they are working on.
    pub(crate) fn stop(&self) {
        self.end.cancel();
        self.tasks.running.shutdown();
    }
}

// === impl Tasks ===

impl Tasks {
    /// That of a call which begins now. The stack tells of the deadlines of requests, and knows nothing of these.
    pub(super) fn deadline(&self) -> Deadline {
        Deadline::after(self.limit).with_reporter(self.reporter.clone())
    }
}

impl std::fmt::Debug for Tasks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tasks")
            .field("running", &self.running.running_task_count())
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

/// rmcp takes an origin without a port for any port, and browsers for the usual one.
fn with_port(origin: &str) -> String {
    let Some((scheme, host)) = origin.split_once("://") else {
        return origin.to_owned();
    };
    let has_port = host
        .rsplit_once(':')
        .is_some_and(|(_, port)| !port.ends_with(']'));
    match usual(scheme) {
        Some(port) if !has_port => format!("{origin}:{port}"),
        _ => origin.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::with_port;

    #[test]
    fn origins_have_the_port_that_browsers_mean() {
        for (origin, meant) in [
            ("https://app.example", "https://app.example:443"),
            ("http://localhost", "http://localhost:80"),
            ("http://localhost:6274", "http://localhost:6274"),
            ("http://[::1]", "http://[::1]:80"),
            ("http://[::1]:3000", "http://[::1]:3000"),
            ("chrome-extension://abc", "chrome-extension://abc"),
        ] {
            assert_eq!(with_port(origin), meant);
        }
    }
}
