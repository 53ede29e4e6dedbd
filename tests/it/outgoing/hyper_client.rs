//! hyper-util's client on real sockets, HTTP/1 and HTTP/2.

use std::io;
use std::net::SocketAddr;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use tower_lifeline::outgoing::{
    ConnectTimeout, ConnectTimeoutLayer, DeadlineHeaderLayer, OutgoingError, OutgoingTimeout,
    OutgoingTimeoutLayer,
};
use tower_lifeline::{Bound, Deadline, DeadlineHeader, Phase, PhaseExpired, PhaseLimits};

use super::server::{let_go, serve};
use super::{Alive, ms, secs};

type Phased = OutgoingTimeout<Client<ConnectTimeout<HttpConnector>, Empty<Bytes>>>;

fn short() -> PhaseLimits {
    PhaseLimits::builder()
        .connect(ms(150))
        .head(ms(200))
        .read(ms(150))
        .total(ms(500))
        .build()
        .unwrap()
}

fn client(http2: bool) -> Phased {
    let connector = ConnectTimeoutLayer::new(short()).layer(HttpConnector::new());
    let client = Client::builder(TokioExecutor::new())
        .http2_only(http2)
        .build(connector);
    OutgoingTimeoutLayer::new(short()).layer(client)
}

fn get(address: SocketAddr, path: &str) -> Request<Empty<Bytes>> {
    Request::get(format!("http://{address}{path}"))
        .body(Empty::new())
        .unwrap()
}

fn expired(error: &OutgoingError) -> PhaseExpired {
    match error {
        OutgoingError::Expired(expired) => *expired,
        other => panic!("{other:?}"),
    }
}

async fn body_fails(client: &mut Phased, address: SocketAddr, path: &str) -> (Bytes, PhaseExpired) {
    let response = client.call(get(address, path)).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let mut body = response.into_body();
    let mut read = Vec::new();
    loop {
        match body.frame().await.unwrap() {
            Ok(frame) => read.extend_from_slice(&frame.into_data().unwrap()),
            Err(error) => return (read.into(), expired(&error)),
        }
    }
}

async fn on(http2: bool) {
    let alive = Alive::default();
    let address = serve(alive.clone()).await;
    let mut client = client(http2);

    let healthy = client.call(get(address, "/hello")).await.unwrap();
    assert_eq!(healthy.into_body().collect().await.unwrap().to_bytes(), "hello");
    let drips = client.call(get(address, "/drips")).await.unwrap();
    assert_eq!(drips.into_body().collect().await.unwrap().to_bytes(), "xxx");

    let mute = client.call(get(address, "/mute")).await.unwrap_err();
    assert_eq!(expired(&mute).phase(), Phase::Head);

    let (read, stalled) = body_fails(&mut client, address, "/stalls").await;
    assert_eq!(
        (&read[..], stalled.phase(), stalled.bound()),
        (&b"part"[..], Phase::Read, Bound::Limit)
    );

    let (read, hung) = body_fails(&mut client, address, "/hung").await;
    assert_eq!(hung.phase(), Phase::Read);
    assert!(read.starts_with(b"data: x\n\n: alive\n\n"), "{read:?}");

    let (_, endless) = body_fails(&mut client, address, "/endless").await;
    assert_eq!((endless.phase(), endless.bound()), (Phase::Total, Bound::Limit));

    let mut request = get(address, "/endless");
    request.extensions_mut().insert(Deadline::after(ms(100)));
    let body = client.call(request).await.unwrap().into_body();
    let at_deadline = expired(&body.collect().await.unwrap_err());
    assert_eq!(
        (at_deadline.phase(), at_deadline.bound()),
        (Phase::Total, Bound::Deadline)
    );

    let_go(&alive, 0).await;
    let again = client.call(get(address, "/hello")).await.unwrap();
    assert_eq!(again.into_body().collect().await.unwrap().to_bytes(), "hello");
}

#[tokio::test]
async fn every_phase_on_http1() {
    on(false).await;
}

#[tokio::test]
async fn every_phase_on_http2() {
    on(true).await;
}

#[tokio::test]
async fn a_cut_stream_leaves_its_neighbours_on_the_connection_alone() {
    let alive = Alive::default();
    let address = serve(alive.clone()).await;
    let mut client = client(true);
    let mut long = get(address, "/endless");
    long.extensions_mut().insert(
        PhaseLimits::builder()
            .read(secs(5))
            .total(secs(5))
            .build()
            .unwrap(),
    );
    let mut neighbour = client.call(long).await.unwrap().into_body();
    assert_eq!(
        body_fails(&mut client, address, "/stalls").await.1.phase(),
        Phase::Read
    );
    let_go(&alive, 1).await;
    for _ in 0..5 {
        assert!(neighbour.frame().await.unwrap().is_ok());
    }
}

#[tokio::test]
async fn a_connection_that_does_not_come() {
    let hangs = service_fn(|_: http::Uri| Box::pin(std::future::pending::<io::Result<TokioIo<TcpStream>>>()));
    let connector = ConnectTimeoutLayer::new(short()).layer(hangs);
    let client = Client::builder(TokioExecutor::new()).build::<_, Empty<Bytes>>(connector);
    let there = SocketAddr::from(([127, 0, 0, 1], 9));
    // Bare, the client wraps it; the layer unwraps it, so that every phase is told in the same way.
    let wrapped = client.clone().oneshot(get(there, "/")).await.unwrap_err();
    assert!(wrapped.is_connect());
    assert_eq!(PhaseExpired::find(&wrapped).unwrap().phase(), Phase::Connect);
    let error = OutgoingTimeoutLayer::new(short())
        .layer(client)
        .oneshot(get(there, "/"))
        .await
        .unwrap_err();
    assert_eq!(
        (expired(&error).phase(), expired(&error).limit()),
        (Phase::Connect, ms(150))
    );
}

#[tokio::test]
async fn a_refused_connection_is_the_clients_own_error() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = client(false).oneshot(get(address, "/")).await.unwrap_err();
    assert!(error.expired().is_none());
    let OutgoingError::Service(source) = error else {
        panic!("{error:?}")
    };
    assert!(
        source
            .downcast::<hyper_util::client::legacy::Error>()
            .unwrap()
            .is_connect()
    );
}

#[tokio::test]
async fn the_callee_learns_what_is_left() {
    let address = serve(Alive::default()).await;
    let mut client = ServiceBuilder::new()
        .layer(OutgoingTimeoutLayer::new(short()))
        .layer(DeadlineHeaderLayer::new(DeadlineHeader::EnvoyExpectedTimeout))
        .service(Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>());
    let mut request = get(address, "/headers");
    request.extensions_mut().insert(Deadline::after(secs(30)));
    let response: Response<_> = client.call(request).await.unwrap();
    let headers = response.into_body().collect().await.unwrap().to_bytes();
    let headers = String::from_utf8_lossy(&headers).into_owned();
    assert!(
        headers.contains(r#""x-envoy-expected-rq-timeout-ms": "29"#),
        "{headers}"
    );
}
