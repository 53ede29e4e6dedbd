//! What the connections of a listener have in common.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

use socket2::Domain;

use super::probe;
use super::settings::{Setting, SocketSettings};
use super::socket::{self, Socket};
use crate::event::{Event, Reporter};
use crate::report::Report;
use crate::slow_client::SlowClientLimits;
use crate::watchdog::Watchdog;

/// The limits of many connections, and the one watchdog that looks after all of them. Clones share it.
#[derive(Clone, Debug)]
pub struct IoGuard {
    pub(super) terms: Arc<Terms>,
    pub(super) watchdog: Watchdog,
}

#[derive(Debug)]
pub(super) struct Terms {
    pub(super) limits: SlowClientLimits,
    pub(super) reporter: Reporter,
    settings: SocketSettings,
    /// Which settings were refused and have been reported.
    refused: AtomicU8,
    /// How many sockets have no owner any more, and still something to deliver.
    left: AtomicUsize,
    most_left: usize,
}

/// The place of a socket among those that were left.
#[derive(Debug)]
pub(super) struct LeftBehind(Arc<Terms>);

/// Whoever counts connections counts these no longer, and each holds a file: more than so many are not worth the bytes
/// that are still on their way.
const MOST_LEFT: usize = 1024;

// === impl IoGuard ===

impl IoGuard {
    /// A guard with these limits, and the default [`SocketSettings`].
    #[must_use]
    pub fn new(limits: SlowClientLimits) -> Self {
        Self {
            watchdog: Watchdog::new(limits.between_looks()),
            terms: Arc::new(Terms {
                limits,
                reporter: Reporter::log(),
                settings: SocketSettings::new(),
                refused: AtomicU8::new(0),
                left: AtomicUsize::new(0),
                most_left: MOST_LEFT,
            }),
        }
    }

    /// Sets other things on each socket than the defaults. Connections that are there already keep theirs.
    #[must_use]
    pub fn with_settings(self, settings: SocketSettings) -> Self {
        let Terms {
            reporter, most_left, ..
        } = &*self.terms;
        let (reporter, most_left) = (reporter.clone(), *most_left);
        self.with(settings, reporter, most_left)
    }

    /// Reports to another observer than the [log](Reporter::log).
    #[must_use]
    pub fn with_reporter(self, reporter: Reporter) -> Self {
        let Terms {
            settings, most_left, ..
        } = *self.terms;
        self.with(settings, reporter, most_left)
    }

    fn with(self, settings: SocketSettings, reporter: Reporter, most_left: usize) -> Self {
        let terms = Terms {
            limits: self.terms.limits,
            reporter,
            settings,
            refused: AtomicU8::new(0),
            left: AtomicUsize::new(0),
            most_left,
        };
        Self {
            terms: Arc::new(terms),
            ..self
        }
    }

    #[cfg(test)]
    pub(super) fn with_most_left(self, most_left: usize) -> Self {
        let Terms {
            reporter, settings, ..
        } = &*self.terms;
        let (settings, reporter) = (*settings, reporter.clone());
        self.with(settings, reporter, most_left)
    }

    /// What is at work for connections of `listener`, and what is not, as found by trying.
    ///
    /// ```
    /// # use tower_lifeline::connection::IoGuard;
    /// # async fn report(guard: IoGuard) -> std::io::Result<()> {
    /// let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    /// guard.report(&listener).log();
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn report(&self, listener: &impl Socket) -> Report {
        let Terms { limits, settings, .. } = &*self.terms;
        Report::new(probe::lines(socket::domain(listener), limits, settings))
    }

    /// How many connections are watched at this moment, those included that were closed with bytes on the way.
    #[must_use]
    pub fn watched(&self) -> usize {
        self.watchdog.count()
    }
}

impl Default for IoGuard {
    fn default() -> Self {
        Self::new(SlowClientLimits::new())
    }
}

// === impl Terms ===

impl Terms {
    /// A place for a socket without an owner. `None`: there are as many as there may be.
    pub(super) fn leave_behind(self: &Arc<Self>) -> Option<LeftBehind> {
        let place = LeftBehind(self.clone());
        (self.left.fetch_add(1, Ordering::Relaxed) < self.most_left).then_some(place)
    }

    pub(super) fn set_up(&self, socket: &impl Socket, domain: Option<Domain>) {
        self.settings
            .apply(socket, domain, |setting, error| self.refused(setting, error));
    }

    #[cold]
    fn refused(&self, setting: Setting, error: io::ErrorKind) {
        if self.refused.fetch_or(setting.bit(), Ordering::Relaxed) & setting.bit() == 0 {
            let setting = setting.as_str();
            self.reporter
                .report(&Event::SocketSettingRefused { setting, error });
        }
    }
}

// === impl LeftBehind ===

impl Drop for LeftBehind {
    fn drop(&mut self) {
        self.0.left.fetch_sub(1, Ordering::Relaxed);
    }
}
