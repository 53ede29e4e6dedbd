//! One call of a tool: how long it may take, what it holds, who ends it, and who hears how it goes.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use axum::http::request::Parts;
use rmcp::model::{ProgressNotificationParam, ProgressToken};
use rmcp::service::{Peer, RequestContext};
use rmcp::{ErrorData, RoleServer};
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tower_lifeline::{Deadline, SharedSeat};
use tracing::{Instrument, Span};

use super::Tasks;
use crate::knowledge::Sofar;
use crate::stack::REQUEST_ID;

/// A call while it runs.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) deadline: Deadline,
    /// Held until the call has ended, which is after its response where a session's client went away.
    pub(super) seat: Option<SharedSeat>,
    cancelled: CancellationToken,
    listener: Option<(Peer<RoleServer>, ProgressToken)>,
    span: Span,
}

/// So often a client hears of a word more.
const BETWEEN_NEWS: Duration = Duration::from_millis(250);

// === impl Call ===

impl Call {
    /// A call of a session may take as long as a task, since its client can come back; any other what its request
    /// may.
    pub(super) fn of(tool: &'static str, context: RequestContext<RoleServer>, tasks: &Tasks) -> Self {
        let parts = context.extensions.get::<Parts>();
        let of_session = context.meta.protocol_version().is_none()
            && parts.is_some_and(|parts| parts.headers.contains_key("mcp-session-id"));
        let deadline = match parts.and_then(|parts| parts.extensions.get::<Deadline>()) {
            Some(deadline) if !of_session => deadline.clone(),
            _ => tasks.deadline(),
        };
        let id = parts.and_then(|parts| parts.headers.get(REQUEST_ID)?.to_str().ok());
        let span = tracing::info_span!("tool", tool, id);
        let seat = parts.and_then(|parts| parts.extensions.get::<SharedSeat>().cloned());
        let token = context.meta.get_progress_token();
        Self {
            deadline,
            seat,
            listener: token.map(|token| (context.peer, token)),
            cancelled: context.ct,
            span,
        }
    }

    /// Does `work` until it is done or nobody wants it any more.
    pub(super) async fn run<T>(self, work: impl Future<Output = T>) -> Result<T, ErrorData> {
        let Self {
            seat,
            cancelled,
            listener: _,
            deadline: _,
            span,
        } = self;
        let done = tokio::select! {
            biased;
            () = cancelled.cancelled() => {
                span.in_scope(|| tracing::info!("cancelled"));
                // Nobody hears it.
                Err(ErrorData::internal_error("the call was cancelled", None))
            }
            done = work.instrument(span.clone()) => Ok(done),
        };
        drop(seat);
        done
    }

    /// As [`run`](Self::run), and tells the client what `sofar` says, if it wants to hear it.
    pub(super) async fn run_telling<T>(
        mut self,
        sofar: watch::Receiver<Sofar>,
        work: impl Future<Output = T>,
    ) -> Result<T, ErrorData> {
        let listener = self.listener.take();
        self.run(async {
            match listener {
                Some((peer, token)) => telling(&peer, &token, sofar, work).await,
                None => work.await,
            }
        })
        .await
    }
}

/// Does `work`, and tells of it. A notification that has begun goes out before the end of the work is known to
/// anybody: rmcp sends it by itself, and it must not come after the response.
async fn telling<T>(
    peer: &Peer<RoleServer>,
    token: &ProgressToken,
    mut sofar: watch::Receiver<Sofar>,
    work: impl Future<Output = T>,
) -> T {
    let mut work = pin!(work);
    let mut progress = 0.0;
    loop {
        tokio::select! {
            biased;
            done = &mut work => return done,
            news = sofar.changed() => if news.is_err() {
                return work.await;
            },
        }
        progress += 1.0;
        let message = in_words(&sofar.borrow_and_update());
        let told = ProgressNotificationParam::new(token.clone(), progress).with_message(message);
        let mut told = pin!(peer.notify_progress(told));
        let mut done = None;
        let heard = loop {
            tokio::select! {
                biased;
                heard = &mut told => break heard.is_ok(),
                work = &mut work, if done.is_none() => done = Some(work),
            }
        };
        if let Some(done) = done {
            return done;
        }
        if !heard {
            return work.await;
        }
        tokio::select! {
            biased;
            done = &mut work => return done,
            () = sleep(BETWEEN_NEWS) => (),
        }
    }
}

/// What a client is told of an answer that is not finished.
pub(super) fn in_words(sofar: &Sofar) -> String {
    match sofar.text.as_str() {
        "" => format!("{} papers found, the answer is being written", sofar.found),
        text => text.to_owned(),
    }
}
