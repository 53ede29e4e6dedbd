//! One connection, from its acceptance to its end.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use http_body::Body;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tower_service::Service;

use super::connection::{Connection, Order, Terms};
use super::front::{Front, Tags};
use super::io::ServedIo;
use super::listener::Handshake;
use super::registry::Registered;
use super::request_body::RequestBody;
use super::settings::ServeSettings;
use super::stream::{Fresh, Streams};
use crate::error::BoxError;
use crate::event::{ConnectionPhase, Event};
use crate::watchdog::{Place, Watchdog};

/// Everything that one connection is served with.
pub(super) struct Talk<S> {
    pub(super) terms: Arc<Terms>,
    pub(super) connection: Arc<Connection>,
    pub(super) registered: Registered,
    pub(super) watched: Watch,
    pub(super) service: S,
    pub(super) tags: Tags,
}

/// The watchdog looks at the connection for as long as this lives.
pub(super) struct Watch {
    watchdog: Watchdog,
    place: Option<Place>,
}

/// What ends in order when it is told so.
trait Graceful: Future {
    fn finish(self: Pin<&mut Self>);
}

// === impl Watch ===

impl Watch {
    pub(super) fn over(connection: &Arc<Connection>, watchdog: &Watchdog) -> Self {
        Self {
            place: Some(watchdog.watch(connection.clone())),
            watchdog: watchdog.clone(),
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(place) = self.place.take() {
            self.watchdog.release(place);
        }
    }
}

// === impl Talk ===

impl<S, B> Talk<S>
where
    S: Service<Request<RequestBody>, Response = Response<B>, Error: Into<BoxError>, Future: Send>
        + Clone
        + Send
        + 'static,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    /// Serves the connection until it ends. What went wrong on it is its peer's business, and is told by events where
    /// it is ours.
    pub(super) async fn serve<Io, H>(self, io: Io, handshake: Arc<H>)
    where
        Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        H: Handshake<Io>,
    {
        let connection = self.connection.clone();
        let io = match unless_ended(&connection, handshake.begin(io)).await {
            Some(Ok(io)) => io,
            Some(Err(error)) => {
                let error = error.kind();
                self.terms.reporter.report(&Event::HandshakeFailed { error });
                return;
            }
            None => return,
        };
        connection.phase().set(ConnectionPhase::FirstByte);
        let mut io = ServedIo::new(io, connection.clone(), self.registered);
        let protocol = poll_fn(|cx| io.poll_is_http2(cx));
        let Some(Ok(is_http2)) = unless_ended(&connection, protocol).await else {
            return;
        };
        connection.phase().set(if io.has_begun() && !is_http2 {
            ConnectionPhase::RequestHead
        } else {
            ConnectionPhase::Idle
        });
        let io = TokioIo::new(io);
        let settings = &self.terms.settings;
        if is_http2 {
            let streams = Streams::new(connection.clone());
            let fresh = streams.fresh();
            let front = Front::new(self.service, connection.clone(), Some(streams.clone()), self.tags);
            let served = http2(settings, streams).serve_connection(io, front);
            until_told(&connection, Some(&fresh), served).await;
        } else {
            let front = Front::new(self.service, connection.clone(), None, self.tags);
            let served = http1(settings).serve_connection(io, front).with_upgrades();
            until_told(&connection, None, served).await;
        }
        // Whoever has it upgraded decides how long it lasts.
        drop(self.watched);
    }
}

fn http1(settings: &ServeSettings) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        // The connection's own limits tell idleness from a slow head.
        .header_read_timeout(None)
        .max_buf_size(settings.0.h1_write_buffer);
    builder
}

fn http2(settings: &ServeSettings, streams: Streams) -> http2::Builder<Streams> {
    let settings = settings.0;
    let mut builder = http2::Builder::new(streams);
    builder
        .timer(TokioTimer::new())
        .max_send_buf_size(settings.h2_write_buffer)
        .max_concurrent_streams(settings.h2_max_streams)
        .max_header_list_size(settings.h2_max_header_list)
        .max_pending_accept_reset_streams(settings.h2_max_resets)
        .enable_connect_protocol();
    if let Some((interval, answered_within)) = settings.h2_ping {
        builder
            .keep_alive_interval(interval)
            .keep_alive_timeout(answered_within);
    }
    builder
}

/// What comes before there are requests. `None`: the connection was told to end, and has nothing to finish.
async fn unless_ended<F: Future>(connection: &Connection, work: F) -> Option<F::Output> {
    let mut work = pin!(work);
    poll_fn(|cx| {
        if connection.order(cx) > Order::GoOn {
            return Poll::Ready(None);
        }
        work.as_mut().poll(cx).map(Some)
    })
    .await
}

/// Serves requests until there will be no more, or until the connection is told to end.
///
/// The first of several streams that were begun together to have its answer wakes the connection, which would write
/// that one and no other: it lets the others go first, once.
async fn until_told<C: Graceful>(connection: &Connection, fresh: Option<&Fresh>, served: C) {
    let mut served = pin!(served);
    let mut is_finishing = false;
    let mut has_stood_back = false;
    poll_fn(|cx: &mut Context<'_>| {
        match connection.order(cx) {
            Order::GoOn => {}
            Order::Finish if is_finishing => {}
            Order::Finish => {
                is_finishing = true;
                served.as_mut().finish();
            }
            Order::Stop => return Poll::Ready(()),
        }
        has_stood_back = !has_stood_back && fresh.is_some_and(Fresh::are_there);
        if has_stood_back {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        served.as_mut().poll(cx).map(drop)
    })
    .await;
}

impl<IO, S, B> Graceful for http1::UpgradeableConnection<TokioIo<IO>, Front<S>>
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<RequestBody>, Response = Response<B>, Error: Into<BoxError>> + Clone,
    B: Body<Error: Into<BoxError>> + 'static,
{
    fn finish(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

impl<IO, S, B> Graceful for http2::Connection<TokioIo<IO>, Front<S>, Streams>
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<RequestBody>, Response = Response<B>, Error: Into<BoxError>, Future: Send>
        + Clone
        + Send
        + 'static,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    fn finish(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}
