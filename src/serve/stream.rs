//! Streams of HTTP/2 that can be ended one by one.
//!
//! hyper hands the rest of each stream, once the service was called, to an executor. This one keeps a way to drop it.
//! When it is dropped the client sees `RST_STREAM(CANCEL)`, and the other streams of its connection go on.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use hyper::rt::Executor;
use pin_project_lite::pin_project;

/// The executor of one connection. Between the service's call and the execution of what follows nothing else happens
/// on a connection, so that one place is enough to hand a stream over.
#[derive(Clone, Debug, Default)]
pub(super) struct Streams {
    called: Arc<Mutex<Option<Arc<Stream>>>>,
}

/// A stream, as those see it who may have to end it.
#[derive(Debug, Default)]
pub(super) struct Stream {
    is_cut: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

pin_project! {
    /// What is left to do for a stream, unless it is cut.
    struct Task<F> {
        #[pin]
        work: Option<F>,
        stream: Option<Arc<Stream>>,
    }
}

// === impl Streams ===

impl Streams {
    /// The stream whose service is being called.
    pub(super) fn begin(&self) -> Arc<Stream> {
        let stream = Arc::<Stream>::default();
        *lock(&self.called) = Some(stream.clone());
        stream
    }
}

impl<F> Executor<F> for Streams
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, work: F) {
        // What follows an upgrade was not called: it has no stream of its own.
        let stream = lock(&self.called).take();
        tokio::spawn(Task {
            work: Some(work),
            stream,
        });
    }
}

// === impl Stream ===

impl Stream {
    pub(super) fn cut(&self) {
        self.is_cut.store(true, Ordering::SeqCst);
        let waker = lock(&self.waker).take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn is_cut(&self, cx: &Context<'_>) -> bool {
        let mut waker = lock(&self.waker);
        match &mut *waker {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        self.is_cut.load(Ordering::SeqCst)
    }
}

// === impl Task ===

impl<F: Future<Output = ()>> Future for Task<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        if this.stream.as_ref().is_some_and(|stream| stream.is_cut(cx)) {
            this.work.set(None);
        }
        match this.work.as_pin_mut() {
            Some(work) => work.poll(cx),
            None => Poll::Ready(()),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
