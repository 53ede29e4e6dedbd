//! The server: routes, probes, and the way from the first line to the last.

use std::error::Error;
use std::future::Future;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::SetOnce;
use tokio::time::{Instant, timeout};
use tower_lifeline::platform::Severity;
use tower_lifeline::serve::ServeHandle;
use tower_lifeline::{Lifeline, Reporter};

use crate::cli::ServeArgs;
use crate::figures::{self, Figures};
use crate::knowledge::Knowledge;
use crate::late::Late;
use crate::mcp::Mcp;
use crate::{open, stack};

/// What the probes look at.
struct Probed {
    knowledge: Arc<Knowledge>,
    figures: Figures,
    server: OnceLock<ServeHandle>,
}

/// How long what outlived its connection has to let go of its seats once it was told to end.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Serves until it is told to stop, or only checks whether it could.
///
/// # Errors
/// Where the limits contradict one another, and where the store, a model or the address cannot be had.
pub async fn run(args: ServeArgs) -> Result<ExitCode, Box<dyn Error + Send + Sync>> {
    if args.check {
        return Ok(check(&stack::lifeline(&args, &Reporter::silent())?));
    }
    let page = figures::install()?;
    let reporter = stack::reporter();
    let lifeline = stack::lifeline(&args, &reporter)?;
    let listener = TcpListener::bind(args.bind)
        .await
        .map_err(|error| format!("{} cannot be listened on: {error}", args.bind))?;
    let knowledge = Arc::new(open::knowledge(&args, &reporter).await?);
    let mcp = Mcp::new(knowledge.clone(), &args, reporter);
    let probed = Arc::new(Probed {
        knowledge: knowledge.clone(),
        figures: Figures::new(page, &lifeline.gate())?,
        server: OnceLock::new(),
    });
    let routes = routes(probed.clone()).merge(mcp.routes());
    let app = stack::around(routes, &lifeline, &args)?;
    let address = listener.local_addr()?;
    let (listener, late) = Late::beside(listener, &lifeline, &app)?;
    let (stop, told) = (told_to_stop()?, Arc::new(SetOnce::new()));
    let server = lifeline.serve(listener, app).with_shutdown({
        let told = told.clone();
        async move {
            stop.await;
            drop(told.set(Instant::now()));
        }
    });
    probed.server.get_or_init(|| server.handle());
    println!("papers:  {}", knowledge.store.describe());
    println!("answers: {}", knowledge.author());
    println!("listening on http://{address}{}", stack::MCP);
    let late = async {
        let told = *told.wait().await;
        late.serve(told, || mcp.is_awaited()).await;
        told
    };
    let (drained, told) = tokio::join!(server, late);
    // What has outlived its connection has what the others had.
    let left = lifeline.server().drain_bound().saturating_sub(told.elapsed());
    let ended = timeout(left, lifeline.gate().close()).await.is_ok();
    mcp.stop();
    let idle = ended || timeout(LAST_WORDS, lifeline.gate().drained()).await.is_ok();
    tracing::info!(
        connections = drained.connections,
        cut = drained.cut,
        idle,
        "stopped"
    );
    Ok(ExitCode::SUCCESS)
}

fn check(lifeline: &Lifeline) -> ExitCode {
    for finding in lifeline.findings() {
        println!("{finding}");
    }
    let fails = |severity: Severity| severity >= Severity::Warning;
    match lifeline
        .findings()
        .iter()
        .any(|finding| fails(finding.severity()))
    {
        true => ExitCode::FAILURE,
        false => {
            println!("ok: behind {}", lifeline.chain());
            ExitCode::SUCCESS
        }
    }
}

fn routes(probed: Arc<Probed>) -> Router {
    Router::new()
        .route("/healthz", get(async || "alive\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(probed)
}

/// Ready is who is not about to stop, and whose store answers.
async fn ready(State(probed): State<Arc<Probed>>) -> impl IntoResponse {
    let stays = probed.server.get().is_none_or(ServeHandle::is_ready);
    if !stays {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n".to_owned());
    }
    match probed.knowledge.store.ready().await {
        Ok(()) => (StatusCode::OK, "ready\n".to_owned()),
        Err(error) => {
            // The log may say where the store is; a probe's answer may go to anybody.
            tracing::warn!(%error, "not ready");
            (
                StatusCode::SERVICE_UNAVAILABLE,
                "the store does not answer\n".to_owned(),
            )
        }
    }
}

async fn metrics(State(probed): State<Arc<Probed>>) -> impl IntoResponse {
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    (kind, probed.figures.render())
}

/// Ends with Ctrl-C or SIGTERM. A second Ctrl-C ends the process.
fn told_to_stop() -> std::io::Result<impl Future<Output = ()> + Send> {
    #[cfg(unix)]
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    Ok(async move {
        #[cfg(unix)]
        tokio::select! {
            _ = tokio::signal::ctrl_c() => (),
            _ = terminate.recv() => (),
        }
        #[cfg(not(unix))]
        let _heard = tokio::signal::ctrl_c().await;
        tracing::info!("stopping: once the calls that are under way have ended, or at once with Ctrl-C");
        tokio::spawn(async {
            if tokio::signal::ctrl_c().await.is_ok() {
                std::process::exit(130);
            }
        });
    })
}
