//! The one task that waits for something, and is woken when it comes.

use std::task::{Context, Waker};

/// Who waits, if anybody. It stands behind the lock of what is waited for, so that nothing comes between the look at
/// that and the wait.
#[derive(Debug, Default)]
pub(crate) struct Waiter(Option<Waker>);

// === impl Waiter ===

impl Waiter {
    /// This task waits from now on, whoever did before.
    pub(crate) fn wait(&mut self, cx: &Context<'_>) {
        match &mut self.0 {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
    }

    /// Who waited: to be woken once the lock is given back.
    pub(crate) const fn leave(&mut self) -> Option<Waker> {
        self.0.take()
    }
}
