//! Rules about silence, the first byte and the end of responses.

use std::time::Duration;

use super::Case;
use super::finding::{Finding, Severity};
use crate::platform::derived::part;
use crate::platform::limit::{Limit, Spoken};
use crate::platform::row::Platform;
use crate::platform::setup::Known;

/// What MCP's TypeScript SDK gives a request by default.
const CLIENT_TIMER: Duration = Duration::from_secs(60);

pub(super) fn heartbeat_idle(case: &Case<'_>) -> Option<Finding> {
    let interval = case.setup.heartbeat.at()?;
    let (idle, hop) = case.chain.tightest(Limit::Idle)?;
    let what = format!(
        "a heartbeat comes every {}, and {} cuts a response that is silent for {}",
        Spoken(interval),
        hop.name(),
        Spoken(idle)
    );
    (interval >= idle).then(|| {
        Finding::new(Severity::Warning, what)
            .at(hop)
            .because(format!(
                "the first silence that is long enough ends the stream ({})",
                hop.evidence(Limit::Idle)
            ))
            .set_to(format!(
                "the heartbeat interval to {}",
                Spoken(case.derived.heartbeat())
            ))
    })
}

pub(super) fn heartbeat_margin(case: &Case<'_>) -> Option<Finding> {
    let interval = case.setup.heartbeat.at()?;
    let (idle, hop) = case.chain.tightest(Limit::Idle)?;
    let what = format!(
        "a heartbeat comes every {}, which is more than half of the {} of silence after which {} cuts a response",
        Spoken(interval),
        Spoken(idle),
        hop.name()
    );
    (interval > idle / 2 && interval < idle).then(|| {
        Finding::new(Severity::Note, what)
            .at(hop)
            .because(format!(
                "one beat that is late, or lost and sent again, is one too few ({})",
                hop.evidence(Limit::Idle)
            ))
            .set_to(format!(
                "the heartbeat interval to {}",
                Spoken(case.derived.heartbeat())
            ))
    })
}

pub(super) fn no_heartbeat(case: &Case<'_>) -> Option<Finding> {
    let wait = case.setup.expected_wait?;
    let (idle, hop) = case.chain.tightest(Limit::Idle)?;
    let what = format!(
        "answers are expected to be silent for {}, there are no heartbeats, and {} cuts a response that is silent for {}",
        Spoken(wait),
        hop.name(),
        Spoken(idle)
    );
    (case.setup.heartbeat == Known::Off && wait >= idle).then(|| {
        Finding::new(Severity::Warning, what)
            .at(hop)
            .because(format!(
                "any byte restarts that clock, but for pings of HTTP/2 and keep-alives of TCP ({})",
                hop.evidence(Limit::Idle)
            ))
            .set_to(format!("heartbeats, every {}", Spoken(case.derived.heartbeat())))
    })
}

pub(super) fn commit_first_byte(case: &Case<'_>) -> Option<Finding> {
    let commit = case.setup.commit_after.at()?;
    let (first_byte, hop) = case.chain.first_byte()?;
    let what = format!(
        "a stream is opened after {} without an answer, and {} waits {} for the first byte",
        Spoken(commit),
        hop.name(),
        Spoken(first_byte)
    );
    (commit >= first_byte).then(|| {
        Finding::new(Severity::Warning, what)
            .at(hop)
            .because(format!(
                "before the first byte there is nothing that a heartbeat could be sent in: the caller gets {} ({})",
                said(hop.cut_before_head()),
                evidence(hop, first_byte)
            ))
            .set_to(format!("the commit point to {}", Spoken(case.derived.commit_after())))
    })
}

pub(super) fn commit_margin(case: &Case<'_>) -> Option<Finding> {
    let commit = case.setup.commit_after.at()?;
    let (first_byte, hop) = case.chain.first_byte()?;
    let what = format!(
        "a stream is opened after {} without an answer, close to the {} that {} waits for the first byte",
        Spoken(commit),
        Spoken(first_byte),
        hop.name()
    );
    (commit > part(first_byte, 4, 5) && commit < first_byte).then(|| {
        Finding::new(Severity::Note, what)
            .at(hop)
            .because(format!(
                "its clock starts before the server's does: its own queue and the network are in it ({})",
                evidence(hop, first_byte)
            ))
            .set_to(format!(
                "the commit point to {}",
                Spoken(case.derived.commit_after())
            ))
    })
}

pub(super) fn no_commit(case: &Case<'_>) -> Option<Finding> {
    let wait = case.setup.expected_wait?;
    let (first_byte, hop) = case.chain.first_byte()?;
    let what = format!(
        "answers may take {} to begin, no stream is opened before them, and {} waits {} for the first byte",
        Spoken(wait),
        hop.name(),
        Spoken(first_byte)
    );
    (case.setup.commit_after == Known::Off && wait >= first_byte).then(|| {
        Finding::new(Severity::Warning, what)
            .at(hop)
            .because(format!(
                "the caller gets {}, and the answer goes nowhere ({})",
                said(hop.cut_before_head()),
                evidence(hop, first_byte)
            ))
            .set_to(format!(
                "an early commit, after {}",
                Spoken(case.derived.commit_after())
            ))
    })
}

pub(super) fn head_first_byte(case: &Case<'_>) -> Option<Finding> {
    let head = case.setup.head?;
    let (first_byte, hop) = case.chain.first_byte()?;
    let what = format!(
        "a response head may take {}, and {} waits {} for the first byte",
        Spoken(head),
        hop.name(),
        Spoken(first_byte)
    );
    (case.setup.commit_after == Known::Off && head >= first_byte).then(|| {
        Finding::new(Severity::Warning, what)
            .at(hop)
            .because(format!(
                "the platform's error comes before the server's own, which would say what happened and when to come back ({})",
                evidence(hop, first_byte)
            ))
            .set_to(format!(
                "the head limit below {}, or an early commit after {}",
                Spoken(part(first_byte, 9, 10)),
                Spoken(case.derived.commit_after())
            ))
    })
}

pub(super) fn queue_first_byte(case: &Case<'_>) -> Option<Finding> {
    let queue = case.setup.queue_timeout?;
    let (first_byte, hop) = case.chain.first_byte()?;
    let what = format!(
        "a request may wait {} for a seat, and {} waits {} for the first byte",
        Spoken(queue),
        hop.name(),
        Spoken(first_byte)
    );
    (case.setup.commit_after.at().is_none() && queue >= first_byte).then(|| {
        Finding::new(Severity::Warning, what)
            .at(hop)
            .because(format!(
                "the caller is gone before the refusal comes ({})",
                evidence(hop, first_byte)
            ))
            .set_to(format!("the queue timeout to {} or less", Spoken(first_byte / 2)))
    })
}

pub(super) fn duration_cap(case: &Case<'_>) -> Option<Finding> {
    let duration = case.setup.expected_duration?;
    let (cap, hop) = case.chain.tightest(Limit::Total)?;
    let what = format!(
        "answers are expected to last {}, and {} ends every response after {}",
        Spoken(duration),
        hop.name(),
        Spoken(cap)
    );
    (duration >= cap).then(|| {
        Finding::new(Severity::Warning, what)
            .at(hop)
            .because(format!(
                "it is a cap on the whole, which no heartbeat moves ({})",
                hop.evidence(Limit::Total)
            ))
            .elsewhere(format!(
                "at {}: {}; or answer in parts: a task that is polled, a stream that the client resumes",
                hop.name(),
                said(hop.configure())
            ))
    })
}

pub(super) fn total_cap(case: &Case<'_>) -> Option<Finding> {
    let total = case.setup.total?;
    let (cap, hop) = case.chain.tightest(Limit::Total)?;
    let what = format!(
        "a response may last {}, and {} ends every response after {}",
        Spoken(total),
        hop.name(),
        Spoken(cap)
    );
    (total >= cap).then(|| {
        Finding::new(Severity::Warning, what)
            .at(hop)
            .because(format!(
                "who ends a stream before the platform does can say goodbye with an error that the client understands ({})",
                hop.evidence(Limit::Total)
            ))
            .set_to(format!("the total to {}", Spoken(part(cap, 9, 10))))
    })
}

pub(super) fn client_timer(case: &Case<'_>) -> Option<Finding> {
    let duration = case.setup.expected_duration?;
    let what = format!(
        "answers are expected to last {} and report no progress, and MCP's TypeScript SDK waits {} for one by default",
        Spoken(duration),
        Spoken(CLIENT_TIMER)
    );
    (case.setup.sends_progress == Some(false) && duration >= CLIENT_TIMER).then(|| {
        Finding::new(Severity::Note, what)
            .because(
                "comments keep connections alive and reset no timer of an SDK; progress does, where the client asked for \
                 that (resetTimeoutOnProgress)",
            )
            .set_to("progress notifications for calls that carry a token, or a longer timeout in the client")
    })
}

/// Where the limit to a first byte comes from, which may be a cap on the whole.
fn evidence(hop: &Platform, first_byte: Duration) -> String {
    let is_its_own = hop.limit(Limit::FirstByte) == Some(first_byte);
    hop.evidence(if is_its_own {
        Limit::FirstByte
    } else {
        Limit::Total
    })
}

fn said(text: &str) -> &str {
    if text.is_empty() {
        "what it was configured to say"
    } else {
        text
    }
}
