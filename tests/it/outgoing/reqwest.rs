//! reqwest on real sockets.

use std::future::{Pending, pending};
use std::task::{Context, Poll};

use ::reqwest::{Body, Client, ClientBuilder};
use futures::StreamExt;
use http_body_util::BodyExt;
use tower::{Layer, Service, ServiceBuilder, ServiceExt};
use tower_lifeline::outgoing::reqwest::{PhasedClient, ReqwestService};
use tower_lifeline::outgoing::{ConnectTimeoutLayer, OutgoingError, OutgoingTimeoutLayer};
use tower_lifeline::{Bound, Deadline, DeadlineHeader, Phase, PhaseExpired, PhaseLimits};

use super::server::{let_go, serve};
use super::{Alive, Seen, elapsed, ms, secs};

fn short() -> PhaseLimits {
    PhaseLimits::builder()
        .connect(ms(150))
        .head(ms(200))
        .read(ms(150))
        .total(ms(500))
        .build()
        .unwrap()
}

fn client(http2: bool) -> PhasedClient {
    let builder = Client::builder().no_proxy();
    let builder = if http2 {
        builder.http2_prior_knowledge()
    } else {
        builder
    };
    PhasedClient::new(builder, short()).unwrap()
}

fn expired(error: &OutgoingError) -> PhaseExpired {
    match error {
        OutgoingError::Expired(expired) => *expired,
        other => panic!("{other:?}"),
    }
}

/// A connector on top of another that never connects.
#[derive(Clone)]
struct HangLayer;

#[derive(Clone)]
struct Hang<S>(S);

impl<S> Layer<S> for HangLayer {
    type Service = Hang<S>;

    fn layer(&self, inner: S) -> Hang<S> {
        Hang(inner)
    }
}

impl<S: Service<R>, R> Service<R> for Hang<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pending<Result<S::Response, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, _: R) -> Self::Future {
        pending()
    }
}

async fn on(http2: bool) {
    let alive = Alive::default();
    let address = serve(alive.clone()).await;
    let phased = client(http2);
    let get = |path: &str| phased.client().get(format!("http://{address}{path}"));

    assert_eq!(
        phased.send(get("/hello")).await.unwrap().text().await.unwrap(),
        "hello"
    );
    assert_eq!(
        phased.send(get("/drips")).await.unwrap().text().await.unwrap(),
        "xxx"
    );
    let json: serde_json::Value = phased.send(get("/json")).await.unwrap().json().await.unwrap();
    assert_eq!(json["answer"], 42);
    let echo = phased
        .client()
        .post(format!("http://{address}/echo"))
        .body("said")
        .build()
        .unwrap();
    assert_eq!(phased.execute(echo).await.unwrap().text().await.unwrap(), "said");

    let mute = phased.send(get("/mute")).await.unwrap_err();
    assert_eq!(expired(&mute).phase(), Phase::Head);

    // `text`, `bytes` and `json` all fail typed, and reqwest knows it for a timeout.
    let stalled = phased
        .send(get("/stalls"))
        .await
        .unwrap()
        .text()
        .await
        .unwrap_err();
    assert_eq!(PhaseExpired::find(&stalled).unwrap().phase(), Phase::Read);
    assert!(stalled.is_timeout(), "{stalled:?}");
    let stalled = phased
        .send(get("/stalls"))
        .await
        .unwrap()
        .json::<u8>()
        .await
        .unwrap_err();
    assert_eq!(PhaseExpired::find(&stalled).unwrap().phase(), Phase::Read);
    let mut stalled = phased.send(get("/stalls")).await.unwrap();
    assert_eq!(stalled.chunk().await.unwrap().unwrap(), "part");
    let stalled = stalled.chunk().await.unwrap_err();
    assert_eq!(PhaseExpired::find(&stalled).unwrap().limit(), ms(150));

    for (path, phase) in [("/hung", Phase::Read), ("/endless", Phase::Total)] {
        let mut stream = Box::pin(phased.send(get(path)).await.unwrap().bytes_stream());
        let error = loop {
            match stream.next().await.unwrap() {
                Ok(bytes) => assert!(!bytes.is_empty()),
                Err(error) => break error,
            }
        };
        assert_eq!(PhaseExpired::find(&error).unwrap().phase(), phase, "{path}");
        assert!(stream.next().await.is_none());
    }
    let_go(&alive, 0).await;
    assert_eq!(
        phased.send(get("/hello")).await.unwrap().text().await.unwrap(),
        "hello"
    );
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
async fn what_a_response_knows_stays_known() {
    let address = serve(Alive::default()).await;
    let phased = client(false);
    let response = phased
        .send(phased.client().get(format!("http://{address}/moved")))
        .await
        .unwrap();
    assert_eq!(response.url().as_str(), format!("http://{address}/hello"));
    assert_eq!(response.remote_addr(), Some(address));
    assert_eq!(response.content_length(), Some(5));
    assert_eq!(response.version(), http::Version::HTTP_11);
    let missing = phased
        .send(phased.client().get(format!("http://{address}/none")))
        .await
        .unwrap();
    assert!(missing.error_for_status().unwrap_err().is_status());
}

#[tokio::test]
async fn a_connection_that_does_not_come() {
    let there = "http://127.0.0.1:9/";
    let seen = Seen::default();
    let builder = || ClientBuilder::new().no_proxy().connector_layer(HangLayer);
    let phased = PhasedClient::reporting(builder(), short(), seen.reporter()).unwrap();
    let error = phased.send(phased.client().get(there)).await.unwrap_err();
    let expired = expired(&error);
    assert_eq!((expired.phase(), expired.limit()), (Phase::Connect, ms(150)));
    seen.assert_failed_once(expired);

    // The layer alone, in a client of one's own.
    let client = builder()
        .connector_layer(ConnectTimeoutLayer::new(short()))
        .build()
        .unwrap();
    let error = client.get(there).send().await.unwrap_err();
    assert_eq!(PhaseExpired::find(&error).unwrap().phase(), Phase::Connect);
    assert!(error.is_connect() && error.is_timeout(), "{error:?}");
}

/// A listener whose queue is full answers no SYN, as a host behind a firewall that drops.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_host_that_answers_nothing() {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut filling = tokio::task::JoinSet::new();
    for _ in 0..8 {
        filling.spawn(tokio::net::TcpStream::connect(address));
    }
    tokio::time::sleep(ms(50)).await;
    let phased = client(false);
    let (error, took) = elapsed(phased.send(phased.client().get(format!("http://{address}/")))).await;
    assert_eq!(expired(&error.unwrap_err()).phase(), Phase::Connect);
    assert!(took >= ms(150) && took < secs(2), "{took:?}");
}

#[tokio::test]
async fn timeouts_of_reqwests_own_do_not_interfere() {
    let address = serve(Alive::default()).await;
    let tiny = ms(10);
    let builder = Client::builder()
        .no_proxy()
        .timeout(tiny)
        .read_timeout(tiny)
        .connect_timeout(tiny);
    let phased = PhasedClient::new(builder.connector_layer(HangLayer), short()).unwrap();
    let error = phased
        .send(phased.client().get(format!("http://{address}/")))
        .await
        .unwrap_err();
    assert_eq!(expired(&error).phase(), Phase::Connect);

    let builder = Client::builder()
        .no_proxy()
        .timeout(tiny)
        .read_timeout(tiny)
        .connect_timeout(tiny);
    let phased = PhasedClient::new(builder, short()).unwrap();
    let drips = phased
        .send(phased.client().get(format!("http://{address}/drips")))
        .await
        .unwrap();
    assert_eq!(drips.text().await.unwrap(), "xxx");
}

#[tokio::test]
async fn a_timeout_of_the_request_is_its_deadline() {
    let address = serve(Alive::default()).await;
    let phased = client(false);
    let get = |path: &str| phased.client().get(format!("http://{address}{path}"));
    let error = phased.send(get("/mute").timeout(ms(50))).await.unwrap_err();
    let at_head = expired(&error);
    assert_eq!(
        (at_head.phase(), at_head.bound()),
        (Phase::Total, Bound::Deadline)
    );
    assert!(at_head.limit() > ms(30) && at_head.limit() <= ms(50), "{at_head}");
    let body = phased
        .send(get("/endless").timeout(ms(100)))
        .await
        .unwrap()
        .bytes()
        .await
        .unwrap_err();
    assert_eq!(PhaseExpired::find(&body).unwrap().bound(), Bound::Deadline);
    let error = phased.send(get("/hello").timeout(ms(0))).await.unwrap_err();
    assert_eq!(expired(&error).bound(), Bound::Deadline);
}

#[tokio::test]
async fn limits_and_deadline_per_request() {
    let address = serve(Alive::default()).await;
    let phased = client(false);
    let get = |path: &str| phased.client().get(format!("http://{address}{path}"));
    let shorter = PhaseLimits::builder().read(ms(40)).total(ms(80)).build().unwrap();
    let error = phased.with_limits(shorter).send(get("/mute")).await.unwrap_err();
    assert_eq!(expired(&error).limit(), ms(40));

    let scoped = Deadline::after(ms(60)).scope(async { phased.send(get("/mute")).await });
    assert_eq!(expired(&scoped.await.unwrap_err()).bound(), Bound::Deadline);

    let tells = phased
        .with_deadline(Deadline::after(secs(30)))
        .with_deadline_header(DeadlineHeader::GrpcTimeout);
    let headers = tells.send(get("/headers")).await.unwrap().text().await.unwrap();
    assert!(headers.contains(r#""grpc-timeout": "299"#), "{headers}");
    let late = tells
        .with_deadline(Deadline::after(ms(0)))
        .send(get("/headers"))
        .await
        .unwrap_err();
    assert_eq!(expired(&late).bound(), Bound::Deadline);
}

#[tokio::test]
async fn the_layers_wrap_reqwest_as_any_other_client() {
    let address = serve(Alive::default()).await;
    let client = Client::builder().no_proxy().build().unwrap();
    let mut service = ServiceBuilder::new()
        .layer(OutgoingTimeoutLayer::new(short()))
        .service(ReqwestService::new(client));
    let get = |path: &str| {
        http::Request::get(format!("http://{address}{path}"))
            .body(Body::default())
            .unwrap()
    };
    let hello = service.ready().await.unwrap().call(get("/hello")).await.unwrap();
    assert_eq!(hello.into_body().collect().await.unwrap().to_bytes(), "hello");
    let stalled = service.ready().await.unwrap().call(get("/stalls")).await.unwrap();
    assert_eq!(
        expired(&stalled.into_body().collect().await.unwrap_err()).phase(),
        Phase::Read
    );
    let relative = http::Request::get("/only/a/path").body(Body::default()).unwrap();
    let error = service.ready().await.unwrap().call(relative).await.unwrap_err();
    let OutgoingError::Service(source) = error else {
        panic!("{error:?}")
    };
    assert!(source.downcast::<::reqwest::Error>().unwrap().is_builder());
}

#[tokio::test]
async fn in_a_dry_run_a_passed_deadline_stops_nothing() {
    let address = serve(Alive::default()).await;
    let limits = PhaseLimits::builder().report_only_all().build().unwrap();
    let phased = PhasedClient::new(::reqwest::Client::builder(), limits).unwrap();
    let late = phased
        .with_deadline(Deadline::after(ms(0)))
        .with_deadline_header(DeadlineHeader::EnvoyExpectedTimeout);
    assert!(
        late.send(late.client().get(format!("http://{address}/")))
            .await
            .is_ok()
    );
}
