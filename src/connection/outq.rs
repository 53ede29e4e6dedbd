//! How much of what was written to a socket its peer has not taken, as Linux tells it.
#![expect(
    unsafe_code,
    reason = "no crate offers this request of `ioctl` as a safe function"
)]

use std::os::fd::{AsFd, AsRawFd};

/// What is in the send queue: for TCP the bytes that the peer has not acknowledged, whether sent or not; for a Unix
/// socket the memory that they occupy. `None`: the system does not say.
pub(super) fn queued(socket: &impl AsFd) -> Option<u64> {
    let mut queued: libc::c_int = 0;
    let descriptor = socket.as_fd();
    // SAFETY: the descriptor is open for as long as it is borrowed, and `SIOCOUTQ`, which is the same number as
    // `TIOCOUTQ`, writes one `int` to where the pointer points: a local variable of that type.
    let result = unsafe { libc::ioctl(descriptor.as_raw_fd(), libc::TIOCOUTQ, &raw mut queued) };
    (result == 0).then(|| u64::try_from(queued).unwrap_or_default())
}
