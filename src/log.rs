//! The observer that layers have unless they are given another: it writes events to `tracing`.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::clock::now;
use crate::event::{CallOutcome, Event, Lost, Observer, Outcome, Reporter};
use crate::refusal::Reason;

/// Writes events to `tracing`, at most ten lines a second for each kind of event once a burst of fifty has
/// passed: a flood of refusals must not become a flood of log lines. How many were left out stands in the
/// next line of that kind, as `suppressed`. Refusals because a key has its share are kinds of their own, so that
/// one client's excess hides no overload.
///
/// | event | level |
/// |---|---|
/// | a phase ran out, a call ran out of time, a gate refused, a client was too slow, a peer has too many connections; something of a late answer was lost, headers apart; a socket setting was refused | `WARN` |
/// | no connection could be accepted | `ERROR` |
/// | a phase that only reports ran out, a gate would have refused, a slow client would have been cut, a gate was closed, a server drains, a TLS handshake failed; a client stalls; an answer was late enough to become a stream, headers of it were lost | `INFO` |
/// | a deadline header was not understood; a call was dropped; somebody left a queue; a stream was told goodbye; a client takes its answer again; a connection was idle or slow for too long | `DEBUG` |
/// | a call completed, a seat was waited for, a stream got its first heartbeat (not limited) | `TRACE` |
///
/// The target of each line is `tower_lifeline`.
#[derive(Debug)]
#[non_exhaustive]
pub struct Log {
    valves: Mutex<[Valve; KINDS]>,
}

/// A token bucket that counts what it holds back.
#[derive(Clone, Copy, Debug)]
struct Valve {
    /// When the bucket would be full again; `None`: it is full.
    full_at: Option<Instant>,
    suppressed: u64,
}

const KINDS: usize = 23;
const BURST: u32 = 50;
const LINE_EVERY: Duration = Duration::from_millis(100);

static LOG: Log = Log::new();

// === impl Log ===

impl Log {
    /// A log whose limits nobody shares.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            valves: Mutex::new(
                [Valve {
                    full_at: None,
                    suppressed: 0,
                }; KINDS],
            ),
        }
    }

    fn admit(&self, kind: usize) -> Option<u64> {
        let mut valves = self
            .valves
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        valves[kind].admit(now())
    }
}

impl Default for Log {
    fn default() -> Self {
        Self::new()
    }
}

impl Observer for Log {
    fn on_event(&self, event: &Event) {
        match *event {
            Event::PhaseExpired {
                side,
                expired,
                outcome: Outcome::WouldHaveCut,
            } => {
                if let Some(suppressed) = self.admit(0) {
                    tracing::info!(target: "tower_lifeline", side = side.as_str(), phase = expired.phase().as_str(), suppressed, "{expired}; it would have been cut");
                }
            }
            Event::PhaseExpired {
                side,
                expired,
                outcome,
            } => {
                if let Some(suppressed) = self.admit(1) {
                    tracing::warn!(target: "tower_lifeline", side = side.as_str(), phase = expired.phase().as_str(), ?outcome, suppressed, "{expired}");
                }
            }
            Event::CallEnded {
                name,
                outcome: CallOutcome::Expired(bound),
                elapsed,
            } => {
                if let Some(suppressed) = self.admit(2) {
                    tracing::warn!(target: "tower_lifeline", name, ?bound, ?elapsed, suppressed, "a call ran out of time");
                }
            }
            Event::CallEnded {
                name,
                outcome: CallOutcome::Dropped,
                elapsed,
            } => {
                if let Some(suppressed) = self.admit(4) {
                    tracing::debug!(target: "tower_lifeline", name, ?elapsed, suppressed, "a call was dropped");
                }
            }
            Event::CallEnded {
                name,
                outcome: CallOutcome::Completed,
                elapsed,
            } => {
                tracing::trace!(target: "tower_lifeline", name, ?elapsed, "a call completed");
            }
            Event::DeadlineHeaderIgnored { header } => {
                if let Some(suppressed) = self.admit(3) {
                    tracing::debug!(target: "tower_lifeline", header = header.name(), suppressed, "a deadline header makes no sense and was ignored");
                }
            }
            Event::FirstHeartbeat { silence } => {
                tracing::trace!(target: "tower_lifeline", ?silence, "a silent stream is kept alive");
            }
            // A line for each would be a line every few seconds for each silent stream.
            Event::Heartbeat => {}
            Event::CommittedEarly { waited } => {
                if let Some(suppressed) = self.admit(10) {
                    tracing::info!(target: "tower_lifeline", ?waited, suppressed, "an answer is late, its event stream begins without it");
                }
            }
            Event::CommitLost {
                lost: lost @ Lost::Headers(_),
            } => {
                if let Some(suppressed) = self.admit(11) {
                    tracing::info!(target: "tower_lifeline", lost = lost.as_str(), suppressed, "{lost}");
                }
            }
            Event::CommitLost { lost } => {
                if let Some(suppressed) = self.admit(12) {
                    tracing::warn!(target: "tower_lifeline", lost = lost.as_str(), suppressed, "{lost}");
                }
            }
            Event::Farewell { outcome } => {
                if let Some(suppressed) = self.admit(13) {
                    tracing::debug!(target: "tower_lifeline", ?outcome, suppressed, "a stream was told goodbye");
                }
            }
            Event::ClientStalled { seen, idle, taken } => {
                if let Some(suppressed) = self.admit(14) {
                    tracing::info!(target: "tower_lifeline", seen = seen.as_str(), ?idle, taken, suppressed, "a client takes nothing of its answer");
                }
            }
            Event::ClientRecovered { seen, after, taken } => {
                if let Some(suppressed) = self.admit(15) {
                    tracing::debug!(target: "tower_lifeline", seen = seen.as_str(), ?after, taken, suppressed, "a client takes its answer again");
                }
            }
            Event::ClientTooSlow {
                seen,
                slow,
                outcome: Outcome::WouldHaveCut,
            } => {
                if let Some(suppressed) = self.admit(16) {
                    tracing::info!(target: "tower_lifeline", seen = seen.as_str(), slowness = slow.slowness().as_str(), taken = slow.taken(), suppressed, "{slow}; it would have been cut");
                }
            }
            Event::ClientTooSlow { seen, slow, .. } => {
                if let Some(suppressed) = self.admit(17) {
                    tracing::warn!(target: "tower_lifeline", seen = seen.as_str(), slowness = slow.slowness().as_str(), taken = slow.taken(), suppressed, "{slow}");
                }
            }
            Event::SocketSettingRefused { setting, error } => {
                if let Some(suppressed) = self.admit(18) {
                    tracing::warn!(target: "tower_lifeline", setting, %error, suppressed, "the system refused a setting of a socket, which goes on without it");
                }
            }
            Event::ConnectionTimedOut { phase, after } => {
                if let Some(suppressed) = self.admit(19) {
                    tracing::debug!(target: "tower_lifeline", phase = phase.as_str(), ?after, suppressed, "a connection was closed");
                }
            }
            Event::PeerConnectionRefused => {
                if let Some(suppressed) = self.admit(20) {
                    tracing::warn!(target: "tower_lifeline", suppressed, "a peer has as many connections as it may have");
                }
            }
            Event::AcceptFailed { error } => {
                if let Some(suppressed) = self.admit(21) {
                    tracing::error!(target: "tower_lifeline", %error, suppressed, "no connection could be accepted");
                }
            }
            Event::HandshakeFailed { error } => {
                if let Some(suppressed) = self.admit(22) {
                    tracing::info!(target: "tower_lifeline", %error, suppressed, "a handshake failed");
                }
            }
            Event::DrainBegan => {
                tracing::info!(target: "tower_lifeline", "the server drains");
            }
            Event::Drained {
                connections,
                cut,
                requests_cut,
                took,
            } => {
                tracing::info!(target: "tower_lifeline", connections, cut, requests_cut, ?took, "the server is drained");
            }
            Event::GateRefused {
                gate,
                class,
                reason,
                outcome: Outcome::WouldHaveRefused,
            } => {
                if let Some(suppressed) = self.admit(if reason == Reason::KeyShare { 9 } else { 5 }) {
                    tracing::info!(target: "tower_lifeline", gate, class, reason = reason.as_str(), suppressed, "a gate would have refused");
                }
            }
            Event::GateRefused {
                gate,
                class,
                reason,
                outcome,
            } => {
                if let Some(suppressed) = self.admit(if reason == Reason::KeyShare { 8 } else { 6 }) {
                    tracing::warn!(target: "tower_lifeline", gate, class, reason = reason.as_str(), ?outcome, suppressed, "a gate refused");
                }
            }
            Event::GateAbandoned { gate, class, waited } => {
                if let Some(suppressed) = self.admit(7) {
                    tracing::debug!(target: "tower_lifeline", gate, class, ?waited, suppressed, "somebody who waited for a seat went away");
                }
            }
            Event::GateWaited { gate, class, waited } => {
                tracing::trace!(target: "tower_lifeline", gate, class, ?waited, "a seat after a wait");
            }
            Event::GateClosed { gate } => {
                tracing::info!(target: "tower_lifeline", gate, "a gate was closed");
            }
        }
    }
}

// === impl Reporter ===

impl Reporter {
    /// Reports to `tracing`, through a [`Log`] that the whole process shares: what layers do unless they are
    /// told otherwise.
    #[must_use]
    pub const fn log() -> Self {
        Self::to_static(&LOG)
    }
}

// === impl Valve ===

impl Valve {
    /// `Some`: one line may pass, and so many were held back since the last one.
    fn admit(&mut self, now: Instant) -> Option<u64> {
        let full_at = self.full_at.filter(|at| *at > now).unwrap_or(now);
        if full_at.duration_since(now) > LINE_EVERY * (BURST - 1) {
            self.suppressed += 1;
            return None;
        }
        self.full_at = Some(full_at + LINE_EVERY);
        Some(std::mem::take(&mut self.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_flood_becomes_a_trickle_that_counts_the_rest() {
        let start = now();
        let mut valve = Valve {
            full_at: None,
            suppressed: 0,
        };
        let passed = (0..1000).filter(|_| valve.admit(start).is_some()).count();
        assert_eq!(passed, 50);
        assert_eq!(valve.admit(start + LINE_EVERY), Some(950));
        assert_eq!(valve.admit(start + LINE_EVERY), None);
        assert_eq!(valve.admit(start + Duration::from_secs(60)), Some(1));
    }

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn the_log_says_what_was_lost_louder_than_what_was_kept() {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(move || writer.clone())
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .finish();
        let log = Log::new();
        tracing::subscriber::with_default(subscriber, || {
            log.on_event(&Event::FirstHeartbeat {
                silence: Duration::from_millis(1),
            });
            log.on_event(&Event::CommittedEarly {
                waited: Duration::from_millis(1),
            });
            log.on_event(&Event::CommitLost {
                lost: Lost::Headers(2),
            });
            log.on_event(&Event::CommitLost {
                lost: Lost::Status(503),
            });
            log.on_event(&Event::Farewell {
                outcome: Outcome::SaidGoodbye,
            });
        });
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        let levels: Vec<_> = text
            .lines()
            .filter_map(|line| line.split_whitespace().nth(1))
            .collect();
        assert_eq!(levels, ["TRACE", "INFO", "INFO", "WARN", "DEBUG"], "{text}");
    }

    #[test]
    fn one_keys_excess_hides_no_overload() {
        let (log, outcome) = (Log::new(), Outcome::Refused(429));
        let (gate, class) = ("gate", "standard");
        for reason in [Reason::KeyShare; 100] {
            let event = Event::GateRefused {
                gate,
                class,
                reason,
                outcome,
            };
            log.on_event(&event);
        }
        let waited = Duration::ZERO;
        for _ in 0..100 {
            log.on_event(&Event::GateAbandoned { gate, class, waited });
        }
        let valves = log.valves.lock().unwrap();
        assert!(valves[8].suppressed > 0 && valves[7].suppressed > 0);
        assert!(valves[6].full_at.is_none() && valves[5].full_at.is_none());
    }
}
