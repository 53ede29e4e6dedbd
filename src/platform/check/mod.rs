//! The check of a server's settings against one another and against the platforms in front of it.
//!
//! One function per rule. What a rule says is a [`Finding`]; what becomes of it is decided in [`verify`] alone.

mod finding;
mod hops;
mod own;
mod streams;
#[cfg(test)]
pub(super) mod tests;

use super::chain::Chain;
use super::derived::Derived;
use super::setup::{Derivable, Setup};
use crate::error::ConfigError;

pub use self::finding::{Finding, Remedy, Severity};

/// What a rule looks at.
struct Case<'a> {
    chain: &'a Chain,
    setup: &'a Setup,
    derived: Derived,
}

struct Rule {
    code: &'static str,
    find: Find,
}

enum Find {
    One(fn(&Case<'_>) -> Option<Finding>),
    Each(fn(&Case<'_>) -> Vec<Finding>),
}

/// Which findings refuse a configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Strictness {
    /// [Contradictions](Severity::Contradiction) between settings that were chosen. What the platform table says
    /// never does: a new table in a new version must not stop a deployment.
    #[default]
    Lenient,
    /// [Warnings](Severity::Warning) as well.
    Strict,
}

const RULES: &[Rule] = &[
    Rule::one("heartbeat-idle", streams::heartbeat_idle),
    Rule::one("heartbeat-margin", streams::heartbeat_margin),
    Rule::one("no-heartbeat", streams::no_heartbeat),
    Rule::one("commit-first-byte", streams::commit_first_byte),
    Rule::one("commit-margin", streams::commit_margin),
    Rule::one("no-commit", streams::no_commit),
    Rule::one("head-first-byte", streams::head_first_byte),
    Rule::one("queue-first-byte", streams::queue_first_byte),
    Rule::one("duration-cap", streams::duration_cap),
    Rule::one("total-cap", streams::total_cap),
    Rule::one("client-timer", streams::client_timer),
    Rule::each("buffering", hops::buffering),
    Rule::each("header-taken", hops::header_taken),
    Rule::one("keep-alive", hops::keep_alive),
    Rule::one("peers-behind-proxy", hops::peers_behind_proxy),
    Rule::one("drain-kill", hops::drain_kill),
    Rule::one("request-read", hops::request_read),
    Rule::one("queue-commit", own::queue_commit),
    Rule::one("model-wait", own::model_wait),
    Rule::each("phase-wait", own::phase_wait),
    Rule::one("total-duration", own::total_duration),
    Rule::each("phase-total", own::phase_total),
    Rule::each("call-total", own::call_total),
    Rule::one("gate-pool", own::gate_pool),
];

/// Everything that is wrong, the worst first.
///
/// What each code means stands in `docs/platforms.md` of the repository, under "What the check finds".
#[must_use]
pub fn check(chain: &Chain, setup: &Setup) -> Vec<Finding> {
    let case = Case {
        chain,
        setup,
        derived: chain.derived(),
    };
    let mut findings: Vec<Finding> = RULES.iter().flat_map(|rule| rule.apply(&case)).collect();
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity()));
    findings
}

/// [`check`], and the decision: the findings that are worth a line in the log, or a refusal.
///
/// # Errors
/// Refuses contradictions, and with [`Strictness::Strict`] warnings too. The error says all that is wrong at once.
pub fn verify(chain: &Chain, setup: &Setup, strictness: Strictness) -> Result<Vec<Finding>, ConfigError> {
    let findings = check(chain, setup);
    let refused = match strictness {
        Strictness::Lenient => Severity::Contradiction,
        Strictness::Strict => Severity::Warning,
    };
    let reasons: Vec<String> = findings
        .iter()
        .filter(|finding| finding.severity() >= refused)
        .map(ToString::to_string)
        .collect();
    if reasons.is_empty() {
        return Ok(findings);
    }
    Err(ConfigError::new(reasons.join("\n")))
}

// === impl Case ===

impl Case<'_> {
    /// A contradiction, unless one of these settings comes from the platform table.
    fn contradiction(&self, between: &[Derivable]) -> Severity {
        if between.iter().any(|setting| self.setup.is_derived(*setting)) {
            Severity::Warning
        } else {
            Severity::Contradiction
        }
    }
}

// === impl Rule ===

impl Rule {
    const fn one(code: &'static str, find: fn(&Case<'_>) -> Option<Finding>) -> Self {
        Self {
            code,
            find: Find::One(find),
        }
    }

    const fn each(code: &'static str, find: fn(&Case<'_>) -> Vec<Finding>) -> Self {
        Self {
            code,
            find: Find::Each(find),
        }
    }

    fn apply(&self, case: &Case<'_>) -> Vec<Finding> {
        let mut findings = match self.find {
            Find::One(find) => Vec::from_iter(find(case)),
            Find::Each(find) => find(case),
        };
        for finding in &mut findings {
            finding.code = self.code;
        }
        findings
    }
}
