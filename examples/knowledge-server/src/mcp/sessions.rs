//! Sessions of the revisions before 2026-07-28, whose streams can be resumed.
//!
//! A call that takes longer than a platform in front allows is not lost: its stream is closed in time between two
//! events, with a `retry:` at its beginning, the tool works on, and the client comes back with `Last-Event-ID` and
//! gets what it has missed and all that follows.

use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt};
use rmcp::model::{ClientJsonRpcMessage, ClientNotification, ServerJsonRpcMessage};
use rmcp::transport::streamable_http_server::session::local::{
    LocalSessionManager, LocalSessionManagerError,
};
use rmcp::transport::streamable_http_server::session::{
    EventStoreError, EventStream, ServerSseMessage, SessionId, SessionManager,
};

use super::events::Events;

/// rmcp's sessions, with events that are kept for clients who come back.
///
/// The events are kept from rmcp's own service, which would keep those of 2026-07-28 too, and then not notice
/// when a client of that revision cancels its call by leaving.
#[derive(Debug)]
pub(crate) struct Sessions {
    rmcp: LocalSessionManager,
    events: Arc<Events>,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum SessionsError {
    #[error("there are {MOST} sessions")]
    Full,
    #[error(transparent)]
    Rmcp(#[from] LocalSessionManagerError),
    #[error("the stream cannot be resumed: {0}")]
    Gone(EventStoreError),
}

/// An idle session takes some tens of KB.
const MOST: usize = 2000;

/// How long a session may be idle, on top of the longest call.
const IDLE: Duration = Duration::from_secs(300);

/// The id of the first event of a stream that no call owns, which rmcp gives out.
pub(crate) const PRIMING: &str = "0";

// === impl Sessions ===

impl Sessions {
    /// Calls take no longer than `longest`.
    pub(super) fn new(retry: Duration, longest: Duration) -> Self {
        let events = Arc::new(Events::default());
        let mut rmcp = LocalSessionManager::default().with_event_store(events.clone());
        // A call that says nothing is no idle session.
        rmcp.session_config.keep_alive = Some(longest.saturating_add(IDLE));
        rmcp.session_config.sse_retry = Some(retry);
        Self { rmcp, events }
    }

    async fn standalone(&self, id: &SessionId) -> Result<EventStream, SessionsError> {
        Ok(Box::pin(self.rmcp.create_standalone_stream(id).await?))
    }
}

impl SessionManager for Sessions {
    type Error = SessionsError;
    type Transport = <LocalSessionManager as SessionManager>::Transport;

    async fn create_session(&self) -> Result<(SessionId, Self::Transport), SessionsError> {
        if self.rmcp.sessions.read().await.len() >= MOST {
            return Err(SessionsError::Full);
        }
        Ok(self.rmcp.create_session().await?)
    }

    async fn initialize_session(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<ServerJsonRpcMessage, SessionsError> {
        Ok(self.rmcp.initialize_session(id, message).await?)
    }

    async fn has_session(&self, id: &SessionId) -> Result<bool, SessionsError> {
        Ok(self.rmcp.has_session(id).await?)
    }

    async fn close_session(&self, id: &SessionId) -> Result<(), SessionsError> {
        Ok(self.rmcp.close_session(id).await?)
    }

    async fn create_stream(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, SessionsError> {
        let owner = match &message {
            ClientJsonRpcMessage::Request(request) => Some((id.clone(), request.id.clone())),
            _ => None,
        };
        let events = self.events.clone();
        let stream = self.rmcp.create_stream(id, message).await?;
        Ok(stream.inspect(move |event| {
            if let Some(owner) = &owner {
                events.belongs(event, owner);
            }
        }))
    }

    async fn accept_message(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<(), SessionsError> {
        let cancelled = match &message {
            ClientJsonRpcMessage::Notification(told) => match &told.notification {
                ClientNotification::CancelledNotification(told) => told.params.request_id.clone(),
                _ => None,
            },
            _ => None,
        };
        self.rmcp.accept_message(id, message).await?;
        if let Some(request) = cancelled {
            self.events.cancelled(&(id.clone(), request));
        }
        Ok(())
    }

    async fn create_standalone_stream(
        &self,
        id: &SessionId,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, SessionsError> {
        self.standalone(id).await
    }

    async fn resume(
        &self,
        id: &SessionId,
        last_event_id: String,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, SessionsError> {
        if last_event_id == PRIMING {
            return self.standalone(id).await;
        }
        self.events.after(&last_event_id).map_err(SessionsError::Gone)
    }
}
