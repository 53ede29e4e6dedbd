//! Looks on as a JSON body flows by, and notes whose call it is.

use bytes::Buf;
use http::{Method, Request};

use crate::rpc::{CallSlot, Scanner};
use crate::{media, peek};

/// A body that may turn out to be a call.
#[derive(Debug)]
pub(super) struct Scan {
    scanner: Scanner,
    slot: CallSlot,
}

/// Whether a request with a body may be a JSON-RPC message.
fn may_be_call<B>(request: &Request<B>) -> bool {
    let headers = request.headers();
    request.method() == Method::POST && media::is(headers, "application/json") && !media::is_encoded(headers)
}

// === impl Scan ===

impl Scan {
    /// Prepares to look on, where the request may be a call, and leaves the slot in its extensions: the one that
    /// is there, if somebody further out has put it there already.
    pub(super) fn of<B>(request: &mut Request<B>) -> Option<Box<Self>> {
        if !may_be_call(request) {
            return None;
        }
        let slot = request.extensions_mut().get_or_insert_with(CallSlot::new).clone();
        Some(Box::new(Self {
            scanner: Scanner::new(),
            slot,
        }))
    }

    /// Looks at the bytes without taking them. False: there is nothing more to learn.
    pub(super) fn look(&mut self, data: &impl Buf) -> bool {
        peek::chunks(data, |chunk| self.scanner.feed(chunk)) && !self.scanner.has_given_up()
    }

    /// The body has ended as it should.
    pub(super) fn finish(&self) {
        if let Some(message) = self.scanner.finish() {
            self.slot.fill(message);
        }
    }
}
