//! How a gate is made.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::limits::{check_places, check_seats};
use super::seat::{Gate, Root};
use super::{AdmissionGate, Class, ClassLimits, GateLimits, McpClasses};
use crate::error::ConfigError;
use crate::event::Reporter;
use crate::gate::{ClassSetup, Core};

/// Builds an [`AdmissionGate`] that has more than limits.
#[derive(Clone, Debug)]
#[must_use = "a gate comes out of `build`"]
pub struct AdmissionGateBuilder {
    limits: GateLimits,
    name: &'static str,
    classes: Vec<(&'static str, ClassLimits)>,
    reporter: Reporter,
    lists: bool,
    is_dry: bool,
}

/// Seats of the streams' class of MCP. An idle stream takes 10 to 20 KB in hyper, so these take 20 MB at most.
const MCP_STREAMS: u32 = 1024;

// === impl AdmissionGateBuilder ===

impl AdmissionGateBuilder {
    pub(super) const fn new(limits: GateLimits) -> Self {
        let reporter = Reporter::log();
        Self {
            limits,
            name: "gate",
            classes: Vec::new(),
            reporter,
            lists: false,
            is_dry: false,
        }
    }

    /// Names the gate in errors and events. Default: `gate`.
    pub const fn name(mut self, name: &'static str) -> Self {
        self.name = name;
        self
    }

    /// Adds a class of requests.
    ///
    /// A class inside the whole takes its seats from the whole, and its places in the queue from the whole's
    /// `max_queue`; those places are its own, so a class that is full never keeps anybody else from waiting.
    pub fn class(&mut self, name: &'static str, limits: ClassLimits) -> Class {
        self.classes.push((name, limits));
        // `build` refuses more than there are numbers for.
        Class::new(u8::try_from(self.classes.len()).unwrap_or(Class::STANDARD.index()))
    }

    /// Adds the class `streams` (apart from the whole, 1024 seats, no queue) and makes the classifier of MCP
    /// requests, to be given to [`AdmissionGateLayer::classify`](crate::AdmissionGateLayer::classify).
    pub fn mcp(&mut self) -> McpClasses {
        McpClasses::new(self.class("streams", ClassLimits::apart(MCP_STREAMS)))
    }

    /// Reports to another observer than the [log](Reporter::log).
    pub fn reporter(mut self, reporter: Reporter) -> Self {
        self.reporter = reporter;
        self
    }

    /// Remembers of each seat when it was taken, and for what: see [`AdmissionGate::seats`].
    ///
    /// Off by default: it costs each request a look at the clock, the lock of the queue three times (in, head,
    /// out), about 80 bytes while it is in, and one allocation where a tool is named.
    pub const fn list_seats(mut self) -> Self {
        self.lists = true;
        self
    }

    /// Begins as a [dry run](AdmissionGate::set_dry_run).
    pub const fn dry_run(mut self) -> Self {
        self.is_dry = true;
        self
    }

    /// The gate.
    ///
    /// # Errors
    /// Refuses more than 250 classes, a class without a seat, a class with more seats than the whole that it is
    /// inside of, and classes whose places together exceed the whole's `max_queue`.
    pub fn build(self) -> Result<AdmissionGate, ConfigError> {
        self.gate()
            .map(|gate| AdmissionGate::of(Root::Counted(Arc::new(gate))))
    }

    /// A gate that lives for ever, so that no references to it are counted: two locked operations less per
    /// request, and its memory is never freed.
    ///
    /// # Errors
    /// As [`build`](Self::build).
    pub fn build_static(self) -> Result<AdmissionGate, ConfigError> {
        self.gate()
            .map(|gate| AdmissionGate::of(Root::Static(Box::leak(Box::new(gate)))))
    }

    /// A gate without classes, of which there is nothing to check.
    pub(super) fn plain(self) -> AdmissionGate {
        AdmissionGate::of(Root::Counted(Arc::new(self.gate_with(Vec::new()))))
    }

    fn gate(self) -> Result<Gate, ConfigError> {
        let setups = self.setups()?;
        Ok(self.gate_with(setups))
    }

    fn gate_with(self, setups: Vec<ClassSetup>) -> Gate {
        let core = Core::new(self.limits.core(), setups);
        core.set_dry_run(self.is_dry);
        let random = AtomicU64::new(RandomState::new().hash_one(self.name));
        Gate {
            core,
            name: self.name,
            lists: self.lists,
            reporter: self.reporter,
            random,
        }
    }

    fn setups(&self) -> Result<Vec<ClassSetup>, ConfigError> {
        if self.classes.len() > Class::MOST {
            let count = self.classes.len();
            return Err(ConfigError::new(format!(
                "{count} classes are more than the {} of a gate",
                Class::MOST
            )));
        }
        let limited = self
            .classes
            .iter()
            .filter(|(_, limits)| !limits.apart && limits.seats.is_some())
            .count();
        let equal_part = self.limits.max_queue() / (u32::try_from(limited).unwrap_or(u32::MAX - 1) + 1);
        let setups = self
            .classes
            .iter()
            .map(|(name, limits)| self.setup(name, *limits, equal_part));
        let setups: Vec<_> = setups.collect::<Result<_, _>>()?;
        let inside = setups.iter().filter(|setup| !setup.apart);
        let owned: u64 = inside.map(|setup| u64::from(setup.places)).sum();
        if owned > u64::from(self.limits.max_queue()) {
            return Err(ConfigError::new(format!(
                "the classes' places in the queue ({owned}) are more than `max_queue` ({}): raise it or lower theirs",
                self.limits.max_queue()
            )));
        }
        Ok(setups)
    }

    fn setup(&self, name: &'static str, limits: ClassLimits, part: u32) -> Result<ClassSetup, ConfigError> {
        let ClassLimits {
            seats,
            max_queue,
            apart,
        } = limits;
        if let Some(seats) = seats {
            check_seats(name, seats)?;
            if !apart && seats > self.limits.max_in_flight() {
                return Err(ConfigError::new(format!(
                    "the class `{name}` has more seats ({seats}) than the whole that it is inside of ({}): lower \
                     them, or set the class apart",
                    self.limits.max_in_flight()
                )));
            }
        }
        let usual = match seats {
            Some(seats) if !apart => part.min(seats.saturating_mul(2)),
            _ => 0,
        };
        let places = max_queue.unwrap_or(usual);
        check_places(name, places)?;
        Ok(ClassSetup {
            name,
            seats,
            places,
            apart,
        })
    }
}
