//! `Events`: what streams have said, for clients who come back.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::stream;
use rmcp::model::{RequestId, ServerJsonRpcMessage};
use rmcp::transport::streamable_http_server::session::{
    EventStore, EventStoreError, EventStream, ServerSseMessage, SessionId,
};
use tokio::sync::watch;
use tokio::time::Instant;

/// The last events of each stream. An event's id is its stream's, which nobody can guess, and its number.
#[derive(Clone, Debug, Default)]
pub(super) struct Events(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    streams: HashMap<String, Stream>,
    bytes: usize,
}

#[derive(Debug)]
struct Stream {
    events: VecDeque<(ServerSseMessage, usize)>,
    /// The number of the first event that is still here.
    first: u64,
    /// Its response is among the events, or will never come.
    is_over: bool,
    owner: Option<Owner>,
    touched: Instant,
    news: watch::Sender<()>,
}

/// The call that a stream belongs to.
pub(super) type Owner = (SessionId, RequestId);

/// Progress, for the most part: whoever has missed more of it has missed nothing.
const MOST_EVENTS: usize = 32;

/// Of all streams together.
const MOST_BYTES: usize = 32 * 1024 * 1024;

/// How long a response waits for a client that went away, which comes back within seconds.
const KEPT: Duration = Duration::from_secs(120);

/// Longer than any call.
const FORGOTTEN: Duration = Duration::from_secs(3 * 3600);

// === impl Events ===

impl Events {
    /// All that its stream says after this event, until its response.
    pub(super) fn after(&self, id: &str) -> Result<EventStream, EventStoreError> {
        let (stream, number) = id.rsplit_once('/').ok_or("its id is not one of ours")?;
        let number: u64 = number.parse()?;
        let news = self
            .kept()
            .streams
            .get(stream)
            .map(|stream| stream.news.subscribe());
        let news = news.ok_or("its stream is not kept any more")?;
        let from = (self.clone(), stream.to_owned(), number.saturating_add(1), news);
        Ok(Box::pin(stream::unfold(
            from,
            |(events, stream, number, mut news)| async move {
                loop {
                    news.borrow_and_update();
                    let next = events.kept().look(&stream, number)?;
                    match next {
                        Some((event, number)) => {
                            return Some((event, (events.clone(), stream, number + 1, news)));
                        }
                        None => news.changed().await.ok()?,
                    }
                }
            },
        )))
    }

    /// The stream of this event is that of a call.
    pub(super) fn belongs(&self, event: &ServerSseMessage, owner: &Owner) {
        let stream = event.event_id.as_deref().and_then(|id| id.rsplit_once('/'));
        let mut kept = self.kept();
        let stream = stream.and_then(|(stream, _)| kept.streams.get_mut(stream));
        if let Some(stream) = stream.filter(|stream| stream.owner.is_none()) {
            stream.owner = Some(owner.clone());
        }
    }

    /// The call was cancelled: nobody has to wait for its response.
    pub(super) fn cancelled(&self, owner: &Owner) {
        for stream in self.kept().streams.values_mut() {
            if stream.owner.as_ref() == Some(owner) {
                stream.is_over = true;
                stream.news.send_replace(());
            }
        }
    }

    /// The sessions that have a call under way.
    pub(super) fn busy(&self) -> HashSet<SessionId> {
        let kept = self.kept();
        let under_way = kept.streams.values().filter(|stream| !stream.is_over);
        let owners = under_way.filter_map(|stream| stream.owner.as_ref());
        owners.map(|(session, _)| session.clone()).collect()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl EventStore for Events {
    async fn store_event(&self, stream: &str, event: &ServerSseMessage) -> Result<String, EventStoreError> {
        Ok(self
            .kept()
            .put(stream, event.clone(), size(event), Instant::now()))
    }

    async fn replay_events_after(&self, id: &str) -> Result<EventStream, EventStoreError> {
        self.after(id)
    }
}

// === impl Kept ===

impl Kept {
    fn put(&mut self, name: &str, mut event: ServerSseMessage, bytes: usize, now: Instant) -> String {
        if !self.streams.contains_key(name) {
            self.forget(now);
        }
        let stream = self.streams.entry(name.to_owned()).or_insert_with(|| Stream {
            events: VecDeque::new(),
            first: 0,
            is_over: false,
            owner: None,
            touched: now,
            news: watch::Sender::new(()),
        });
        let id = format!("{name}/{}", stream.first + stream.events.len() as u64);
        event.event_id = Some(id.clone());
        stream.is_over |= is_last(&event);
        stream.touched = now;
        stream.events.push_back((event, bytes));
        self.bytes += bytes;
        while stream.events.len() > MOST_EVENTS {
            if let Some((_, bytes)) = stream.events.pop_front() {
                self.bytes -= bytes;
                stream.first += 1;
            }
        }
        stream.news.send_replace(());
        self.make_room(name);
        id
    }

    /// The first event from `number` on, with its number. `None` within: not yet; `None`: there will be none.
    fn look(&self, name: &str, number: u64) -> Option<Option<(ServerSseMessage, u64)>> {
        let stream = self.streams.get(name)?;
        let number = number.max(stream.first);
        let at = usize::try_from(number - stream.first).ok()?;
        match stream.events.get(at) {
            Some((event, _)) => Some(Some((event.clone(), number))),
            None if stream.is_over => None,
            None => Some(None),
        }
    }

    fn forget(&mut self, now: Instant) {
        let old: Vec<String> = self
            .streams
            .iter()
            .filter(|(_, stream)| {
                let kept = if stream.is_over { KEPT } else { FORGOTTEN };
                now.duration_since(stream.touched) > kept
            })
            .map(|(name, _)| name.clone())
            .collect();
        old.iter().for_each(|name| self.remove(name));
    }

    /// Who was not heard of for longest goes first, and who is over before who is not; never `but`. A quarter goes
    /// at once, so that not every event has to look at all streams.
    fn make_room(&mut self, but: &str) {
        if self.bytes <= MOST_BYTES {
            return;
        }
        let others = self.streams.iter().filter(|(name, _)| *name != but);
        let mut others: Vec<(bool, Instant, String)> = others
            .map(|(name, stream)| (!stream.is_over, stream.touched, name.clone()))
            .collect();
        others.sort_unstable();
        for (_, _, name) in others {
            if self.bytes <= MOST_BYTES / 4 * 3 {
                return;
            }
            self.remove(&name);
        }
    }

    fn remove(&mut self, name: &str) {
        if let Some(stream) = self.streams.remove(name) {
            self.bytes -= stream.events.iter().map(|(_, bytes)| bytes).sum::<usize>();
        }
    }
}

fn is_last(event: &ServerSseMessage) -> bool {
    matches!(
        event.message.as_deref(),
        Some(ServerJsonRpcMessage::Response(_) | ServerJsonRpcMessage::Error(_))
    )
}

/// About what it takes in memory.
fn size(event: &ServerSseMessage) -> usize {
    const EMPTY: usize = 200;
    let message = event.message.as_deref();
    EMPTY
        + message.map_or(0, |message| {
            serde_json::to_vec(message).map_or(0, |json| json.len())
        })
}

#[cfg(test)]
mod tests {
    use futures::StreamExt;
    use rmcp::model::{EmptyResult, RequestId, ServerResult};

    use super::*;

    fn priming() -> ServerSseMessage {
        ServerSseMessage::retry(Duration::from_secs(1))
    }

    fn response() -> ServerSseMessage {
        let result = ServerResult::EmptyResult(EmptyResult {});
        ServerSseMessage::from_message(ServerJsonRpcMessage::response(result, RequestId::Number(1)))
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_is_heard_from_where_it_was_left_to_its_end() {
        let events = Events::default();
        let first = events.store_event("a", &priming()).await.unwrap();
        events.store_event("b", &priming()).await.unwrap();
        let rest = events.after(&first).unwrap().collect::<Vec<_>>();
        let later = async {
            tokio::time::sleep(Duration::from_secs(5)).await;
            events.store_event("a", &priming()).await.unwrap();
            events.store_event("a", &response()).await.unwrap();
        };
        let (rest, ()) = tokio::join!(rest, later);
        let ids: Vec<_> = rest.into_iter().filter_map(|event| event.event_id).collect();
        assert_eq!(ids, ["a/1", "a/2"]);
        assert!(events.after("a/2").unwrap().next().await.is_none());
        for foreign in ["c/0", "a", "a/x", "0", ""] {
            assert!(events.after(foreign).is_err(), "{foreign}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_kept_has_bounds() {
        let events = Events::default();
        for _ in 0..MOST_EVENTS * 3 {
            events.store_event("a", &priming()).await.unwrap();
        }
        let kept = events.after("a/0").unwrap().take(1).collect::<Vec<_>>().await;
        let oldest = format!("a/{}", MOST_EVENTS * 2);
        assert_eq!(kept[0].event_id.as_deref(), Some(oldest.as_str()));
        // Larger ones, since a million small ones take a while.
        let bytes = MOST_BYTES / 100;
        for stream in 0..200 {
            events
                .kept()
                .put(&stream.to_string(), response(), bytes, Instant::now());
        }
        assert!(events.kept().bytes <= MOST_BYTES);
        assert!(events.kept().streams.len() > 70);
        assert!(events.after("a/90").is_ok(), "what is not over goes last");
        tokio::time::advance(KEPT + Duration::from_secs(1)).await;
        events.store_event("new", &priming()).await.unwrap();
        assert_eq!(
            events.kept().streams.len(),
            2,
            "what is over is forgotten in time"
        );
    }
}
