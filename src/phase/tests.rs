//! What limits are refused, and why.

use std::time::Duration;

use super::PhaseLimits;
use crate::error::Phase;

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

#[test]
fn the_head_follows_read_until_it_is_set() {
    let limits = PhaseLimits::builder().read(secs(30)).build().unwrap();
    assert_eq!(limits.head(), Some(secs(30)));
    assert_eq!(
        PhaseLimits::builder().without_read().build().unwrap().head(),
        None
    );
    let own = PhaseLimits::builder()
        .head(secs(5))
        .read(secs(30))
        .build()
        .unwrap();
    assert_eq!(own.head(), Some(secs(5)));
    assert_eq!(
        own.to_builder().read(secs(40)).build().unwrap().head(),
        Some(secs(5))
    );
}

#[test]
fn the_defaults_pass_their_own_checks() {
    assert_eq!(PhaseLimits::builder().build().unwrap(), PhaseLimits::default());
    assert_eq!(
        PhaseLimits::new().to_builder().build().unwrap(),
        PhaseLimits::new()
    );
}

#[test]
fn contradictions_are_refused_with_a_sentence() {
    let refused = |builder: super::PhaseLimitsBuilder| builder.build().unwrap_err().to_string();
    let zero = Duration::ZERO;
    for (name, error) in [
        ("`connect` is zero", refused(PhaseLimits::builder().connect(zero))),
        ("`head` is zero", refused(PhaseLimits::builder().head(zero))),
        (
            "`read` is zero",
            refused(PhaseLimits::builder().head(secs(1)).read(zero)),
        ),
        ("`total` is zero", refused(PhaseLimits::builder().total(zero))),
        (
            "`endless_read` is zero",
            refused(PhaseLimits::builder().endless_read(zero)),
        ),
    ] {
        assert!(error.contains(name) && error.contains("fail at once"), "{error}");
    }
    let read = refused(PhaseLimits::builder().head(secs(1)).read(secs(200)));
    assert_eq!(
        read,
        "`read` (200s) is longer than `total` (120s), so it could never run out: raise `total` or lower `read`"
    );
    assert!(refused(PhaseLimits::builder().head(secs(200))).starts_with("`head` (200s)"));
    assert!(refused(PhaseLimits::builder().connect(secs(200))).starts_with("`connect` (200s)"));
    // Equal is fine, and so is anything where there is no total.
    PhaseLimits::builder().read(secs(120)).build().unwrap();
    PhaseLimits::builder()
        .read(secs(900))
        .without_total()
        .build()
        .unwrap();
    // A server need not lower a `connect` that it does not use.
    PhaseLimits::builder()
        .read(secs(1))
        .total(secs(2))
        .build()
        .unwrap();
}

#[test]
fn phases_report_only_one_by_one() {
    let limits = PhaseLimits::builder().report_only(Phase::Total).build().unwrap();
    assert!(limits.is_report_only(Phase::Total) && !limits.is_report_only(Phase::Read));
    let all = PhaseLimits::builder().report_only_all().build().unwrap();
    assert!(all.is_report_only(Phase::Head) && all.is_report_only(Phase::Connect));
}
