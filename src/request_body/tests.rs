//! What limits contradict one another, which bodies are looked at and how, and whom a late look is charged to.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes};
use http::Request;
use proptest::prelude::*;

use super::clock::RequestClock;
use super::limits::{RequestBodyLimits, RequestBodyLimitsBuilder};
use super::scan::Scan;
use crate::error::Phase;
use crate::phase::Verdict;
use crate::rpc::CallSlot;

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

#[expect(clippy::disallowed_methods, reason = "any instant serves as the origin")]
fn origin() -> Instant {
    Instant::now()
}

fn refusal(builder: RequestBodyLimitsBuilder) -> String {
    builder.build().unwrap_err().to_string()
}

#[test]
fn contradictions_are_refused_with_the_reason() {
    let builder = RequestBodyLimits::builder;
    assert_eq!(builder().build(), Ok(RequestBodyLimits::new()));
    assert!(refusal(builder().idle(Duration::ZERO)).starts_with("`idle` is zero"));
    assert!(refusal(builder().total(Duration::ZERO)).starts_with("`total` is zero"));
    assert!(refusal(builder().min_rate(0, secs(5))).starts_with("`min_rate` is zero bytes per second"));
    assert!(refusal(builder().min_rate(240, Duration::ZERO)).starts_with("`min_rate` has no grace"));
    assert!(refusal(builder().idle(secs(121))).starts_with("`idle` (121s) is longer than `total` (120s)"));
    assert!(refusal(builder().min_rate(1, secs(121))).contains("grace of `min_rate`"));
    assert!(refusal(builder().report_only(Phase::Read)).starts_with("`report_only(read)` names no clock"));
}

#[test]
fn a_limit_that_is_off_contradicts_nothing() {
    let off = RequestBodyLimits::builder()
        .without_idle()
        .without_total()
        .without_min_rate()
        .build()
        .unwrap();
    assert_eq!((off.idle(), off.total(), off.min_rate()), (None, None, None));
    assert!(RequestClock::new(off, 0).is_idle());
    assert!(!off.can_cut());
    let long = RequestBodyLimits::builder()
        .idle(secs(999))
        .without_total()
        .build()
        .unwrap();
    assert!(long.can_cut());
    assert!(!long.to_builder().report_only_all().build().unwrap().can_cut());
    assert_eq!(long.to_builder().build().unwrap(), long);
    assert_eq!(long.min_rate(), Some((240, secs(30))));
}

#[test]
fn a_reader_that_was_away_is_not_charged_to_the_client() {
    let limits = RequestBodyLimits::builder().without_min_rate().build().unwrap();
    let mut clock = RequestClock::new(limits, 0);
    let start = origin();
    assert_eq!(clock.wait(start), Verdict::Wait(Some(start + secs(30))));

    // It comes back ten times too late and finds nothing: the silence starts over.
    let back = start + secs(300);
    assert_eq!(clock.wait(back), Verdict::Wait(Some(back + secs(30))));

    // It comes back too late and finds a frame: nothing of the total was spent.
    clock.frame(1, true, || back + secs(300));
    let later = back + secs(400);
    for second in 0..119 {
        let begin = later + secs(second);
        assert!(matches!(clock.wait(begin), Verdict::Wait(_)));
        clock.frame(1, true, || begin + secs(1));
    }
    let last = later + secs(119);
    assert_eq!(clock.wait(last), Verdict::Wait(Some(last + secs(1))));
    // A timer that is a little late changes nothing.
    let Verdict::Expired(expired) = clock.wait(last + Duration::from_millis(1900)) else {
        panic!("not cut")
    };
    assert_eq!(expired.phase(), Phase::RequestTotal);
    assert_eq!(
        (expired.limit(), expired.elapsed()),
        (secs(120), Duration::from_millis(120_900))
    );
}

#[test]
fn empty_frames_end_no_silence() {
    let limits = RequestBodyLimits::builder().without_min_rate().build().unwrap();
    let mut clock = RequestClock::new(limits, 0);
    let start = origin();
    for second in 0..30 {
        assert!(matches!(clock.wait(start + secs(second)), Verdict::Wait(_)));
        clock.frame(0, false, || start + secs(second + 1));
    }
    let Verdict::Expired(expired) = clock.wait(start + secs(30)) else {
        panic!("not cut")
    };
    assert_eq!(expired.phase(), Phase::RequestIdle);
}

#[test]
fn only_plain_json_posts_are_looked_at() {
    let looked_at = |method: &str, headers: &[(&str, &str)]| {
        let request = Request::builder().method(method);
        let mut request = headers
            .iter()
            .fold(request, |request, (name, value)| request.header(*name, *value))
            .body(())
            .unwrap();
        let scan = Scan::of(&mut request);
        assert_eq!(scan.is_some(), request.extensions().get::<CallSlot>().is_some());
        scan.is_some()
    };
    for json in [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        "application/json;charset=utf-8",
        " application/json ;q=1",
    ] {
        assert!(looked_at("POST", &[("content-type", json)]), "{json}");
        assert!(!looked_at("GET", &[("content-type", json)]));
        assert!(!looked_at("PUT", &[("content-type", json)]));
        assert!(!looked_at(
            "POST",
            &[("content-type", json), ("content-encoding", "gzip")]
        ));
    }
    for other in [
        "",
        "text/plain",
        "application/jsonl",
        "application/json-seq",
        "x; application/json",
        "application",
    ] {
        assert!(!looked_at("POST", &[("content-type", other)]), "{other}");
    }
    assert!(!looked_at("POST", &[]));
}

#[test]
fn a_slot_from_further_out_is_filled() {
    let slot = CallSlot::new();
    let request = Request::post("/")
        .header("content-type", "application/json")
        .extension(slot.clone());
    let mut scan = Scan::of(&mut request.body(()).unwrap()).unwrap();
    assert!(scan.look(&CALL));
    scan.finish();
    assert_eq!(slot.call().unwrap().method(), Some("ping"));
}

const CALL: &[u8] = br#"{"jsonrpc":"2.0","id":"a-1","method":"ping"}"#;

/// Data in pieces, like hyper-util's and `Buf::chain`; `shows` of them are visible at once.
struct Pieces {
    pieces: VecDeque<Bytes>,
    shows: usize,
}

impl Buf for Pieces {
    fn remaining(&self) -> usize {
        self.pieces.iter().map(Bytes::len).sum()
    }

    fn chunk(&self) -> &[u8] {
        self.pieces.front().map_or(&[], |piece| piece)
    }

    fn chunks_vectored<'a>(&'a self, to: &mut [std::io::IoSlice<'a>]) -> usize {
        let pieces = to.iter_mut().zip(&self.pieces).take(self.shows);
        pieces
            .map(|(to, piece)| *to = std::io::IoSlice::new(piece))
            .count()
    }

    fn advance(&mut self, _: usize) {
        panic!("the scan took what it may only look at")
    }
}

fn cut(bytes: &[u8], mut cuts: Vec<prop::sample::Index>) -> VecDeque<Bytes> {
    let mut at: Vec<_> = cuts
        .drain(..)
        .map(|cut| cut.index(bytes.len()))
        .chain([0, bytes.len()])
        .collect();
    at.sort_unstable();
    at.dedup();
    at.windows(2)
        .map(|pair| Bytes::copy_from_slice(&bytes[pair[0]..pair[1]]))
        .collect()
}

proptest! {
    #[test]
    fn a_frame_in_pieces_is_read_if_all_of_it_is_visible(
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..14),
        shows in 0usize..20,
    ) {
        let slot = CallSlot::new();
        let request = Request::post("/").header("content-type", "application/json").extension(slot.clone());
        let mut scan = Scan::of(&mut request.body(()).unwrap()).unwrap();
        let pieces = Pieces { pieces: cut(CALL, cuts), shows };
        let visible = pieces.pieces.len() == 1 || pieces.pieces.len() <= shows;
        let goes_on = scan.look(&pieces);
        prop_assert_eq!(goes_on, visible);
        if goes_on {
            scan.finish();
            prop_assert_eq!(slot.call().unwrap().id().unwrap().as_json(), "\"a-1\"");
        }
    }
}
