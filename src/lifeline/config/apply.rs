//! From each part of a configuration to the settings of a layer.

use std::time::Duration;

#[cfg(feature = "serve")]
use super::ServerConfig;
use super::{
    CommitConfig, GateConfig, HeartbeatConfig, PhasesConfig, RequestBodyConfig, SlowClientsConfig, Span,
};
use crate::error::ConfigError;
use crate::lifeline::LifelineBuilder;
use crate::phase::PhaseLimits;
use crate::request_body::RequestBodyLimits;
use crate::slow_client::SlowClientLimits;
use crate::sse_heartbeat::{EarlyCommit, HeartbeatSettings};

impl GateConfig {
    pub(super) fn apply(&self, mut builder: LifelineBuilder) -> Result<LifelineBuilder, ConfigError> {
        for path in &self.health {
            builder = builder.health(path);
        }
        for path in &self.mcp {
            builder = builder.mcp(path);
        }
        let has_limits =
            self.max_in_flight.is_some() || self.max_queue.is_some() || self.queue_timeout.is_some();
        if self.off {
            return if has_limits {
                Err(both("gate"))
            } else {
                Ok(builder.without_gate())
            };
        }
        if let Some(seats) = self.max_in_flight {
            builder = builder.max_in_flight(seats);
        }
        if let Some(places) = self.max_queue {
            builder = builder.max_queue(places);
        }
        if let Some(limit) = self.queue_timeout {
            builder = builder.queue_timeout(limit.some("gate.queue_timeout")?);
        }
        Ok(builder)
    }
}

impl PhasesConfig {
    pub(super) fn apply(&self, builder: LifelineBuilder) -> Result<LifelineBuilder, ConfigError> {
        let Self {
            head,
            read,
            total,
            endless_read,
            endless_total,
            report_only,
        } = *self;
        if [head, read, total, endless_read, endless_total]
            .iter()
            .all(Option::is_none)
            && !report_only
        {
            return Ok(builder);
        }
        // What is left out follows from the platforms, as without any of it, and gives way to what was said.
        let usual = LifelineBuilder::usual_phases(&builder.chain.derived())?;
        let longest = [head, read].into_iter().flatten().filter_map(Span::get).max();
        let total = match total {
            Some(total) => total.get(),
            None if longest > usual.total() => PhaseLimits::new().total(),
            None => usual.total(),
        };
        let usual_read = match (usual.read(), total.filter(|total| !total.is_zero())) {
            (Some(read), Some(total)) => Some(read.min(total)),
            (read, _) => read,
        };
        let read = read.map_or(usual_read, Span::get);
        let head = head.map_or(read, Span::get);
        let mut limits = PhaseLimits::builder();
        limits = match head {
            Some(limit) => limits.head(limit),
            None => limits.without_head(),
        };
        limits = match read {
            Some(limit) => limits.read(limit),
            None => limits.without_read(),
        };
        limits = match total {
            Some(limit) => limits.total(limit),
            None => limits.without_total(),
        };
        if let Some(limit) = endless_read.and_then(Span::get) {
            limits = limits.endless_read(limit);
        }
        if let Some(limit) = endless_total.and_then(Span::get) {
            limits = limits.endless_total(limit);
        }
        if report_only {
            limits = limits.report_only_all();
        }
        Ok(builder.phases(limits.build()?))
    }
}

impl HeartbeatConfig {
    pub(super) fn apply(&self, builder: LifelineBuilder) -> Result<LifelineBuilder, ConfigError> {
        let says_nothing = self.interval.is_none()
            && self.commit.is_none()
            && self.commit_after.is_none()
            && self.max_late_body.is_none()
            && !self.goodbye;
        if self.off {
            return if says_nothing {
                Ok(builder.without_heartbeat())
            } else {
                Err(both("heartbeat"))
            };
        }
        if says_nothing {
            return Ok(builder);
        }
        // What is left out follows from the platforms, as without any of it.
        let derived = builder.chain.derived();
        let interval = match self.interval {
            Some(interval) => interval.some("heartbeat.interval")?,
            None => derived.heartbeat(),
        };
        let after = match self.commit_after {
            Some(after) => after.some("heartbeat.commit_after")?,
            None => derived.commit_after(),
        };
        if self.commit == Some(CommitConfig::Never) && self.commit_after.is_some() {
            return Err(ConfigError::new(
                "`heartbeat.commit_after` belongs to `heartbeat.commit`, which is `never`: leave one of them out"
                    .to_owned(),
            ));
        }
        let mut settings = HeartbeatSettings::builder().interval(interval);
        settings = match self.commit.unwrap_or(CommitConfig::JsonRpcRequests) {
            CommitConfig::Never => settings.without_commit(),
            CommitConfig::JsonRpcRequests => settings.commit(EarlyCommit::JsonRpcRequests, after),
            CommitConfig::AnyRequest => settings.commit(EarlyCommit::AnyRequest, after),
        };
        if let Some(bytes) = self.max_late_body {
            settings = settings.max_late_body(bytes);
        }
        if self.goodbye {
            settings = settings.with_goodbye();
        }
        Ok(builder.heartbeat(settings.build()?))
    }
}

impl SlowClientsConfig {
    pub(super) fn apply(&self, builder: LifelineBuilder) -> Result<LifelineBuilder, ConfigError> {
        let Self {
            off,
            stall,
            min_rate,
            grace,
            report_only,
        } = *self;
        let says_nothing = stall.is_none() && min_rate.is_none() && grace.is_none() && !report_only;
        match (off, says_nothing) {
            (true, true) => return Ok(builder.without_slow_clients()),
            (true, false) => return Err(both("slow_clients")),
            (false, true) => return Ok(builder),
            (false, false) => {}
        }
        let mut limits = SlowClientLimits::builder();
        if let Some(stall) = stall {
            limits = limits.stall(stall.some("slow_clients.stall")?);
        }
        match min_rate {
            Some(0) => limits = limits.without_min_rate(),
            Some(rate) => limits = limits.min_rate(rate),
            None => {}
        }
        if let Some(grace) = grace {
            limits = limits.grace(grace.some("slow_clients.grace")?);
        }
        if report_only {
            limits = limits.report_only();
        }
        Ok(builder.slow_clients(limits.build()?))
    }
}

impl RequestBodyConfig {
    pub(super) fn apply(&self, builder: LifelineBuilder) -> Result<LifelineBuilder, ConfigError> {
        let Self {
            idle,
            total,
            min_rate,
            grace,
        } = *self;
        if idle.is_none() && total.is_none() && min_rate.is_none() && grace.is_none() {
            return Ok(builder);
        }
        let usual = RequestBodyLimits::new();
        // What was left out gives way to what was said.
        let within = |limit: Duration| match total.and_then(Span::get) {
            Some(total) if !total.is_zero() => limit.min(total),
            _ => limit,
        };
        let mut limits = RequestBodyLimits::builder();
        match idle.map_or_else(|| usual.idle().map(within), Span::get) {
            Some(limit) => limits = limits.idle(limit),
            None => limits = limits.without_idle(),
        }
        match total.map(Span::get) {
            Some(Some(limit)) => limits = limits.total(limit),
            Some(None) => limits = limits.without_total(),
            None => {}
        }
        let grace = match grace {
            Some(grace) => Some(grace.some("request_body.grace")?),
            None => None,
        };
        let (usual_rate, usual_grace) = usual.min_rate().unwrap_or_default();
        match (min_rate, grace) {
            (Some(0), None) => limits = limits.without_min_rate(),
            (Some(0), Some(_)) => {
                return Err(ConfigError::new(
                    "`request_body.grace` belongs to `request_body.min_rate`, which is switched off"
                        .to_owned(),
                ));
            }
            (rate, grace) => {
                let grace = grace.unwrap_or_else(|| within(usual_grace));
                limits = limits.min_rate(rate.unwrap_or(usual_rate), grace);
            }
        }
        Ok(builder.request_body(limits.build()?))
    }
}

#[cfg(feature = "serve")]
impl ServerConfig {
    pub(super) fn apply(&self, builder: LifelineBuilder) -> Result<LifelineBuilder, ConfigError> {
        let mut settings = builder.usual_server()?.to_builder();
        let is_untouched = settings;
        if let Some(limit) = self.request_head {
            settings = settings.request_head(limit.some("server.request_head")?);
        }
        if let Some(limit) = self.keep_alive_idle {
            settings = settings.keep_alive_idle(limit.some("server.keep_alive_idle")?);
        }
        if let Some(count) = self.max_connections {
            settings = settings.max_connections(count);
        }
        if let Some(count) = self.max_connections_per_peer {
            settings = settings.max_connections_per_peer(count);
        }
        if let Some(delay) = self.drain_delay {
            settings = settings.drain_delay(delay.get().unwrap_or_default());
        }
        if let Some(bound) = self.drain {
            settings = settings.drain(bound.some("server.drain")?);
        }
        if settings == is_untouched {
            return Ok(builder);
        }
        Ok(builder.server(settings.build()?))
    }
}

fn both(part: &str) -> ConfigError {
    ConfigError::new(format!(
        "`{part}` is switched off and set to something at the same time: leave one of them out"
    ))
}
