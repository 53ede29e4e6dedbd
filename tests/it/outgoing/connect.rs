//! The `connect` phase.

use std::future::{pending, ready};
use std::io;

use http::Uri;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_lifeline::outgoing::{ConnectTimeout, ConnectTimeoutLayer, OutgoingError};
use tower_lifeline::{Bound, Event, Outcome, Phase, PhaseExpired, PhaseLimits};

use super::{Alive, Seen, elapsed, limits, ms, secs};

#[tokio::test(start_paused = true)]
async fn a_connector_that_hangs_is_dropped_when_its_time_is_up() {
    let (alive, seen) = (Alive::default(), Seen::default());
    let held = alive.clone();
    let connector = service_fn(move |_: Uri| {
        let held = held.hold();
        async move {
            let _held = held;
            pending::<io::Result<()>>().await
        }
    });
    let mut connector = ConnectTimeoutLayer::new(limits())
        .with_reporter(seen.reporter())
        .layer(connector);
    let connecting = connector
        .ready()
        .await
        .unwrap()
        .call(Uri::from_static("http://there/"));
    let (error, took) = elapsed(connecting).await;
    let error = error.unwrap_err();
    assert_eq!(took, secs(10));
    assert_eq!(alive.count(), 0);

    let expired = *PhaseExpired::find(&*error).unwrap();
    assert_eq!((expired.phase(), expired.bound()), (Phase::Connect, Bound::Limit));
    assert_eq!((expired.limit(), expired.elapsed()), (secs(10), secs(10)));
    let timed_out = error.downcast::<io::Error>().unwrap();
    assert_eq!(timed_out.kind(), io::ErrorKind::TimedOut);
    assert!(matches!(
        timed_out.downcast::<OutgoingError>(),
        Ok(OutgoingError::Expired(_))
    ));
    seen.assert_failed_once(expired);
}

#[tokio::test(start_paused = true)]
async fn any_request_type_passes_and_errors_stay_what_they_were() {
    let connector = service_fn(|port: u16| {
        ready(if port == 80 {
            Ok("up")
        } else {
            Err(io::Error::other("no"))
        })
    });
    let mut connector = ConnectTimeoutLayer::new(limits()).layer(connector);
    assert_eq!(connector.ready().await.unwrap().call(80).await.unwrap(), "up");
    let error = connector.ready().await.unwrap().call(81).await.unwrap_err();
    assert_eq!(
        error.downcast::<io::Error>().unwrap().kind(),
        io::ErrorKind::Other
    );
}

#[tokio::test(start_paused = true)]
async fn a_connection_in_the_very_last_moment_is_in_time() {
    let connector = service_fn(|()| async {
        tokio::time::sleep(secs(10)).await;
        io::Result::Ok("up")
    });
    let mut connector = ConnectTimeoutLayer::new(limits()).layer(connector);
    assert_eq!(connector.ready().await.unwrap().call(()).await.unwrap(), "up");
}

#[tokio::test(start_paused = true)]
async fn without_a_limit_or_report_only_the_connector_is_waited_for() {
    let slow = || {
        service_fn(|()| async {
            for _ in 0..60 {
                tokio::time::sleep(secs(60)).await;
            }
            io::Result::Ok("up")
        })
    };
    let none = PhaseLimits::builder().without_connect().build().unwrap();
    let mut connector = ConnectTimeoutLayer::new(none).layer(slow());
    assert_eq!(connector.ready().await.unwrap().call(()).await.unwrap(), "up");

    let seen = Seen::default();
    let reports = PhaseLimits::builder()
        .connect(ms(50))
        .report_only(Phase::Connect)
        .build()
        .unwrap();
    let mut connector = ConnectTimeoutLayer::new(reports)
        .with_reporter(seen.reporter())
        .layer(slow());
    assert_eq!(connector.ready().await.unwrap().call(()).await.unwrap(), "up");
    let events = seen.take();
    assert!(
        matches!(
            &events[..],
            [Event::PhaseExpired {
                outcome: Outcome::WouldHaveCut,
                ..
            }]
        ),
        "{events:?}"
    );
}

/// What tonic's `Endpoint::connect_with_connector` asks of a connector.
#[test]
fn it_fits_where_tonic_takes_a_connector() {
    fn fits<C>(_: C)
    where
        C: Service<Uri> + Clone + Send + Sync + 'static,
        C::Future: Send + Unpin,
        C::Error: Into<Box<dyn std::error::Error + Send + Sync>> + Send,
    {
    }
    let http = hyper_util::client::legacy::connect::HttpConnector::new();
    let connector: ConnectTimeout<_> = ConnectTimeoutLayer::new(limits()).layer(http);
    fits(connector);
}
