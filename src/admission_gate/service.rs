//! The service: each request takes a seat, lines up, or is refused.

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use super::front::{Front, listed_of};
use super::future::{Calling, Rare, State};
use super::learn::Learning;
use super::queued::Queued;
use super::seat::{Hold, Seat};
use super::slow::Slow;
use super::{AdmissionGateBody, AdmissionGateFuture, Class};
use crate::clock::now;
use crate::current::earliest;
use crate::event::Outcome;
use crate::gate::{Entered, SeatPhase};
use crate::refusal::Reason;
use crate::request_head::RequestHead;

/// Lets requests to `S` through a gate. See the [module docs](super).
#[derive(Debug)]
pub struct AdmissionGateService<S> {
    inner: S,
    /// Whether `inner` said that it is ready, and was not called since.
    is_ready: bool,
    /// Whether a request's class is all that has to be known to let it in.
    is_plain: bool,
    front: Arc<Front>,
}

// === impl AdmissionGateService ===

impl<S> AdmissionGateService<S> {
    pub(super) fn new(inner: S, front: Arc<Front>) -> Self {
        let is_plain = front.is_plain();
        Self {
            inner,
            is_ready: false,
            is_plain,
            front,
        }
    }
}

impl<S: Clone> Clone for AdmissionGateService<S> {
    fn clone(&self) -> Self {
        // A clone of a service that is ready is a service that has yet to be asked.
        Self {
            inner: self.inner.clone(),
            is_ready: false,
            is_plain: self.is_plain,
            front: self.front.clone(),
        }
    }
}

impl<S, B, ResBody> Service<Request<B>> for AdmissionGateService<S>
where
    S: Service<Request<B>, Response = Response<ResBody>> + Clone,
    B: Body,
    ResBody: Body<Data: From<Bytes>>,
{
    type Response = Response<AdmissionGateBody<ResBody>>;
    type Error = S::Error;
    type Future = AdmissionGateFuture<S, B>;

    /// Always ready, unless the inner service has failed: a request that finds `S` unready has to be counted,
    /// and bounded in its wait, before it waits.
    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        // Whatever comes of it, an error or a panic too: what it said before no longer holds.
        self.is_ready = false;
        self.is_ready = self.inner.poll_ready(cx)?.is_ready();
        Poll::Ready(Ok(()))
    }

    #[inline]
    fn call(&mut self, request: Request<B>) -> Self::Future {
        let hold = match self.at_once(&request) {
            Ok(hold) => hold,
            Err(class) => {
                return AdmissionGateFuture {
                    state: self.look_and_call(request, class),
                };
            }
        };
        let calling = Calling::of(&request, hold, false);
        let response = self.inner.call(request);
        AdmissionGateFuture {
            state: State::Calling { response, calling },
        }
    }
}

impl<S> AdmissionGateService<S> {
    /// A seat, or leave to go without one, where it takes no more than the class and no wait.
    #[inline]
    fn at_once<B>(&mut self, request: &Request<B>) -> Result<Option<Hold>, Class> {
        let class = self.front.class(&RequestHead::of(request));
        if !self.is_ready || !self.is_plain {
            return Err(class);
        }
        let hold = if class == Class::STANDARD {
            let entry = self.front.root.core.take().ok_or(class)?;
            Some(Seat::new(self.front.root.clone(), entry).into_hold())
        } else if class.is_exempt() {
            None
        } else {
            return Err(class);
        };
        self.is_ready = false;
        Ok(hold)
    }

    /// Lets a request in whose inner service a stack will call by itself. `None`: there is more to it, and this layer
    /// has to be called.
    #[inline]
    pub(crate) fn let_in<B>(&mut self, request: &Request<B>) -> Option<Calling> {
        if self.front.classify.is_some() && !self.front.root.core.has_room() {
            // Whoever classifies is asked once, by the layer.
            return None;
        }
        let hold = self.at_once(request).ok()?;
        Some(Calling::of(request, hold, false))
    }

    /// What is inside, for a stack that has been let in.
    pub(crate) const fn inner_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    #[inline]
    fn call_inner<B>(&mut self, request: Request<B>, hold: Option<Hold>) -> State<S, B>
    where
        S: Service<Request<B>>,
    {
        self.is_ready = false;
        let calling = Calling::of(&request, hold, self.front.root.lists);
        State::Calling {
            response: self.inner.call(request),
            calling,
        }
    }

    #[cold]
    #[inline(never)]
    fn look_and_call<B>(&mut self, mut request: Request<B>, class: Class) -> State<S, B>
    where
        S: Service<Request<B>> + Clone,
        B: Body,
    {
        let front = &self.front;
        let head = RequestHead::of(&request);
        if class.is_exempt() {
            return self.go_in(request, class.index(), None);
        }
        let ask = front.ask(class, &head);
        let class = class.index();
        let seat = match front.root.core.enter(ask, true) {
            Entered::Seat(entry) => Seat::new(front.root.clone(), entry),
            Entered::WouldRefuse(entry, reason) => {
                // Before the observer, which may panic: then the seat is given back.
                let seat = Seat::new(front.root.clone(), entry);
                front
                    .root
                    .report_refused(class, reason, Outcome::WouldHaveRefused);
                seat
            }
            Entered::Waiting(place) => {
                let deadline = earliest(head.extensions());
                let (tool, stall) = if front.root.lists {
                    listed_of(&head)
                } else {
                    (None, None)
                };
                let queued = Queued::new(front.root.clone(), class, place, deadline, now());
                let queued = queued.listed_as(SeatPhase::Head, tool, stall);
                let service = self.fresh();
                return State::Rare {
                    rare: Box::new(Rare::Slow(Slow::queued(
                        queued,
                        service,
                        request,
                        self.front.clone(),
                    ))),
                };
            }
            Entered::Refused(reason) => {
                self.fresh();
                return refused(&self.front, request, class, reason);
            }
        };
        let hold = match front.shares {
            true => Hold::shared(seat, &mut request),
            false => seat.into_hold(),
        };
        self.go_in(request, class, Some(hold))
    }

    fn go_in<B>(&mut self, request: Request<B>, class: u8, hold: Option<Hold>) -> State<S, B>
    where
        S: Service<Request<B>> + Clone,
    {
        if self.is_ready {
            return self.call_inner(request, hold);
        }
        // The one that was asked goes along: it may stand in a queue of its own.
        let fresh = self.inner.clone();
        let service = std::mem::replace(&mut self.inner, fresh);
        State::Rare {
            rare: Box::new(Rare::Slow(Slow::seated(
                hold,
                class,
                service,
                request,
                self.front.clone(),
            ))),
        }
    }

    /// A service that has reserved nothing, and leaves one behind: nothing inside must be held for a request
    /// that has no seat.
    fn fresh(&mut self) -> S
    where
        S: Clone,
    {
        self.is_ready = false;
        let fresh = self.inner.clone();
        self.inner = fresh.clone();
        fresh
    }
}

/// The way out for somebody who is refused.
pub(super) fn refused<S, B>(front: &Arc<Front>, request: Request<B>, class: u8, reason: Reason) -> State<S, B>
where
    S: Service<Request<B>>,
    B: Body,
{
    front.report(class, reason);
    match front.reader(&request) {
        Some(reader) => {
            let learning = Learning::new(front.clone(), request, class, reason, reader);
            State::Rare {
                rare: Box::new(Rare::Learning(learning)),
            }
        }
        None => State::Rare {
            rare: Box::new(Rare::Refused(front.refuse(&request, class, reason))),
        },
    }
}
