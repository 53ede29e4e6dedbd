//! The wait for the last one to go out.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::seat::Root;

/// The future of [`AdmissionGate::close`](crate::AdmissionGate::close): ready when the gate is closed and every
/// seat was given back.
#[derive(Debug)]
pub struct Drained {
    root: Root,
    asker: u64,
}

// === impl Drained ===

impl Drained {
    pub(super) fn new(root: Root) -> Self {
        let asker = root.next_random();
        Self { root, asker }
    }
}

impl Future for Drained {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.root.core.poll_drained(self.asker, cx.waker().clone()) {
            return Poll::Ready(());
        }
        Poll::Pending
    }
}

impl Drop for Drained {
    fn drop(&mut self) {
        self.root.core.forget_drain(self.asker);
    }
}
