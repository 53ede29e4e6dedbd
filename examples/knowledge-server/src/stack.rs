//! The order of the layers, and the failure that each of them stops. No other file knows it.

use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, header};
use axum::middleware;
use tower::ServiceBuilder;
use tower_http::cors::CorsLayer;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::trace::TraceLayer;
use tower_lifeline::admission_gate::Classify;
use tower_lifeline::metrics::{EventMetrics, MetricsLayer};
use tower_lifeline::platform::{Chain, Setup};
use tower_lifeline::serve::ServeSettings;
use tower_lifeline::sse_heartbeat::{EarlyCommit, Progress};
use tower_lifeline::{
    AdmissionGate, AdmissionGateLayer, Class, ConfigError, GateLimits, HeartbeatSettings, Lifeline,
    PhaseLimits, Reporter, RequestHead,
};
use tracing::Span;

use crate::cli::{LimitArgs, ServeArgs};
use crate::figures;
use crate::mcp::PRIMING;
use crate::notice::{self, Notice};

/// Where MCP is served.
pub(crate) const MCP: &str = "/mcp";

/// Paths that are answered while everything is taken.
pub(crate) const PROBES: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// Where a request's id stands.
pub(crate) const REQUEST_ID: &str = "x-request-id";

/// The tool whose answers take long.
pub(crate) const SLOW_TOOL: &str = "ask_papers";

/// Who hears of whatever runs out of its limits: the log, and the recorder of figures that is installed by then.
#[must_use]
pub fn reporter() -> Reporter {
    Reporter::to(EventMetrics::new().and(Reporter::log()))
}

/// The stack of tower-lifeline, from what was said on the command line.
///
/// # Errors
/// Refuses limits that contradict one another.
pub fn lifeline(args: &ServeArgs, reporter: &Reporter) -> Result<Lifeline, ConfigError> {
    let (chain, limits) = (&args.behind, &args.limits);
    let wait = queue_wait(chain, limits);
    let mut builder = Lifeline::behind(chain.clone())
        .reporter(reporter.clone()) // nobody sees it coming
        .gate(gate(limits, wait, reporter.clone())?) // overload: everybody waits, nobody is served
        .progress(Progress::for_tools([SLOW_TOOL])) // clients whose own timers hear nothing of comments
        .expecting(expected(args, wait)); // limits that fail behind the platforms in front
    if let Some(total) = limits.request_limit {
        let within = |limit: Option<Duration>| limit.map_or(total, |limit| limit.min(total));
        let usual = PhaseLimits::new();
        let phases = PhaseLimits::builder().total(total);
        let phases = phases.head(within(usual.head())).read(within(usual.read()));
        builder = builder.phases(phases.build()?); // one timeout for everything
    }
    if let Some(bound) = limits.drain {
        builder = builder.server(draining(chain, bound)?); // a deployment that cuts whoever is being served
    }
    builder.build()
}

/// Puts the layers around the server, outermost first.
///
/// # Errors
/// Refuses what no origin can be, and limits that contradict one another.
pub fn around(routes: Router, lifeline: &Lifeline, args: &ServeArgs) -> Result<Router, ConfigError> {
    let goodbye = until_goodbye(&args.behind)?;
    let layers = ServiceBuilder::new()
        // a complaint that nobody finds in the log
        .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid))
        .layer(
            TraceLayer::new_for_http()
                .make_span_with(span)
                .on_request(())
                .on_response(answered)
                .on_body_chunk(())
                .on_eos(())
                .on_failure(()),
        )
        .layer(PropagateRequestIdLayer::x_request_id())
        // a browser that shows its page no refusal, since refusals have no CORS headers
        .layer(cors(&args.allow_origins))
        // nobody sees it coming: by path and status, and all that a server can see of its requests
        .layer(middleware::from_fn(figures::count))
        .layer(MetricsLayer::new())
        // a drain that waits for streams without an end
        .map_request(move |mut request: axum::extract::Request| {
            if request.method() == Method::GET && !waits_for_an_answer(request.headers()) {
                request.extensions_mut().insert(goodbye);
            }
            request
        })
        // a cancellation that finds no seat
        .layer(middleware::from_fn(notice::mark))
        // slow clients, dripping uploads, silent streams, overload, handlers that hang: in this order
        .layer(lifeline.layer());
    Ok(routes.layer(layers))
}

/// Connections to the database: one for whoever has a seat, and one whose query is still being cancelled. The probe has
/// its own.
pub(crate) const fn pool(limits: &LimitArgs) -> u32 {
    limits.seats.saturating_add(1)
}

fn gate(limits: &LimitArgs, wait: Duration, reporter: Reporter) -> Result<AdmissionGateLayer, ConfigError> {
    let limits = GateLimits::builder(limits.seats)
        .max_queue(limits.queue)
        .queue_timeout(wait)
        .build()?;
    let mut builder = AdmissionGate::builder(limits).name("mcp").reporter(reporter);
    let classes = PROBES
        .iter()
        .fold(builder.mcp().only(MCP), |classes, path| classes.health(path));
    // Whoever looks after a task that holds a seat must not need another one.
    let classes = ["server/discover", "tasks/get", "tasks/update", "tasks/cancel"]
        .iter()
        .fold(classes, |classes, method| classes.method(method, Class::EXEMPT));
    // Shared, since a tool of a session, or a task, works on when its response has ended.
    let gate = builder.build()?;
    let classify = {
        let gate = gate.clone();
        move |head: &RequestHead<'_>| {
            // A gate that is closed would take the answers of a drain from those who come back for them.
            let comes_back = || head.method() == Method::GET && waits_for_an_answer(head.headers());
            match head.extensions().get::<Notice>() {
                Some(_) => Class::EXEMPT,
                None if comes_back() && gate.figures().is_closed => Class::EXEMPT,
                None => classes.classify(head),
            }
        }
    };
    Ok(AdmissionGateLayer::new(gate).classify(classify).share_seats())
}

/// Short enough that a refusal still has a status.
fn queue_wait(chain: &Chain, limits: &LimitArgs) -> Duration {
    const USUAL: Duration = Duration::from_secs(5);
    let wait = USUAL.min(chain.derived().commit_after() / 2);
    let wait = limits.request_limit.map_or(wait, |limit| wait.min(limit / 2));
    limits.queue_wait.unwrap_or(wait)
}

/// What the check should know that is no setting of the stack.
fn expected(args: &ServeArgs, wait: Duration) -> Setup {
    let limits = &args.limits;
    let mut setup = Setup::new()
        .max_in_flight(limits.seats)
        .queue_timeout(wait)
        .call("search", limits.search_limit);
    if args.database_url.is_some() {
        setup = setup.database_pool(pool(limits));
    }
    if args.llm_url.is_some() {
        setup = setup.call("model.first_word", limits.first_word_limit);
    }
    setup
}

/// Streams that clients listen on, and that no call answers on, have nothing to lose when the server stops.
fn until_goodbye(chain: &Chain) -> Result<HeartbeatSettings, ConfigError> {
    let derived = chain.derived();
    HeartbeatSettings::builder()
        .interval(derived.heartbeat())
        .commit(EarlyCommit::JsonRpcRequests, derived.commit_after())
        .with_goodbye()
        .build()
}

fn draining(chain: &Chain, bound: Duration) -> Result<ServeSettings, ConfigError> {
    let usual = ServeSettings::new();
    let idle = usual.keep_alive_idle().max(chain.derived().keep_alive());
    // What load balancers need to notice, out of the bound.
    let delay = (bound / 4).min(Duration::from_secs(3));
    ServeSettings::builder()
        .keep_alive_idle(idle)
        .drain_delay(delay)
        .drain(bound - delay)
        .drain_spread(delay.min(Duration::from_secs(1)))
        .build()
}

fn cors(origins: &[String]) -> CorsLayer {
    const OURS: [HeaderName; 5] = [
        HeaderName::from_static("mcp-session-id"),
        HeaderName::from_static("mcp-protocol-version"),
        HeaderName::from_static("mcp-method"),
        HeaderName::from_static("mcp-name"),
        HeaderName::from_static("last-event-id"),
    ];
    let asked = [header::CONTENT_TYPE, header::ACCEPT, header::AUTHORIZATION];
    let told = [
        header::RETRY_AFTER,
        HeaderName::from_static(REQUEST_ID),
        OURS[0].clone(),
    ];
    let origins = origins
        .iter()
        .filter_map(|origin| HeaderValue::from_str(origin).ok());
    CorsLayer::new()
        .allow_origin(origins.collect::<Vec<_>>())
        .allow_methods([Method::GET, Method::POST, Method::DELETE])
        .allow_headers(asked.into_iter().chain(OURS).collect::<Vec<_>>())
        .expose_headers(told)
}

/// Whoever goes on from an event of a call. A stream that no call owns begins with an event of its own name.
fn waits_for_an_answer(headers: &HeaderMap) -> bool {
    let last = headers.get("last-event-id");
    last.is_some_and(|last| last.as_bytes() != PRIMING.as_bytes())
}

/// No query and no header but the id: there may be secrets in them.
fn span<B>(request: &Request<B>) -> Span {
    let id = request.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok());
    let (method, path) = (request.method(), request.uri().path());
    tracing::info_span!("request", %method, path, id)
}

fn answered<B>(response: &Response<B>, after: Duration, _: &Span) {
    tracing::info!(status = response.status().as_u16(), ?after, "answered");
}
