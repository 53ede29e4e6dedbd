//! What must cost nothing costs nothing: allocations and looks at the clock, counted.
//!
//! A binary of its own, because it has an allocator of its own. That no timer is made shows by where these
//! exchanges run: outside of any runtime, where making one panics.
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]
#![expect(
    unsafe_code,
    reason = "counting means standing in for the allocator and for the system's clock"
)]

#[path = "../benches/rows/parts.rs"]
mod parts;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fmt::Debug;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::Empty;
use tower::{Layer, Service};
use tower_lifeline::{
    AdmissionGate, AdmissionGateLayer, GateLimits, PhaseLimits, PhaseTimeoutLayer, SseHeartbeatLayer,
};

use self::parts::{Handler, Script};

thread_local! {
    static COUNTS: Cell<Counts> = const { Cell::new(Counts { allocations: 0, clock_reads: 0 }) };
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Counts {
    allocations: u32,
    clock_reads: u32,
}

#[derive(Debug)]
struct Counting;

const NOTHING: Counts = Counts {
    allocations: 0,
    clock_reads: 0,
};
const READY: Script = Script {
    head_waits: false,
    frames: 1,
    frame_waits: false,
    chunk: b"data: sixteen\n\n",
    is_event_stream: false,
    is_sized: true,
};
const STREAM: Script = Script {
    is_sized: false,
    ..READY
};
const EVENTS: Script = Script {
    is_event_stream: true,
    ..STREAM
};

#[test]
fn the_counters_count() {
    let allocations = during(|| drop(std::hint::black_box(Box::new(1))));
    assert_eq!(
        allocations,
        Counts {
            allocations: 1,
            clock_reads: 0
        }
    );
    let expected = linux(2);
    assert_eq!(
        during(|| assert!(tokio::time::Instant::now().elapsed().as_secs() < 60)).clock_reads,
        expected
    );
}

#[test]
fn a_ready_request_costs_nothing() {
    assert_eq!(exchange(&phase_timeout(), READY), NOTHING);
}

#[test]
fn a_streaming_body_costs_one_look_and_its_ready_frames_nothing() {
    for frames in [1, 31] {
        let counts = exchange(&phase_timeout(), Script { frames, ..STREAM });
        assert_eq!(
            counts,
            Counts {
                clock_reads: linux(1),
                ..NOTHING
            },
            "{frames} frames"
        );
    }
}

#[test]
fn many_ready_frames_cost_a_look_every_32_and_no_allocation() {
    let counts = exchange(
        &phase_timeout(),
        Script {
            frames: 3200,
            ..STREAM
        },
    );
    assert_eq!(counts.allocations, 0);
    assert!(counts.clock_reads <= 101, "{counts:?}");
}

#[test]
fn events_cost_what_frames_cost() {
    let few = exchange(&phase_timeout(), Script { frames: 10, ..EVENTS });
    let many = exchange(
        &phase_timeout(),
        Script {
            frames: 3210,
            ..EVENTS
        },
    );
    assert_eq!(few.allocations, many.allocations);
    assert!(many.clock_reads <= few.clock_reads + 100, "{few:?} {many:?}");
}

#[test]
fn a_heartbeat_costs_streams_that_are_not_silent_nothing() {
    let layer = SseHeartbeatLayer::default();
    assert_eq!(exchange(&layer, READY), NOTHING);
    for frames in [1, 3200] {
        assert_eq!(exchange(&layer, Script { frames, ..EVENTS }).clock_reads, 0);
    }
    let few = exchange(&layer, Script { frames: 1, ..EVENTS });
    let many = exchange(
        &layer,
        Script {
            frames: 3200,
            ..EVENTS
        },
    );
    assert_eq!(few.allocations, many.allocations);
}

#[test]
fn a_gate_with_room_costs_nothing() {
    let gate = AdmissionGateLayer::new(AdmissionGate::new(GateLimits::builder(8).build().unwrap()));
    assert_eq!(exchange(&gate, READY), NOTHING);
    assert_eq!(
        exchange(
            &gate,
            Script {
                frames: 3200,
                ..STREAM
            }
        ),
        NOTHING
    );
}

#[test]
fn a_wait_costs_one_look_and_the_first_one_a_timer() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let _entered = runtime.enter();
    let head_waits = exchange(
        &phase_timeout(),
        Script {
            head_waits: true,
            ..READY
        },
    );
    assert_eq!(
        head_waits,
        Counts {
            allocations: 1,
            clock_reads: linux(1)
        }
    );
    let frames_wait = exchange(
        &phase_timeout(),
        Script {
            frames: 3200,
            frame_waits: true,
            ..STREAM
        },
    );
    assert_eq!(frames_wait.allocations, 1);
    assert!(frames_wait.clock_reads <= 3200 + 101, "{frames_wait:?}");
}

#[cfg(feature = "metrics")]
#[test]
fn a_measured_request_costs_a_look_for_each_time_and_one_for_each_wait_for_a_frame() {
    let layer = tower_lifeline::metrics::MetricsLayer::new();
    for (frames, frame_waits, looks) in [(1, false, 3), (3200, false, 4), (1, true, 4), (7, true, 11)] {
        let script = Script {
            frames,
            frame_waits,
            ..STREAM
        };
        let expected = Counts {
            clock_reads: linux(looks),
            ..NOTHING
        };
        assert_eq!(exchange(&layer, script), expected, "{frames} frames");
    }
}

#[cfg(feature = "io")]
#[test]
fn writes_to_a_watched_connection_cost_nothing() {
    use tokio::io::{AsyncWrite, empty};
    use tower_lifeline::connection::{GuardedIo, IoGuard};

    let mut io = GuardedIo::without_socket(empty(), &IoGuard::default());
    let cx = &mut Context::from_waker(Waker::noop());
    let counts = during(|| {
        for _ in 0..3200 {
            assert!(pin!(&mut io).poll_write(cx, &[0; 32]).is_ready());
            assert!(pin!(&mut io).poll_flush(cx).is_ready());
        }
    });
    assert_eq!(counts, NOTHING);
}

fn phase_timeout() -> PhaseTimeoutLayer {
    PhaseTimeoutLayer::new(PhaseLimits::new())
}

/// The looks at the clock that are seen: all of them on Linux, none elsewhere.
fn linux(looks: u32) -> u32 {
    if cfg!(target_os = "linux") { looks } else { 0 }
}

/// What a layer adds to one request and its response body.
fn exchange<L, B>(layer: &L, script: Script) -> Counts
where
    L: Layer<Handler>,
    L::Service: Service<Request<Empty<Bytes>>, Response = Response<B>, Error: Debug>,
    B: Body<Error: Debug>,
{
    let (bare, layered) = (
        drive(&mut Handler(script)),
        drive(&mut layer.layer(Handler(script))),
    );
    Counts {
        allocations: layered.allocations - bare.allocations,
        clock_reads: layered.clock_reads - bare.clock_reads,
    }
}

fn drive<S, B>(service: &mut S) -> Counts
where
    S: Service<Request<Empty<Bytes>>, Response = Response<B>, Error: Debug>,
    B: Body<Error: Debug>,
{
    let cx = &mut Context::from_waker(Waker::noop());
    let request = Request::new(Empty::new());
    assert!(service.poll_ready(cx).is_ready());
    during(|| {
        let mut answer = pin!(service.call(request));
        let response = until_ready(|| answer.as_mut().poll(cx)).unwrap();
        let mut body = pin!(response.into_body());
        while !body.is_end_stream() {
            let Some(frame) = until_ready(|| body.as_mut().poll_frame(cx)) else {
                break;
            };
            frame.unwrap();
        }
    })
}

fn until_ready<T>(mut poll: impl FnMut() -> Poll<T>) -> T {
    loop {
        if let Poll::Ready(output) = poll() {
            return output;
        }
    }
}

fn during(work: impl FnOnce()) -> Counts {
    let before = COUNTS.get();
    work();
    let after = COUNTS.get();
    Counts {
        allocations: after.allocations - before.allocations,
        clock_reads: after.clock_reads - before.clock_reads,
    }
}

// SAFETY: every call is passed on to `System` as it came; counting neither allocates nor unwinds, since the
// thread-local is a `Cell` of integers with a constant initial value and without a destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNTS.set(Counts {
            allocations: COUNTS.get().allocations + 1,
            ..COUNTS.get()
        });
        // SAFETY: the caller keeps the contract of `alloc`, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`, and `System` allocated it.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// The system's clock, interposed: the linker takes this definition before that of the C library, which
/// [`std::time::Instant`] asks on Linux.
#[cfg(target_os = "linux")]
mod clock {
    use std::ffi::{c_char, c_int, c_void};
    use std::sync::OnceLock;

    use super::{COUNTS, Counts};

    type ClockGettime = unsafe extern "C" fn(c_int, *mut c_void) -> c_int;

    // SAFETY: this is the declaration of POSIX.
    unsafe extern "C" {
        fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void;
    }

    /// `RTLD_NEXT` of `dlfcn.h`: the next definition after this one.
    const NEXT: isize = -1;

    // SAFETY: the C library's function of that name has this signature, and does the work.
    #[unsafe(no_mangle)]
    unsafe extern "C" fn clock_gettime(clock: c_int, time: *mut c_void) -> c_int {
        static REAL: OnceLock<ClockGettime> = OnceLock::new();
        COUNTS.set(Counts {
            clock_reads: COUNTS.get().clock_reads + 1,
            ..COUNTS.get()
        });
        let real = REAL.get_or_init(|| {
            // SAFETY: the name ends with a zero, and the C library has a function of that name and type.
            unsafe {
                let found = dlsym(
                    std::ptr::without_provenance_mut(NEXT as usize),
                    c"clock_gettime".as_ptr(),
                );
                std::mem::transmute::<*mut c_void, ClockGettime>(found)
            }
        });
        // SAFETY: the caller keeps the contract of `clock_gettime`, which is the same.
        unsafe { real(clock, time) }
    }
}
