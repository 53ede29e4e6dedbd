//! What deadlines are, and what survives the wire.

use proptest::prelude::*;

use super::*;

#[expect(clippy::disallowed_methods, reason = "any instant serves as the origin")]
fn origin() -> Instant {
    Instant::now()
}

#[test]
fn garbage_on_the_wire_is_no_deadline() {
    for garbage in [
        "",
        "S",
        "1",
        "-1S",
        "+1S",
        "1.5S",
        "123456789S",
        "1 S",
        "1s",
        "٣S",
        "1SS",
        "0x1S",
    ] {
        assert_eq!(parse_grpc_timeout(garbage.as_bytes()), None, "{garbage}");
    }
    for garbage in [
        "",
        "0",
        "-1",
        "+5",
        "1.5",
        "1e3",
        "12ms",
        " 12",
        "9999999999999999999",
        "\u{663}",
    ] {
        assert_eq!(parse_millis(garbage.as_bytes()), None, "{garbage}");
    }
}

#[test]
fn what_grpc_and_envoy_write_is_understood() {
    assert_eq!(parse_grpc_timeout(b"1H"), Some(Duration::from_secs(3600)));
    assert_eq!(
        parse_grpc_timeout(b"99999999H"),
        Some(Duration::from_secs(99_999_999 * 3600))
    );
    assert_eq!(parse_grpc_timeout(b"2M"), Some(Duration::from_secs(120)));
    assert_eq!(parse_grpc_timeout(b"0S"), Some(Duration::ZERO));
    assert_eq!(parse_grpc_timeout(b"100m"), Some(Duration::from_millis(100)));
    assert_eq!(parse_grpc_timeout(b"82u"), Some(Duration::from_micros(82)));
    assert_eq!(parse_grpc_timeout(b"7n"), Some(Duration::from_nanos(7)));
    assert_eq!(parse_millis(b"15000"), Some(Duration::from_secs(15)));
}

#[test]
fn a_cap_only_brings_a_deadline_forward() {
    let now = origin();
    let secs = Duration::from_secs;
    assert_eq!(Deadline::unbounded().left_at(now), None);
    assert_eq!(
        Deadline::unbounded().capped_at(now, secs(5)).left_at(now),
        Some(secs(5))
    );
    assert_eq!(
        Deadline::at(now + secs(3)).capped_at(now, secs(5)).left_at(now),
        Some(secs(3))
    );
    assert_eq!(
        Deadline::at(now + secs(9)).capped_at(now, secs(5)).left_at(now),
        Some(secs(5))
    );
    assert_eq!(Deadline::at(now).left_at(now + secs(1)), Some(Duration::ZERO));
    assert_eq!(
        Deadline::unbounded().capped_at(now, Duration::MAX).left_at(now),
        None
    );
}

proptest! {
    #[test]
    fn what_is_written_is_read_back_and_never_grows(secs in 0u64..400_000_000_000, nanos in 0u32..1_000_000_000) {
        let left = Duration::new(secs, nanos);
        let grpc = parse_grpc_timeout(format_grpc_timeout(left).as_bytes()).unwrap();
        prop_assert!(grpc <= left);
        // Eight digits: no worse than the step from one unit to the next.
        let most = Duration::from_secs(99_999_999 * 3600);
        prop_assert!(left.min(most) - grpc <= (left / 10_000).max(Duration::from_secs(3600)).min(left));
        let millis = parse_millis(format_millis(left).as_bytes()).unwrap();
        prop_assert!(millis <= left.max(Duration::from_millis(1)));
        prop_assert!(left.saturating_sub(millis) < Duration::from_millis(1));
    }

    #[test]
    fn no_bytes_panic(value in proptest::collection::vec(any::<u8>(), 0..24)) {
        let _ = parse_grpc_timeout(&value);
        let _ = parse_millis(&value);
    }
}
