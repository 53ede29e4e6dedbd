//! The wait for a seat.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use super::queued::Queued;
use super::seat::Root;
use super::{Class, GateRefused, Key, Seat};
use crate::clock::now;
use crate::deadline::Deadline;
use crate::event::Outcome;
use crate::gate::{Ask, Entered, Listed, SeatPhase};
use crate::refusal::Reason;

/// The future of [`AdmissionGate::enter`](crate::AdmissionGate::enter). Nothing happens before its first poll;
/// dropped while it waits, it leaves the queue in that moment.
#[must_use = "futures do nothing unless they are polled"]
#[derive(Debug)]
pub struct Enter {
    /// Moves into the place or the seat, so that its references are counted once.
    root: Option<Root>,
    /// Neither a class nor a key was asked for.
    is_plain: bool,
    class: Class,
    key: Option<Key>,
    label: Option<&'static str>,
    deadline: Option<Option<Instant>>,
    queued: Option<Box<Queued>>,
}

// === impl Enter ===

impl Enter {
    #[inline]
    pub(super) const fn new(root: Root) -> Self {
        Self {
            root: Some(root),
            is_plain: true,
            class: Class::STANDARD,
            key: None,
            label: None,
            deadline: None,
            queued: None,
        }
    }

    /// Asks for a seat of this class. [`Class::EXEMPT`] is for requests alone and means the standard class here.
    pub const fn class(mut self, class: Class) -> Self {
        self.is_plain = false;
        self.class = if class.is_exempt() { Class::STANDARD } else { class };
        self
    }

    /// Asks on this account.
    pub const fn key(mut self, key: Key) -> Self {
        self.is_plain = false;
        self.key = Some(key);
        self
    }

    /// Waits no longer than this deadline leaves. Default: the [current](Deadline::current) one.
    pub const fn deadline(mut self, deadline: &Deadline) -> Self {
        self.deadline = Some(deadline.instant());
        self
    }

    /// What the seat is for, in the [listing](crate::AdmissionGate::seats).
    pub const fn label(mut self, label: &'static str) -> Self {
        self.label = Some(label);
        self
    }

    #[cold]
    fn start(&mut self, root: Root) -> Option<Result<Seat, GateRefused>> {
        let class = self.class.index();
        let listed = root.lists.then(|| {
            let tool = self.label.map(Into::into);
            Listed {
                since: now(),
                tool,
                stall: None,
                phase: SeatPhase::Work,
            }
        });
        match root.core.enter(
            Ask {
                class,
                key: self.key.map(Key::get),
                listed,
            },
            true,
        ) {
            Entered::Seat(entry) => Some(Ok(Seat::new(root, entry))),
            Entered::WouldRefuse(entry, reason) => {
                // Before the observer, which may panic: then the seat is given back.
                let seat = Seat::new(root.clone(), entry);
                root.report_refused(class, reason, Outcome::WouldHaveRefused);
                Some(Ok(seat))
            }
            Entered::Waiting(place) => {
                let deadline = self.deadline.unwrap_or_else(|| Deadline::current().instant());
                let queued = Queued::new(root, class, place, deadline, now());
                let tool = self.label.map(Into::into);
                self.queued = Some(Box::new(queued.listed_as(SeatPhase::Work, tool, None)));
                None
            }
            Entered::Refused(reason) => Some(Err(refused(&root, class, reason))),
        }
    }
}

impl Future for Enter {
    type Output = Result<Seat, GateRefused>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if let Some(root) = this.root.take() {
            if this.is_plain && !root.lists {
                if let Some(entry) = root.core.take() {
                    return Poll::Ready(Ok(Seat::new(root, entry)));
                }
            }
            if let Some(entered) = this.start(root) {
                return Poll::Ready(entered);
            }
        }
        let Some(queued) = &mut this.queued else {
            return Poll::Pending;
        };
        let turn = std::task::ready!(queued.poll(cx));
        let seat = turn.map_err(|reason| refused(queued.root(), queued.class(), reason));
        this.queued = None;
        Poll::Ready(seat)
    }
}

#[cold]
fn refused(root: &Root, class: u8, reason: Reason) -> GateRefused {
    root.report_refused(class, reason, Outcome::Failed);
    GateRefused::new(root.name, root.class_name(class), reason)
}
