//! The same application under axum's loop and under this one: every exchange looks the same.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::extract::ws::WebSocketUpgrade;
use axum::response::sse::{Event, Sse};
use axum::routing::{any, get, post};
use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use http::{Request, Version};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tokio_tungstenite::tungstenite::Message;
use tower_lifeline::connection::GuardedIo;
use tower_lifeline::{Reporter, serve};

use super::settings;
use crate::wire;

fn app() -> Router {
    let echo = async |upgrade: WebSocketUpgrade| {
        upgrade.on_upgrade(async |mut socket| {
            while let Some(Ok(message)) = socket.recv().await {
                if socket.send(message).await.is_err() {
                    return;
                }
            }
        })
    };
    let events = async || {
        let events = futures::stream::iter(0..5).then(async |number| {
            tokio::time::sleep(Duration::from_millis(5)).await;
            Ok::<_, std::convert::Infallible>(Event::default().data(format!("event {number}")))
        });
        Sse::new(events)
    };
    let upload = async |body: Body| {
        let bytes = body.collect().await.unwrap().to_bytes();
        format!(
            "{} bytes, {}",
            bytes.len(),
            bytes.iter().all(|byte| *byte == b'u')
        )
    };
    Router::new()
        .route(
            "/peer",
            get(async |ConnectInfo(peer): ConnectInfo<SocketAddr>| peer.ip().to_string()),
        )
        .route("/events", get(events))
        .route("/upload", post(upload))
        .route("/large", get(async || vec![b'l'; 300_000]))
        .route("/empty", get(async || http::StatusCode::NO_CONTENT))
        .route("/echo", any(echo))
}

/// What was seen, by its name.
type Seen = BTreeMap<String, String>;

fn parts(head: &http::response::Parts, body: &[u8]) -> String {
    let mut names: Vec<_> = head.headers.iter().filter(|(name, _)| *name != "date").collect();
    names.sort_by_key(|(name, _)| name.as_str());
    let body = match body.len() {
        0..200 => String::from_utf8_lossy(body).into_owned(),
        length => format!("{length} bytes"),
    };
    format!("{:?} {} {names:?} {body}", head.version, head.status)
}

const REQUESTS: [(&str, &str, usize); 6] = [
    ("GET", "/peer", 0),
    ("GET", "/events", 0),
    ("POST", "/upload", 1_000_000),
    ("GET", "/large", 0),
    ("HEAD", "/large", 0),
    ("GET", "/empty", 0),
];

async fn exchanges<IO>(seen: &mut Seen, how: &str, io: IO, version: Version)
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let io = TokioIo::new(io);
    let (mut http1, mut http2) = (None, None);
    if version == Version::HTTP_2 {
        let (client, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io)
            .await
            .unwrap();
        tokio::spawn(connection);
        http2 = Some(client);
    } else {
        let (client, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
        tokio::spawn(connection);
        http1 = Some(client);
    }
    for (method, path, bytes) in REQUESTS {
        let request = Request::builder()
            .method(method)
            .uri(format!("http://x{path}"))
            .header("host", "x")
            .body(Full::new(Bytes::from(vec![b'u'; bytes])))
            .unwrap();
        let answer = match (&mut http1, &mut http2) {
            (Some(client), _) => {
                client.ready().await.unwrap();
                client.send_request(request).await
            }
            (_, Some(client)) => client.send_request(request).await,
            _ => unreachable!(),
        };
        let (head, body) = answer.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        seen.insert(format!("{how} {method} {path}"), parts(&head, &body));
    }
}

async fn web_socket<IO>(seen: &mut Seen, how: &str, io: IO)
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    let (mut socket, response) = tokio_tungstenite::client_async("ws://x/echo", io).await.unwrap();
    seen.insert(format!("{how} upgrade"), response.status().to_string());
    for message in [Message::text("hello"), Message::binary(vec![7; 100_000])] {
        socket.send(message.clone()).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap(), message);
    }
    socket.close(None).await.unwrap();
    let rest = socket.next().await.map(|end| format!("{end:?}"));
    seen.insert(format!("{how} goodbye"), format!("{rest:?}"));
}

async fn raw(seen: &mut Seen, address: SocketAddr) {
    let exchanges = [
        ("old", "GET /large HTTP/1.0\r\n\r\n"),
        ("old events", "GET /events HTTP/1.0\r\n\r\n"),
        (
            "close",
            "GET /peer HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
        ),
        (
            "pipelined",
            "GET /peer HTTP/1.1\r\nhost: x\r\n\r\nGET /peer HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
        ),
        (
            "unknown",
            "GET /nowhere HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
        ),
        (
            "expects",
            "POST /upload HTTP/1.1\r\nhost: x\r\nconnection: close\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\nuuu",
        ),
        ("garbage", "no\r\n\r\n"),
    ];
    for (name, request) in exchanges {
        let answer = wire::raw(address, request).await;
        let lines = answer.lines().filter(|line| !line.starts_with("date: "));
        seen.insert(name.to_owned(), lines.collect::<Vec<_>>().join("|"));
    }
}

/// Everything, against one server, in the clear.
async fn table(address: SocketAddr) -> Seen {
    let mut seen = Seen::new();
    raw(&mut seen, address).await;
    let socket = async || TcpStream::connect(address).await.unwrap();
    exchanges(&mut seen, "h1", socket().await, Version::HTTP_11).await;
    exchanges(&mut seen, "h2", socket().await, Version::HTTP_2).await;
    web_socket(&mut seen, "h1", socket().await).await;
    seen
}

#[tokio::test]
async fn every_exchange_is_the_same_under_both_loops() {
    let theirs = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = theirs.local_addr().unwrap();
    let make = app().into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(theirs, make).await });
    let theirs = table(address).await;

    let ours = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = ours.local_addr().unwrap();
    let server = serve(ours, app())
        .with_extension(|peer: &SocketAddr| ConnectInfo(*peer))
        .with_reporter(Reporter::silent());
    tokio::spawn(server.into_future());
    let ours = table(address).await;
    assert!(theirs.len() > 20);
    for (name, theirs) in theirs {
        assert_eq!(ours[&name], theirs, "{name}");
    }
}

/// A certificate of its own, for the name `x`, and who trusts it.
fn certificate(protocols: &[&[u8]]) -> (TlsAcceptor, TlsConnector) {
    let own = rcgen::generate_simple_self_signed(["x".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
    let certificate = own.cert.der().clone();
    let mut server = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let mut client = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    client.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    (
        TlsAcceptor::from(Arc::new(server)),
        TlsConnector::from(Arc::new(client)),
    )
}

#[tokio::test]
async fn every_exchange_is_the_same_within_tls() {
    const HANDSHAKE: Duration = Duration::from_millis(500);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (acceptor, connector) = certificate(&[b"h2"]);
    let server = serve(listener, app())
        .with_handshake(move |socket: GuardedIo<TcpStream>| acceptor.accept(socket))
        .with_settings(settings().handshake(HANDSHAKE).build().unwrap())
        .with_extension(|peer: &SocketAddr| ConnectInfo(*peer))
        .with_reporter(Reporter::silent());
    let handle = server.handle();
    tokio::spawn(server.into_future());
    let connect = async |connector: &TlsConnector| {
        let socket = TcpStream::connect(address).await.unwrap();
        connector
            .connect(ServerName::try_from("x").unwrap(), socket)
            .await
            .unwrap()
    };

    let clear = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let clear_address = clear.local_addr().unwrap();
    let make = app().into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(clear, make).await });
    let theirs = table(clear_address).await;

    let mut seen = Seen::new();
    let stream = connect(&connector).await;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    exchanges(&mut seen, "h2", stream, Version::HTTP_2).await;
    let mut config = (**connector.config()).clone();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let connector = TlsConnector::from(Arc::new(config));
    exchanges(&mut seen, "h1", connect(&connector).await, Version::HTTP_11).await;
    web_socket(&mut seen, "h1", connect(&connector).await).await;
    // A loop that drops a connection says no goodbye, which within TLS is another error.
    seen.remove("h1 goodbye");
    for (name, ours) in seen {
        assert_eq!(ours, theirs[&name], "{name}");
    }

    // Nobody, nothing, and no TLS.
    let start = tokio::time::Instant::now();
    let mut mute = TcpStream::connect(address).await.unwrap();
    let mut plain = TcpStream::connect(address).await.unwrap();
    plain
        .write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let mut rest = Vec::new();
    let _ = plain.read_to_end(&mut rest).await;
    assert!(start.elapsed() < HANDSHAKE, "{:?}", start.elapsed());
    let _ = mute.read_to_end(&mut rest).await;
    assert!(start.elapsed() >= HANDSHAKE && start.elapsed() < HANDSHAKE + super::LATE);
    super::until(super::LATE, || handle.connections() == 0).await;
}
