//! A server within TLS, by rustls: HTTP/1.1 and HTTP/2 by ALPN, and a handshake that has its limit. The certificate is
//! made at the start and signed by itself; a real one comes out of files.
//!
//! `cargo run --features serve --example tls`, then `curl -k https://localhost:8443/`; `… tls check` asks itself once
//! and ends.
#![expect(clippy::unwrap_used, reason = "an example that fails has nothing to tell")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::routing::get;
use http::Version;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tower_lifeline::connection::GuardedIo;
use tower_lifeline::serve::ServeSettings;
use tower_lifeline::{SlowClientGuardLayer, serve};

async fn hello(ConnectInfo(peer): ConnectInfo<SocketAddr>, version: Version) -> String {
    format!("Hello {}, over {version:?}\n", peer.ip())
}

/// How the server shows who it is.
fn acceptor() -> (TlsAcceptor, CertificateDer<'static>) {
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
    let certificate = own.cert.der().clone();
    let mut config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    (TlsAcceptor::from(Arc::new(config)), certificate)
}

/// Asks the server once.
async fn ask(address: SocketAddr, certificate: CertificateDer<'static>) -> String {
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let socket = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let mut tls = TlsConnector::from(Arc::new(config))
        .connect(name, socket)
        .await
        .unwrap();
    let request = b"GET / HTTP/1.0\r\n\r\n";
    tls.write_all(request).await.unwrap();
    let mut answer = String::new();
    // axum and hyper close without TLS's own goodbye: the length says that the answer is whole.
    let _ = tls.read_to_string(&mut answer).await;
    answer
}

#[tokio::main]
async fn main() {
    let (acceptor, certificate) = acceptor();
    let app = Router::new()
        .route("/", get(hello))
        .layer(SlowClientGuardLayer::default());
    let is_check = std::env::args().any(|argument| argument == "check");
    let port = if is_check { 0 } else { 8443 };
    let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let settings = ServeSettings::builder()
        .handshake(Duration::from_secs(5))
        .drain_delay(Duration::ZERO)
        .build()
        .unwrap();
    let server = serve(listener, app)
        .with_settings(settings)
        .with_extension(|peer: &SocketAddr| ConnectInfo(*peer))
        .with_handshake(move |socket: GuardedIo<TcpStream>| acceptor.accept(socket))
        .with_shutdown(async move {
            if is_check {
                let answer = ask(address, certificate).await;
                assert!(answer.ends_with("Hello 127.0.0.1, over HTTP/1.0\n"), "{answer}");
                println!("{answer}");
            } else {
                tokio::signal::ctrl_c().await.unwrap();
            }
        });
    println!("https://localhost:{}\n{}", address.port(), server.report());
    println!("{:?}", server.await);
}
