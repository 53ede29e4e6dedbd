//! What the connections of a listener have in common.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use socket2::Domain;

use super::settings::{Setting, SocketSettings};
use super::socket::Socket;
use crate::event::{Event, Reporter};
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
}

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
            }),
        }
    }

    /// Sets other things on each socket than the defaults. Connections that are there already keep theirs.
    #[must_use]
    pub fn with_settings(self, settings: SocketSettings) -> Self {
        let reporter = self.terms.reporter.clone();
        self.with(settings, reporter)
    }

    /// Reports to another observer than the [log](Reporter::log).
    #[must_use]
    pub fn with_reporter(self, reporter: Reporter) -> Self {
        let settings = self.terms.settings;
        self.with(settings, reporter)
    }

    fn with(self, settings: SocketSettings, reporter: Reporter) -> Self {
        let terms = Terms {
            limits: self.terms.limits,
            reporter,
            settings,
            refused: AtomicU8::new(0),
        };
        Self {
            terms: Arc::new(terms),
            ..self
        }
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
