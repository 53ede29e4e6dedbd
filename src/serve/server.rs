//! The loop that accepts, and the drain that ends it.

use std::fmt;
use std::future::{Future, IntoFuture, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use http::{Extensions, Request, Response};
use http_body::Body;
use tower_service::Service;

use super::connection::{Connection, Terms};
use super::drain::{Drained, ServeHandle, State, poll_until};
use super::front::Tags;
use super::listener::{Handshake, Listener, Plain, accept};
use super::report::{self, Facts};
use super::request_body::RequestBody;
use super::settings::ServeSettings;
use super::talk::{Talk, Watch};
use crate::clock::now;
use crate::connection::{GuardedIo, IoGuard};
use crate::error::BoxError;
use crate::event::{Event, Reporter};
use crate::report::Report;
use crate::timer::Timer;
use crate::watchdog::Watchdog;

/// A server that is about to run: await it. See the [module docs](super).
#[must_use = "a server does nothing unless it is awaited"]
pub struct Serve<L: Listener, S, H = Plain> {
    listener: L,
    service: S,
    handshake: H,
    settings: ServeSettings,
    reporter: Reporter,
    tags: Vec<Tag<L::Addr>>,
    at_drain: Vec<Box<dyn FnOnce() + Send>>,
    signal: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    handle: ServeHandle,
    /// Whether the service is inside a guard against slow clients, where that is known.
    is_guarded: Option<bool>,
    has_handshake: bool,
}

/// What is told of a connection's peer to each of its requests.
type Tag<A> = Box<dyn Fn(&A, &mut Extensions) + Send + Sync>;

/// What a running server needs for each connection.
struct Running<L: Listener, S, H> {
    service: S,
    handshake: Arc<H>,
    terms: Arc<Terms>,
    guard: IoGuard,
    watchdog: Watchdog,
    tags: Arc<[Tag<L::Addr>]>,
    state: Arc<State>,
}

/// Serves `service` to the connections of `listener`.
pub fn serve<L: Listener, S>(listener: L, service: S) -> Serve<L, S> {
    Serve {
        listener,
        service,
        handshake: Plain,
        settings: ServeSettings::new(),
        reporter: Reporter::log(),
        tags: Vec::new(),
        at_drain: Vec::new(),
        signal: None,
        handle: ServeHandle {
            state: Arc::default(),
        },
        is_guarded: None,
        has_handshake: false,
    }
}

// === impl Serve ===

impl<L: Listener, S, H> Serve<L, S, H> {
    /// Other settings than the [defaults](ServeSettings).
    pub fn with_settings(mut self, settings: ServeSettings) -> Self {
        self.settings = settings;
        self
    }

    /// Reports to another observer than the [log](Reporter::log).
    pub fn with_reporter(mut self, reporter: Reporter) -> Self {
        self.reporter = reporter;
        self
    }

    /// What each connection goes through before the first byte of HTTP, as TLS.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use tokio::net::TcpListener;
    /// # use tower_lifeline::connection::GuardedIo;
    /// # fn with(listener: TcpListener, app: axum::Router, tls: tokio_rustls::TlsAcceptor) {
    /// let server = tower_lifeline::serve(listener, app)
    ///     .with_handshake(move |socket: GuardedIo<_>| tls.accept(socket));
    /// # }
    /// ```
    pub fn with_handshake<N: Handshake<GuardedIo<L::Io>>>(self, handshake: N) -> Serve<L, S, N> {
        Serve {
            listener: self.listener,
            service: self.service,
            handshake,
            settings: self.settings,
            reporter: self.reporter,
            tags: self.tags,
            at_drain: self.at_drain,
            signal: self.signal,
            handle: self.handle,
            is_guarded: self.is_guarded,
            has_handshake: true,
        }
    }

    /// Puts what `tag` makes of the peer's address into the extensions of each request.
    ///
    /// ```
    /// # use std::net::SocketAddr;
    /// # use axum::extract::ConnectInfo;
    /// # fn with(listener: tokio::net::TcpListener, app: axum::Router) {
    /// let server = tower_lifeline::serve(listener, app)
    ///     .with_extension(|peer: &SocketAddr| ConnectInfo(*peer));
    /// # }
    /// ```
    pub fn with_extension<T>(mut self, tag: impl Fn(&L::Addr) -> T + Send + Sync + 'static) -> Self
    where
        T: Clone + Send + Sync + 'static,
    {
        self.tags.push(Box::new(move |address, extensions| {
            extensions.insert(tag(address));
        }));
        self
    }

    /// Begins the drain when `signal` is over, as when the process is told to end.
    pub fn with_shutdown(mut self, signal: impl Future<Output = ()> + Send + 'static) -> Self {
        self.signal = Some(Box::pin(signal));
        self
    }

    /// Calls `say` in a drain, when no more connections are accepted and those that are there have been told to take no
    /// new requests, or when none is left: the moment to say goodbye to streams and to close gates. Sooner a client
    /// that keeps its connection would be refused on it. A panic in it is caught.
    pub fn at_drain(mut self, say: impl FnOnce() + Send + 'static) -> Self {
        self.at_drain.push(Box::new(say));
        self
    }

    /// Whether the service is inside a guard against slow clients, for the report.
    pub(crate) fn guarded(mut self, is_guarded: bool) -> Self {
        self.is_guarded = Some(is_guarded);
        self
    }

    /// A handle of this server, for probes and for a drain from elsewhere.
    #[must_use]
    pub fn handle(&self) -> ServeHandle {
        self.handle.clone()
    }

    /// Which protections are at work in this set-up, and which are not, and why. The server writes it to its log when
    /// it begins.
    #[must_use]
    pub fn report(&self) -> Report {
        let facts = Facts {
            is_guarded: self.is_guarded,
            has_handshake: self.has_handshake,
            // One is its own.
            can_drain: self.signal.is_some() || Arc::strong_count(&self.handle.state) > 1,
        };
        report::of::<L>(&self.listener, &self.settings, facts)
    }
}

impl<L, S, H, B> IntoFuture for Serve<L, S, H>
where
    L: Listener,
    S: Service<Request<RequestBody>, Response = Response<B>, Error: Into<BoxError>, Future: Send>
        + Clone
        + Send
        + 'static,
    H: Handshake<GuardedIo<L::Io>>,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    type Output = Drained;
    type IntoFuture = Pin<Box<dyn Future<Output = Drained> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl<L, S, H, B> Serve<L, S, H>
where
    L: Listener,
    S: Service<Request<RequestBody>, Response = Response<B>, Error: Into<BoxError>, Future: Send>
        + Clone
        + Send
        + 'static,
    H: Handshake<GuardedIo<L::Io>>,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    async fn run(self) -> Drained {
        self.report().log();
        let settings = self.settings;
        let guard = IoGuard::new(settings.0.slow_clients)
            .with_settings(settings.0.socket)
            .with_reporter(self.reporter.clone());
        let running = Running::<L, S, H> {
            service: self.service,
            handshake: Arc::new(self.handshake),
            terms: Arc::new(Terms {
                settings,
                reporter: self.reporter,
            }),
            guard,
            watchdog: Watchdog::new(settings.between_looks()),
            tags: self.tags.into(),
            state: self.handle.state,
        };
        running.run(self.listener, self.signal, self.at_drain).await
    }
}

impl<L: Listener + fmt::Debug, S, H> fmt::Debug for Serve<L, S, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Serve")
            .field("listener", &self.listener)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

// === impl Running ===

impl<L, S, H, B> Running<L, S, H>
where
    L: Listener,
    S: Service<Request<RequestBody>, Response = Response<B>, Error: Into<BoxError>, Future: Send>
        + Clone
        + Send
        + 'static,
    H: Handshake<GuardedIo<L::Io>>,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    async fn run(
        mut self,
        mut listener: L,
        signal: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
        at_drain: Vec<Box<dyn FnOnce() + Send>>,
    ) -> Drained {
        let handle = ServeHandle {
            state: self.state.clone(),
        };
        let signal = async move {
            match signal {
                Some(signal) => signal.await,
                None => std::future::pending().await,
            }
            handle.drain();
        };
        let mut signal = pin!(signal);
        let state = self.state.clone();
        // Once the signal is over the state says so, and it is not polled again.
        let is_draining = |cx: &mut Context<'_>| match state.poll_draining(cx) {
            Poll::Ready(()) => Poll::Ready(()),
            Poll::Pending => signal.as_mut().poll(cx),
        };
        self.accept_until(&mut listener, is_draining).await;
        let began = now();
        let terms = self.terms.clone();
        let Terms { settings, reporter } = &*terms;
        reporter.report(&Event::DrainBegan);
        let mut delay = Timer::new();
        let until = began.checked_add(settings.0.drain_delay);
        self.accept_until(&mut listener, |cx| poll_until(&mut delay, until, cx))
            .await;
        drop(listener);
        let drained = self.drain(began, at_drain).await;
        reporter.report(&Event::Drained {
            connections: drained.connections,
            cut: drained.cut,
            requests_cut: drained.requests_cut,
            took: drained.took,
        });
        drained
    }

    /// Accepts connections until `end` is ready.
    #[expect(
        clippy::needless_pass_by_ref_mut,
        reason = "a shared reference would make every service have to be `Sync`"
    )]
    async fn accept_until(&mut self, listener: &mut L, mut end: impl FnMut(&mut Context<'_>) -> Poll<()>) {
        let terms = self.terms.clone();
        let most = terms.settings.0.max_connections;
        loop {
            let mut accept = pin!(accept(listener, &terms.reporter));
            let accepted = poll_fn(|cx| {
                if end(cx).is_ready() {
                    return Poll::Ready(None);
                }
                if self.state.registry.count_and_wait(cx) >= most {
                    return Poll::Pending;
                }
                accept.as_mut().poll(cx).map(Some)
            });
            match accepted.await {
                Some((io, address)) => self.begin(io, address),
                None => return,
            }
        }
    }

    fn begin(&self, io: L::Io, address: L::Addr) {
        let settings = &self.terms.settings.0;
        let peer = settings
            .max_connections_per_peer
            .and_then(|most| Some((L::peer(&address)?, most)));
        let io = L::guard(io, &self.guard);
        let entered = self.state.registry.enter(peer, |number| {
            let terms = self.terms.clone();
            Arc::new(Connection::new(terms, io.resets(), now(), number))
        });
        let Some((connection, registered)) = entered else {
            self.terms.reporter.report(&Event::PeerConnectionRefused);
            return;
        };
        let tags = self.tags.clone();
        let tags: Tags = Arc::new(move |extensions| tags.iter().for_each(|tag| tag(&address, extensions)));
        let talk = Talk {
            terms: self.terms.clone(),
            watched: Watch::over(&connection, &self.watchdog),
            connection,
            registered,
            service: self.service.clone(),
            tags,
        };
        tokio::spawn(talk.serve(io, self.handshake.clone()));
    }

    async fn drain(self, began: Instant, at_drain: Vec<Box<dyn FnOnce() + Send>>) -> Drained {
        let settings = &self.terms.settings.0;
        let registry = &self.state.registry;
        let at = now();
        let connections = registry.all();
        for (number, connection) in &connections {
            connection.drain(at, settings.drain_spread, *number);
        }
        let count = connections.len();
        drop(connections);
        let until = at.checked_add(settings.drain);
        let told = self.terms.settings.all_told_after();
        registry
            .until_empty(at.checked_add(told.min(settings.drain)))
            .await;
        for say in at_drain {
            // The drain goes on, and the others have their turn.
            let _ = catch_unwind(AssertUnwindSafe(say));
        }
        registry.until_empty(until).await;
        let left = registry.all();
        let requests_cut = left.iter().map(|(_, connection)| connection.requests() as usize);
        let drained = Drained {
            connections: count,
            cut: left.len(),
            requests_cut: requests_cut.sum(),
            took: now().saturating_duration_since(began),
        };
        left.iter().for_each(|(_, connection)| connection.reset());
        drained
    }
}
