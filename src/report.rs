//! Which protections are at work, and which are not, and why: found out, not looked up.

use std::fmt;

use http::{Extensions, Request};

use crate::current::earliest;
use crate::cut::CutHandle;
use crate::deadline::Deadline;

/// One line for each protection: whether it is at work in this set-up, and why.
///
/// Whoever knows something gives one: [`Report::of_request`] what a layer or a handler can find out about what is
/// around it, `connection::IoGuard::report` what the system lets be seen of the peers of a listener, `serve::Serve` and
/// its `report` all of a server.
#[derive(Clone, Debug)]
pub struct Report {
    lines: Vec<Protection>,
}

/// A protection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protection {
    name: &'static str,
    state: ProtectionState,
    why: String,
}

/// Whether a protection is at work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProtectionState {
    /// It is.
    Active,
    /// In part.
    Partial,
    /// It is not.
    Inert,
}

// === impl Report ===

impl Report {
    #[cfg(feature = "io")]
    pub(crate) const fn new(lines: Vec<Protection>) -> Self {
        Self { lines }
    }

    /// What is to be found out of a request about the server that it came from, and about what is outside of the place
    /// where this is asked. For layers that are used one by one, under `axum::serve` or another server:
    ///
    /// ```
    /// use std::sync::Once;
    /// use axum::{Router, extract::Request};
    /// use tower::util::MapRequestLayer;
    /// use tower_lifeline::{Report, SlowClientGuardLayer};
    ///
    /// static SAID: Once = Once::new();
    ///
    /// let app: Router = Router::new()
    ///     .layer(SlowClientGuardLayer::default())
    ///     .layer(MapRequestLayer::new(|request: Request| {
    ///         SAID.call_once(|| Report::of_request(&request).log());
    ///         request
    ///     }));
    /// ```
    #[must_use]
    pub fn of_request<B>(request: &Request<B>) -> Self {
        let mut report = Self::of_server(request);
        report.lines.push(of_deadline(request.extensions()));
        report
    }

    /// What is to be found out of a request about the server alone.
    pub(crate) fn of_server<B>(request: &Request<B>) -> Self {
        let lines = of_server(request.extensions().get()).to_vec();
        Self { lines }
    }

    /// The lines.
    #[must_use]
    pub fn lines(&self) -> &[Protection] {
        &self.lines
    }

    /// Writes each line to `tracing`, at the level `INFO`.
    pub fn log(&self) {
        self.lines.iter().for_each(Protection::log);
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

// === impl Protection ===

impl Protection {
    pub(crate) const fn active(name: &'static str, why: String) -> Self {
        let state = ProtectionState::Active;
        Self { name, state, why }
    }

    pub(crate) const fn partial(name: &'static str, why: String) -> Self {
        let state = ProtectionState::Partial;
        Self { name, state, why }
    }

    pub(crate) const fn inert(name: &'static str, why: String) -> Self {
        let state = ProtectionState::Inert;
        Self { name, state, why }
    }

    /// Against what it protects.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Whether it is at work.
    #[must_use]
    pub const fn state(&self) -> ProtectionState {
        self.state
    }

    /// Writes it to `tracing`, at the level `INFO`.
    pub fn log(&self) {
        let Self { name, state, why } = self;
        tracing::info!(target: "tower_lifeline", protection = name, state = state.as_str(), why);
    }

    /// Why, or how.
    #[must_use]
    pub fn why(&self) -> &str {
        &self.why
    }
}

impl fmt::Display for Protection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:7} {}: {}", self.state.as_str(), self.name, self.why)
    }
}

// === impl ProtectionState ===

impl ProtectionState {
    /// One word for logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Partial => "partial",
            Self::Inert => "inert",
        }
    }
}

// === What a request tells ===

/// What no layer can do, by who can: the handle is what a server leaves in a request.
fn of_server(cut: Option<&CutHandle>) -> [Protection; 3] {
    let streams = "stalled streams and connections";
    let idle = "slow request heads and idle connections";
    let closed = "cut answers without a length over HTTP/1.0";
    match cut {
        Some(cut) if cut.is_of_serve() => [
            Protection::active(streams, "the server resets what a guard against slow clients cuts".to_owned()),
            Protection::active(idle, "the server has limits for them, and a report of its own".to_owned()),
            Protection::active(closed, "the server resets their connection".to_owned()),
        ],
        Some(_) => [
            Protection::partial(
                streams,
                "the server is not this crate's, but left a handle: what a guard cuts is ended as that one does it"
                    .to_owned(),
            ),
            Protection::inert(idle, "the server is not this crate's: what it does about them is its own".to_owned()),
            Protection::inert(closed, "the server is not this crate's: they end as if they were complete".to_owned()),
        ],
        None => [
            Protection::inert(
                streams,
                "the server is not this crate's: what a stalled client held is freed, its stream and connection stay \
                 open"
                    .to_owned(),
            ),
            Protection::inert(idle, "the server is not this crate's: what it does about them is its own".to_owned()),
            Protection::inert(closed, "the server is not this crate's: they end as if they were complete".to_owned()),
        ],
    }
}

fn of_deadline(extensions: &Extensions) -> Protection {
    let name = "work that nobody waits for any more";
    match earliest(extensions) {
        Some(_) => Protection::active(name, "the request came with a deadline".to_owned()),
        None if extensions.get::<Deadline>().is_some() => {
            Protection::inert(name, "the request's deadline never passes".to_owned())
        }
        None => Protection::inert(name, "no DeadlineLayer is outside of this place".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::now;

    fn states(report: &Report) -> Vec<&'static str> {
        report.lines().iter().map(|line| line.state().as_str()).collect()
    }

    #[test]
    fn a_request_tells_what_is_around_it() {
        let mut request = Request::new(());
        assert_eq!(states(&Report::of_request(&request)), ["inert"; 4]);
        let extensions = request.extensions_mut();
        extensions.insert(CutHandle::new(|| ()));
        extensions.insert(Deadline::unbounded());
        let report = Report::of_request(&request);
        assert_eq!(
            states(&report),
            ["partial", "inert", "inert", "inert"],
            "{report}"
        );
        let deadline = Deadline::unbounded().capped_at(now(), Duration::from_secs(1));
        request.extensions_mut().insert(deadline);
        assert_eq!(states(&Report::of_request(&request))[3], "active");
    }
}
