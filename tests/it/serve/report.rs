//! What a server says of itself before it begins, and what a request says of its server.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::routing::get;
use tokio::net::{TcpListener, TcpStream};
use tower_lifeline::connection::{GuardedIo, IoGuard, SocketSettings};
use tower_lifeline::serve::{ProtectionState, Report, ServeSettings};
use tower_lifeline::{Reporter, serve};

use super::{Held, app};
use crate::wire;

fn state(report: &Report, name: &str) -> ProtectionState {
    let line = report.lines().iter().find(|line| line.name() == name);
    line.unwrap_or_else(|| panic!("{name}: {report}")).state()
}

async fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

#[tokio::test]
async fn what_is_not_there_is_not_said_to_be_active() {
    use ProtectionState::{Active, Inert, Partial};
    let whole = serve(listener().await, app(&Held::default()))
        .with_handshake(|io: GuardedIo<TcpStream>| std::future::ready(Ok(io)))
        .with_shutdown(std::future::pending());
    let none = Duration::MAX;
    let settings = ServeSettings::builder()
        .first_byte(none)
        .request_head(none)
        .keep_alive_idle(none)
        .without_h2_ping()
        .socket(SocketSettings::none());
    let bare = serve(listener().await, app(&Held::default())).with_settings(settings.build().unwrap());
    for name in [
        "slow TLS handshakes",
        "connections that say nothing",
        "slow request heads",
        "idle connections",
        "dead peers over HTTP/2",
        "shutdown",
    ] {
        assert_eq!(state(&whole.report(), name), Active, "{name}");
        assert_eq!(state(&bare.report(), name), Inert, "{name}");
    }
    let queues = "the system's queues";
    assert_eq!(state(&bare.report(), queues), Inert);
    assert_eq!(
        state(&whole.report(), queues) == Active,
        cfg!(target_os = "linux")
    );
    let handle = bare.handle();
    assert_eq!(state(&bare.report(), "shutdown"), Active);
    drop(handle);
    let endless = bare.with_settings(ServeSettings::builder().drain(none).build().unwrap());
    let _handle = endless.handle();
    assert_eq!(state(&endless.report(), "shutdown"), Partial);
}

#[tokio::test]
async fn a_request_tells_layers_whose_server_it_came_from() {
    let seen = Arc::<Mutex<Vec<Report>>>::default();
    let noting = seen.clone();
    let note = move |request: Request| {
        noting.lock().unwrap().push(Report::of_request(&request));
        async { "noted" }
    };
    let app = Router::new().route("/", get(note));
    let ours = listener().await;
    let theirs = listener().await;
    let addresses = [&ours, &theirs].map(|listener| listener.local_addr().unwrap());
    let guard = IoGuard::default();
    assert_eq!(
        state(&guard.report(&theirs), "stalled connections") == ProtectionState::Active,
        cfg!(target_os = "linux")
    );
    let silent = serve(ours, app.clone()).with_reporter(Reporter::silent());
    tokio::spawn(silent.into_future());
    tokio::spawn(axum::serve(theirs, app).into_future());
    for address in addresses {
        let answer = wire::raw(address, "GET / HTTP/1.0\r\n\r\n").await;
        assert!(answer.ends_with("noted"), "{answer}");
    }
    let seen = seen.lock().unwrap();
    for (report, expected) in seen.iter().zip([ProtectionState::Active, ProtectionState::Inert]) {
        for name in [
            "stalled streams and connections",
            "slow request heads and idle connections",
            "cut answers without a length over HTTP/1.0",
        ] {
            assert_eq!(state(report, name), expected, "{report}");
        }
    }
}
