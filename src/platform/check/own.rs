//! Rules between settings of the server, and what is expected of it.

use std::time::Duration;

use super::Case;
use super::finding::{Finding, Severity};
use crate::platform::limit::Spoken;
use crate::platform::setup::Derivable;

pub(super) fn queue_commit(case: &Case<'_>) -> Option<Finding> {
    let queue = case.setup.queue_timeout?;
    let commit = case.setup.commit_after.at()?;
    let what = format!(
        "a request may wait {} for a seat, and its stream is opened after {}",
        Spoken(queue),
        Spoken(commit)
    );
    (queue >= commit).then(|| {
        Finding::new(case.contradiction(&[Derivable::CommitAfter]), what)
            .because("a refusal that comes after the head has no status and no Retry-After any more")
            .set_to(format!(
                "the queue timeout to {} or less, or a later commit",
                Spoken(commit / 2)
            ))
    })
}

pub(super) fn model_wait(case: &Case<'_>) -> Option<Finding> {
    let limit = case.setup.model_wait?;
    let wait = case.setup.expected_wait?;
    let what = format!(
        "a model is given up after {} of silence, and answers are expected to be silent for {}",
        Spoken(limit),
        Spoken(wait)
    );
    (limit < wait).then(|| {
        Finding::new(case.contradiction(&[]), what)
            .because("healthy answers are cut, and asked for again where the client of the model retries")
            .set_to(format!(
                "the limit of the model's client to {} or more",
                Spoken(wait)
            ))
    })
}

pub(super) fn phase_wait(case: &Case<'_>) -> Vec<Finding> {
    let Some(wait) = case.setup.expected_wait else {
        return Vec::new();
    };
    let phases = [("head", case.setup.head), ("read", case.setup.read)];
    let shorter = phases.into_iter().filter_map(|(name, limit)| {
        let limit = limit.filter(|limit| *limit < wait)?;
        let what = format!(
            "the `{name}` limit is {}, and answers are expected to be silent for {}",
            Spoken(limit),
            Spoken(wait)
        );
        let finding = Finding::new(case.contradiction(&[]), what)
            .because("healthy answers are cut")
            .set_to(format!("`{name}` to {} or more", Spoken(wait)));
        Some(finding)
    });
    shorter.collect()
}

pub(super) fn total_duration(case: &Case<'_>) -> Option<Finding> {
    let total = case.setup.total?;
    let duration = case.setup.expected_duration?;
    let what = format!(
        "a response may last {}, and healthy answers are expected to last {}",
        Spoken(total),
        Spoken(duration)
    );
    (total < duration).then(|| {
        Finding::new(case.contradiction(&[Derivable::Total]), what)
            .because("healthy answers are cut")
            .set_to(format!(
                "`total` to {} or more, where the platform allows it",
                Spoken(duration)
            ))
    })
}

pub(super) fn phase_total(case: &Case<'_>) -> Vec<Finding> {
    let Some(total) = case.setup.total else {
        return Vec::new();
    };
    let by_total = [Derivable::Total];
    let by_either = [Derivable::Total, Derivable::CommitAfter];
    let limits: [(&str, Option<Duration>, &[Derivable]); 4] = [
        ("the `head` limit", case.setup.head, &by_total),
        ("the `read` limit", case.setup.read, &by_total),
        ("the queue timeout", case.setup.queue_timeout, &by_total),
        ("the commit point", case.setup.commit_after.at(), &by_either),
    ];
    let longer = limits.into_iter().filter_map(|(name, limit, between)| {
        let limit = limit.filter(|limit| *limit > total)?;
        let what = format!(
            "{name} is {}, and the whole response may last {}",
            Spoken(limit),
            Spoken(total)
        );
        let finding = Finding::new(case.contradiction(between), what)
            .because("the longer one never comes to pass: the total has ended the exchange before")
            .set_to(format!(
                "{name} to {} or less, or a longer `total`",
                Spoken(total)
            ));
        Some(finding)
    });
    longer.collect()
}

pub(super) fn call_total(case: &Case<'_>) -> Vec<Finding> {
    let Some(total) = case.setup.total else {
        return Vec::new();
    };
    let longer = case.setup.calls.iter().filter(|(_, limit)| *limit > total);
    let findings = longer.map(|(name, limit)| {
        let what = format!(
            "the call `{name}` may take {}, and the whole response {}",
            Spoken(*limit),
            Spoken(total)
        );
        Finding::new(case.contradiction(&[Derivable::Total]), what)
            .because("the call ends with the request, so its own limit never runs out and its failure is never answered")
            .set_to(format!("the limit of `{name}` below {}, or a longer `total`", Spoken(total)))
    });
    findings.collect()
}

pub(super) fn gate_pool(case: &Case<'_>) -> Option<Finding> {
    let seats = case.setup.max_in_flight?;
    let pool = case.setup.database_pool?;
    let what = format!("{seats} requests are let in at once, and the database pool has {pool} connections");
    (seats > pool).then(|| {
        Finding::new(Severity::Warning, what)
            .because(
                "the rest queue for a connection inside, where nobody is refused in time and the wait counts as work",
            )
            .set_to(format!(
                "`max_in_flight` to {pool}, a larger pool, or a class with {pool} seats for what needs the database"
            ))
    })
}
