//! The port stays open while the server stops, for whoever comes back for an answer that is still being worked at: the
//! client of a task asks for it every second, and that of a session goes on from where its stream was closed. To them a
//! port that is closed is an answer that is lost.
//!
//! The drain closes it once load balancers had their time to notice. From then on what is served here is the same as
//! before, but that the gate is closed: nobody begins anything new.

use std::error::Error;
use std::net::TcpListener as Socket;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep, timeout};
use tower_lifeline::Lifeline;
use tower_lifeline::serve::ServeSettings;

/// The port, for a second time.
#[derive(Debug)]
pub(crate) struct Late {
    socket: Socket,
    settings: ServeSettings,
    lifeline: Lifeline,
    app: Router,
}

/// After the last of the work: whoever asks every second has asked by then.
const LAST_CALL: Duration = Duration::from_secs(2);

/// How long an answer may take that is fetched: it is there already.
const FETCHED: Duration = Duration::from_secs(2);

// === impl Late ===

impl Late {
    /// The same port as that of `listener`, which is given back.
    pub(crate) fn beside(
        listener: TcpListener,
        lifeline: &Lifeline,
        app: &Router,
    ) -> Result<(TcpListener, Self), Box<dyn Error + Send + Sync>> {
        let listener = listener.into_std()?;
        let late = Self {
            socket: listener.try_clone()?,
            settings: lifeline
                .server()
                .to_builder()
                .drain_delay(Duration::ZERO)
                .drain_spread(Duration::ZERO)
                .drain(FETCHED)
                .build()?,
            lifeline: lifeline.clone(),
            app: app.clone(),
        };
        Ok((TcpListener::from_std(listener)?, late))
    }

    /// Serves once the drain that began at `told` accepts nobody any more, if somebody `is_awaited` then: until all
    /// work is done, or the drain is over.
    pub(crate) async fn serve(self, told: Instant, is_awaited: impl FnOnce() -> bool) {
        let drain = *self.lifeline.server();
        let over = told + drain.drain_bound();
        tokio::time::sleep_until(told + drain.drain_delay()).await;
        if !is_awaited() {
            return;
        }
        let listener = match TcpListener::from_std(self.socket) {
            Ok(listener) => listener,
            Err(error) => return tracing::warn!(%error, "nobody can come back for an answer"),
        };
        tracing::info!("the port stays open for those who come back for an answer");
        let gate = self.lifeline.gate();
        let done = async move {
            gate.drained().await;
            sleep(LAST_CALL).await;
        };
        let left = over.saturating_duration_since(Instant::now() + FETCHED);
        tower_lifeline::serve(listener, self.app)
            .with_settings(self.settings)
            .with_shutdown(async move { drop(timeout(left, done).await) })
            .await;
    }
}
