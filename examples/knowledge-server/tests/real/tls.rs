//! A database that is reached over TLS alone. Its own build has none, so there is a door in front of it.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::task::block_in_place;
use tokio_rustls::TlsAcceptor;

use crate::parts::Postgres;
use crate::pg::until_active;
use crate::server::papers;
use crate::serving::Server;

/// Lets in whoever asks for TLS.
struct Door {
    port: u16,
    /// How many came for TLS, and how many without.
    came: Arc<[AtomicU32; 2]>,
}

/// What a client that wants TLS says first.
const WANTS_TLS: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

// === impl Door ===

impl Door {
    async fn open(acceptor: TlsAcceptor, socket: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let came: Arc<[AtomicU32; 2]> = Arc::default();
        let count = Arc::clone(&came);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(pass(stream, acceptor.clone(), socket.clone(), count.clone()));
            }
        });
        Self { port, came }
    }

    fn came(&self) -> [u32; 2] {
        [0, 1].map(|at| self.came[at].load(Ordering::SeqCst))
    }

    fn url(&self, host: &str, mode: &str) -> String {
        format!("postgres://postgres@{host}:{}/papers?sslmode={mode}", self.port)
    }
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_knowledge-server"));
    command.args(arguments);
    command
}

async fn pass(mut stream: TcpStream, acceptor: TlsAcceptor, socket: String, came: Arc<[AtomicU32; 2]>) {
    let mut first = [0; 8];
    stream.read_exact(&mut first).await.unwrap();
    let plain = usize::from(first != WANTS_TLS);
    came[plain].fetch_add(1, Ordering::SeqCst);
    if plain == 1 {
        return;
    }
    stream.write_all(b"S").await.unwrap();
    let Ok(mut stream) = acceptor.accept(stream).await else {
        return;
    };
    let mut database = UnixStream::connect(socket).await.unwrap();
    drop(copy_bidirectional(&mut stream, &mut database).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_required_is_verified_and_what_is_not_is_not_tried() {
    // For the client that asks, which is built with the same features.
    let _first = rustls::crypto::ring::default_provider().install_default();
    let postgres = block_in_place(Postgres::start);
    papers(&postgres, "papers").await;
    let key = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let roots = folder.path().join("roots.pem");
    std::fs::write(&roots, key.cert.pem()).unwrap();
    let private = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.signing_key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![key.cert.der().clone()], private)
        .unwrap();
    let door = Door::open(TlsAcceptor::from(Arc::new(config)), postgres.socket()).await;

    // Nobody vouches for the certificate, or it is another host's.
    let known = Some(roots.to_str().unwrap());
    for (host, roots, told) in [
        ("localhost", None, "UnknownIssuer"),
        ("127.0.0.1", known, "not valid for name"),
    ] {
        let mut server = command(&[
            "--bind",
            "127.0.0.1:0",
            "--database-url",
            &door.url(host, "require"),
        ]);
        let server = server.envs(roots.map(|roots| ("SSL_CERT_FILE", roots)));
        let ended = block_in_place(|| server.output()).unwrap();
        let said = String::from_utf8_lossy(&ended.stderr);
        assert!(!ended.status.success() && said.contains(told), "{said}");
    }
    assert_eq!(door.came(), [2, 0]);

    // A search, and one that is given up: the request to cancel it has to come through the same door.
    let url = door.url("localhost", "require");
    let mut trusting = command(&["--bind", "127.0.0.1:0", "--database-url", &url]);
    trusting.env("SSL_CERT_FILE", &roots);
    let server = Server::of(trusting, Stdio::inherit());
    let found = server
        .call("search_papers", json!({ "query": "tail latency" }))
        .await;
    assert!(!found.text(false).is_empty());
    let admin = postgres.connect("papers").await;
    admin
        .batch_execute("BEGIN; LOCK TABLE papers IN ACCESS EXCLUSIVE MODE")
        .await
        .unwrap();
    let before = door.came();
    let watch = postgres.connect("papers").await;
    let call = tokio::spawn(server.ask().send());
    until_active(&watch, 1).await;
    call.abort();
    until_active(&watch, 0).await;
    let [with, without] = door.came();
    assert!(with > before[0] && without == 0, "{before:?} {with} {without}");
    drop(server);

    // Where it is not required it is not asked for.
    let ended = block_in_place(|| {
        command(&[
            "--bind",
            "127.0.0.1:0",
            "--database-url",
            &door.url("localhost", "prefer"),
        ])
        .output()
    });
    assert!(!ended.unwrap().status.success());
    assert_eq!(door.came()[1], 1);
}
