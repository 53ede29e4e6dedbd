//! What is served: the same routes under every stack.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::error_handling::HandleErrorLayer;
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::routing::{get, post};
use axum::{BoxError, Json, Router};
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{pending, unfold};
use http::StatusCode;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tower::ServiceBuilder;
use tower::limit::GlobalConcurrencyLimitLayer;
use tower::load_shed::LoadShedLayer;
use tower_http::timeout::{ResponseBodyTimeoutLayer, TimeoutLayer};
use tower_lifeline::lifeline::LifelineBuilder;
use tower_lifeline::serve::ServeSettings;
use tower_lifeline::{HeartbeatSettings, Lifeline, Reporter, SlowClientLimits, SseHeartbeatLayer, serve};

/// More than any bench opens, so that nobody waits for a seat.
const SEATS: u32 = 30_000;

/// What stands between the socket and the routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stack {
    Bare,
    /// The same once more: how far it is from itself is noise.
    Again,
    Peers,
    KeepAlive,
    Heartbeat,
    Lifeline,
    Stamped,
    /// The loop of `serve`, and no layer.
    Serve,
    /// The loop of `serve` and all layers.
    Served,
}

impl Stack {
    pub(crate) const ALL: [Self; 9] = [
        Self::Bare,
        Self::Again,
        Self::Peers,
        Self::KeepAlive,
        Self::Heartbeat,
        Self::Lifeline,
        Self::Stamped,
        Self::Serve,
        Self::Served,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::Again => "bare, again",
            Self::Peers => "peers' stack",
            Self::KeepAlive => "axum KeepAlive",
            Self::Heartbeat => "SseHeartbeat",
            Self::Lifeline => "Lifeline",
            Self::Stamped => "Lifeline, stamped",
            Self::Serve => "serve, no layers",
            Self::Served => "Lifeline::serve",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stack| stack.name() == name)
    }
}

/// Serves until it is killed, on a port that it prints.
#[tokio::main]
pub(crate) async fn run(stack: Stack, pace: Duration) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    println!("{}", listener.local_addr().expect("an address").port());
    let app = routes((stack == Stack::KeepAlive).then_some(pace));
    let slow = SlowClientLimits::builder().stall(pace).build().expect("limits");
    let lifeline = || {
        let beats = HeartbeatSettings::builder().interval(pace);
        Lifeline::builder()
            .max_in_flight(SEATS)
            .heartbeat(beats.build().expect("beats"))
            .slow_clients(slow)
            .reporter(Reporter::silent())
    };
    let whole = |builder: LifelineBuilder| builder.build().expect("a stack");
    // `into_make_service`, since axum copies a bare `Router` with all of its layers for each connection.
    match stack {
        Stack::Bare | Stack::Again | Stack::KeepAlive => axum::serve(listener, app.into_make_service()).await,
        Stack::Peers => {
            let refuse = HandleErrorLayer::new(async |_: BoxError| StatusCode::SERVICE_UNAVAILABLE);
            let stack = ServiceBuilder::new()
                .layer(refuse)
                .layer(LoadShedLayer::new())
                .layer(GlobalConcurrencyLimitLayer::new(SEATS as usize));
            let status = StatusCode::GATEWAY_TIMEOUT;
            let app = app
                .layer(TimeoutLayer::with_status_code(status, Duration::from_secs(90)))
                .layer(ResponseBodyTimeoutLayer::new(pace))
                .layer(stack);
            axum::serve(listener, app.into_make_service()).await
        }
        Stack::Heartbeat => {
            let beats = HeartbeatSettings::builder()
                .interval(pace)
                .build()
                .expect("beats");
            axum::serve(
                listener,
                app.layer(SseHeartbeatLayer::new(beats)).into_make_service(),
            )
            .await
        }
        Stack::Lifeline => {
            axum::serve(listener, app.layer(whole(lifeline()).layer()).into_make_service()).await
        }
        Stack::Stamped => {
            let lifeline = whole(lifeline().deadline_in_every_request());
            axum::serve(listener, app.layer(lifeline.layer()).into_make_service()).await
        }
        Stack::Serve | Stack::Served => {
            let settings = ServeSettings::builder()
                .max_connections(SEATS as usize)
                .slow_clients(slow)
                .build()
                .expect("settings");
            if stack == Stack::Serve {
                serve(listener, app).with_settings(settings).await;
            } else {
                let lifeline = whole(lifeline().server(settings));
                lifeline.serve(listener, app.layer(lifeline.layer())).await;
            }
            Ok(())
        }
    }
    .expect("it serves");
}

fn routes(keep_alive: Option<Duration>) -> Router {
    let held = Arc::new(AtomicUsize::new(0));
    let count = held.clone();
    let events = get(async move || {
        let first = futures::stream::once(async { Ok::<_, Infallible>(Event::default().data("first")) });
        let events = Sse::new(first.chain(pending()));
        match keep_alive {
            Some(interval) => events
                .keep_alive(KeepAlive::new().interval(interval))
                .into_response(),
            None => events.into_response(),
        }
    });
    let endless = get(async move || {
        let pieces = unfold(Hold::new(&held), async |hold| {
            static PIECE: [u8; 4096] = [b'x'; 4096];
            Some((Ok::<_, Infallible>(Bytes::from_static(&PIECE)), hold))
        });
        Body::from_stream(pieces)
    });
    Router::new()
        .route("/", get(async || "hello"))
        .route("/large", get(async || Bytes::from_static(&[b'l'; 1 << 20])))
        .route("/call", post(call))
        .route("/events", events)
        .route("/endless", endless)
        .route(
            "/held",
            get(async move || count.load(Ordering::Relaxed).to_string()),
        )
}

/// A tool that knows its answer.
async fn call(Json(call): Json<Value>) -> Json<Value> {
    let content = json!([{ "type": "text", "text": "42" }]);
    Json(json!({ "jsonrpc": "2.0", "id": call["id"], "result": { "content": content } }))
}

/// What an answer holds for as long as it lives.
struct Hold(Arc<AtomicUsize>);

impl Hold {
    fn new(held: &Arc<AtomicUsize>) -> Self {
        held.fetch_add(1, Ordering::Relaxed);
        Self(held.clone())
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
