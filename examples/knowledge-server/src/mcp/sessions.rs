//! Sessions of the revisions before 2026-07-28, whose streams can be resumed.
//!
//! A call that takes longer than a platform in front allows is not lost: its stream is closed in time between two
//! events, with a `retry:` at its beginning, the tool works on, and the client comes back with `Last-Event-ID` and
//! gets what it has missed and all that follows.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::{Stream, StreamExt};
use rmcp::model::{ClientJsonRpcMessage, ClientNotification, ServerJsonRpcMessage};
use rmcp::transport::streamable_http_server::session::local::{
    LocalSessionManager, LocalSessionManagerError,
};
use rmcp::transport::streamable_http_server::session::{
    EventStoreError, EventStream, ServerSseMessage, SessionId, SessionManager,
};
use tokio::time::Instant;

use super::events::Events;
use super::full;

/// rmcp's sessions, with events that are kept for clients who come back.
///
/// The events are kept from rmcp's own service, which would keep those of 2026-07-28 too, and then not notice
/// when a client of that revision cancels its call by leaving.
#[derive(Debug)]
pub(crate) struct Sessions {
    rmcp: LocalSessionManager,
    events: Arc<Events>,
    heard: Mutex<HashMap<SessionId, Instant>>,
    most: usize,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum SessionsError {
    #[error("all {0} sessions have calls under way")]
    Full(usize),
    #[error(transparent)]
    Rmcp(#[from] LocalSessionManagerError),
    #[error("the stream cannot be resumed: {0}")]
    Gone(EventStoreError),
}

/// How long a session may be idle: without a call, before another one takes its place; with one, on top of the longest
/// call.
const IDLE: Duration = Duration::from_secs(300);

/// The id of the first event of a stream that no call owns, which rmcp gives out.
pub(crate) const PRIMING: &str = "0";

// === impl Sessions ===

impl Sessions {
    /// At most so many, whose calls take no longer than `longest`.
    pub(super) fn new(retry: Duration, longest: Duration, most: usize) -> Self {
        let events = Arc::new(Events::default());
        let mut rmcp = LocalSessionManager::default().with_event_store(events.clone());
        // A call that says nothing is no idle session.
        rmcp.session_config.keep_alive = Some(longest.saturating_add(IDLE));
        rmcp.session_config.sse_retry = Some(retry);
        Self {
            rmcp,
            events,
            heard: Mutex::default(),
            most,
        }
    }

    /// Whether any of them has a call under way.
    pub(super) fn is_busy(&self) -> bool {
        !self.events.busy().is_empty()
    }

    fn heard_of(&self, id: &SessionId) {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.insert(id.clone(), Instant::now());
    }

    /// Closes sessions that have no call and were idle for too long, and one more if all places are taken. Its client
    /// is told that it is gone, and begins anew.
    async fn make_room(&self) -> Result<(), SessionsError> {
        let open: HashSet<SessionId> = self.rmcp.sessions.read().await.keys().cloned().collect();
        let is_full = open.len() >= self.most;
        let busy = self.events.busy();
        let mut idle: Vec<(Instant, SessionId)> = {
            let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
            heard.retain(|id, _| open.contains(id));
            let free = heard.iter().filter(|(id, _)| !busy.contains(*id));
            free.map(|(id, at)| (*at, id.clone())).collect()
        };
        idle.sort_unstable();
        let old = idle.partition_point(|(at, _)| at.elapsed() > IDLE);
        let closed = old.max(usize::from(is_full)).min(idle.len());
        if is_full && closed == 0 {
            full::note();
            return Err(SessionsError::Full(self.most));
        }
        for (_, id) in idle.drain(..closed) {
            self.rmcp.close_session(&id).await?;
        }
        Ok(())
    }

    async fn standalone(&self, id: &SessionId) -> Result<EventStream, SessionsError> {
        Ok(Box::pin(self.rmcp.create_standalone_stream(id).await?))
    }
}

impl SessionManager for Sessions {
    type Error = SessionsError;
    type Transport = <LocalSessionManager as SessionManager>::Transport;

    async fn create_session(&self) -> Result<(SessionId, Self::Transport), SessionsError> {
        self.make_room().await?;
        let (id, transport) = self.rmcp.create_session().await?;
        self.heard_of(&id);
        Ok((id, transport))
    }

    async fn initialize_session(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<ServerJsonRpcMessage, SessionsError> {
        Ok(self.rmcp.initialize_session(id, message).await?)
    }

    async fn has_session(&self, id: &SessionId) -> Result<bool, SessionsError> {
        let is_there = self.rmcp.has_session(id).await?;
        // Every request asks this first.
        if is_there {
            self.heard_of(id);
        }
        Ok(is_there)
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

#[cfg(test)]
mod tests {
    use rmcp::model::RequestId;
    use rmcp::transport::streamable_http_server::session::EventStore;

    use super::*;

    fn sessions(most: usize) -> Sessions {
        Sessions::new(Duration::from_secs(1), Duration::from_secs(600), most)
    }

    async fn is_open(sessions: &Sessions, id: &SessionId) -> bool {
        sessions.rmcp.has_session(id).await.unwrap()
    }

    /// A call that has said something and not ended.
    async fn begin_call(sessions: &Sessions, id: &SessionId) {
        let mut event = ServerSseMessage::retry(Duration::from_secs(1));
        let name = sessions.events.store_event(id, &event).await.unwrap();
        event.event_id = Some(name);
        sessions
            .events
            .belongs(&event, &(id.clone(), RequestId::Number(1)));
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_is_idle_for_longest_makes_room_but_nobody_with_a_call() {
        let sessions = sessions(3);
        let mut open = Vec::new();
        for _ in 0..3 {
            open.push(sessions.create_session().await.unwrap());
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        begin_call(&sessions, &open[0].0).await;
        // The second was heard of last.
        assert!(sessions.has_session(&open[1].0).await.unwrap());
        let (fourth, _transport) = sessions.create_session().await.unwrap();
        let mut still = Vec::new();
        for (id, _) in &open {
            still.push(is_open(&sessions, id).await);
        }
        assert_eq!(still, [true, true, false]);
        for id in [&open[1].0, &fourth] {
            begin_call(&sessions, id).await;
        }
        let refused = sessions.create_session().await;
        assert!(matches!(refused, Err(SessionsError::Full(3))));
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_is_idle_for_long_goes_while_there_is_room() {
        let sessions = sessions(10);
        let (idle, _transport) = sessions.create_session().await.unwrap();
        let (at_work, _transport) = sessions.create_session().await.unwrap();
        begin_call(&sessions, &at_work).await;
        tokio::time::advance(IDLE + Duration::from_secs(1)).await;
        let _third = sessions.create_session().await.unwrap();
        assert!(!is_open(&sessions, &idle).await);
        assert!(is_open(&sessions, &at_work).await);
    }
}
