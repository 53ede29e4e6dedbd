//! Rules about how the hops of a chain pass things on, and when they let go.

use super::Case;
use super::finding::{Finding, Severity};
use crate::platform::limit::{Limit, Spoken};
use crate::platform::row::{Buffering, Platform};

pub(super) fn buffering(case: &Case<'_>) -> Vec<Finding> {
    let hops = case.chain.hops().iter();
    hops.filter_map(|hop| held_back(hop, case.setup.sends_header))
        .collect()
}

fn held_back(hop: &Platform, sends_header: Option<bool>) -> Option<Finding> {
    let name = hop.name();
    let why =
        "heartbeats and events that are held back reach nobody, and limits to silence run out in front of it";
    let finding = match hop.buffering() {
        Buffering::UnlessHeader if sends_header == Some(false) => Finding::new(
            Severity::Warning,
            format!("{name} holds responses back, and nothing tells it not to"),
        )
        .because(why)
        .set_to("the header `X-Accel-Buffering: no` on event streams"),
        Buffering::UnlessConfigured => Finding::new(
            Severity::Note,
            format!("{name} holds responses back unless it is configured not to"),
        )
        .because(why)
        .elsewhere(format!(
            "at {name}: {}; then say so with `with_buffering`",
            hop.configure()
        )),
        Buffering::Whole => Finding::new(
            Severity::Warning,
            format!("{name} passes a response on only when it is complete"),
        )
        .because("no stream passes it, and no heartbeat")
        .elsewhere(format!("at {name}: {}", hop.configure())),
        _ => return None,
    };
    Some(finding.at(hop))
}

pub(super) fn header_taken(case: &Case<'_>) -> Vec<Finding> {
    let hops = case.chain.hops();
    let outer = hops.iter().enumerate().filter_map(|(at, hop)| {
        let inner = hops[at + 1..].iter().find(|inner| inner.takes_header())?;
        (hop.buffering() == Buffering::UnlessHeader && case.setup.sends_header != Some(false)).then(|| {
            let what = format!(
                "{} holds responses back unless a header tells it not to, and {} behind it takes that header out",
                hop.name(),
                inner.name()
            );
            Finding::new(Severity::Note, what)
                .at(hop)
                .because("X-Accel-Buffering reaches the first nginx on its way out and no other")
                .elsewhere(format!(
                    "at {}: {}; or at {}: proxy_pass_header X-Accel-Buffering; then say so with `with_buffering`",
                    hop.name(),
                    hop.configure(),
                    inner.name()
                ))
        })
    });
    outer.collect()
}

pub(super) fn keep_alive(case: &Case<'_>) -> Option<Finding> {
    let ours = case.setup.keep_alive?;
    let hop = case.chain.neighbour()?;
    let theirs = hop.limit(Limit::UpstreamKeepAlive)?;
    let what = format!(
        "connections are closed after {} between requests, and {} keeps them for {}",
        Spoken(ours),
        hop.name(),
        Spoken(theirs)
    );
    (ours <= theirs).then(|| {
        Finding::new(Severity::Warning, what)
            .at(hop)
            .because(format!(
                "it sends a request on a connection that is being closed, and the caller gets a 502 ({})",
                hop.evidence(Limit::UpstreamKeepAlive)
            ))
            .set_to(format!(
                "the keep-alive of the server to {}, or that of {} to less",
                Spoken(case.derived.keep_alive()),
                hop.name()
            ))
    })
}

pub(super) fn peers_behind_proxy(case: &Case<'_>) -> Option<Finding> {
    let hop = case.chain.neighbour().filter(|_| case.setup.limits_peers)?;
    let what = format!("something is limited per peer, and every peer is {}", hop.name());
    Some(
        Finding::new(Severity::Warning, what)
            .at(hop)
            .because("behind a proxy all clients come from its addresses, so the first busy one uses up the limit of all")
            .set_to("a key from what identifies a client (a token, a header that only the proxy can set), or no limit per peer"),
    )
}

pub(super) fn drain_kill(case: &Case<'_>) -> Option<Finding> {
    let drain = case.setup.drain?;
    let (kill, hop) = case.chain.tightest(Limit::Kill)?;
    let what = format!(
        "what is still running at a shutdown is waited for up to {}, and {} kills the server after {}",
        Spoken(drain),
        hop.name(),
        Spoken(kill)
    );
    let (drain_to, configure) = (case.derived.drain().unwrap_or(kill / 2), hop.configure());
    (drain >= kill).then(|| {
        Finding::new(Severity::Warning, what)
            .at(hop)
            .because(format!(
                "streams are then cut without a goodbye, and what else is to be done at the end is not done ({})",
                hop.evidence(Limit::Kill)
            ))
            .set_to(format!(
                "the drain to {}, or more time at {} ({configure})",
                Spoken(drain_to),
                hop.name()
            ))
    })
}

pub(super) fn request_read(case: &Case<'_>) -> Option<Finding> {
    let ours = case.setup.request_total?;
    let (theirs, hop) = case.chain.tightest(Limit::RequestRead)?;
    let what = format!(
        "a request body may take {}, and {} gives a whole request {}",
        Spoken(ours),
        hop.name(),
        Spoken(theirs)
    );
    (ours >= theirs).then(|| {
        Finding::new(Severity::Note, what)
            .at(hop)
            .because(format!(
                "slow uploads are ended there, with its error instead of the server's ({})",
                hop.evidence(Limit::RequestRead)
            ))
            .set_to(format!(
                "the total of request bodies below {}, or more at {} ({})",
                Spoken(theirs),
                hop.name(),
                hop.configure()
            ))
    })
}
