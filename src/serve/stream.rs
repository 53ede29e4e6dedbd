//! Streams of HTTP/2 that can be ended one by one.
//!
//! hyper hands the rest of each stream, once the service was called, to an executor. This one keeps a way to drop it.
//! When it is dropped the client sees `RST_STREAM(CANCEL)`, and the other streams of its connection go on.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread::{self, ThreadId};

use hyper::body::Incoming;
use hyper::rt::Executor;
use pin_project_lite::pin_project;

use super::connection::{Connection, InUse};
use crate::waiter::Waiter;

/// The executor of one connection. Between the service's call and the execution of what follows nothing else happens
/// on that thread, so that one place is enough to hand a stream over. Another stream of the connection can be
/// upgraded on another thread meanwhile, and what that executes is not what was called.
#[derive(Clone, Debug)]
pub(super) struct Streams {
    called: Arc<Mutex<Option<Called>>>,
    fresh: Arc<Fresh>,
    connection: Arc<Connection>,
}

/// How many streams of a connection have begun whose work was not looked at yet.
#[derive(Debug, Default)]
pub(super) struct Fresh(AtomicU32);

/// One of them, for as long as this lives.
#[derive(Debug)]
struct Unseen(Arc<Fresh>);

/// The stream whose service was called, and on which thread.
type Called = (ThreadId, Arc<Stream>);

/// A stream, as those see it who may have to end it.
#[derive(Debug, Default)]
pub(super) struct Stream {
    is_cut: AtomicBool,
    task: Mutex<Waiter>,
    /// How many looks there had been when a further piece of a frame went; zero: none has.
    moved: AtomicU32,
    /// Bytes of a frame that was taken of the answer and has not gone.
    left: AtomicU64,
    /// The request's body lives here: as long as anybody has it, no reset goes out.
    pub(super) upload: Mutex<Upload>,
}

/// A request's body, and who waits for it.
#[derive(Debug, Default)]
pub(super) struct Upload {
    pub(super) body: Option<Incoming>,
    pub(super) reader: Waiter,
}

pin_project! {
    /// What is left to do for a stream, unless it is cut.
    struct Task<F> {
        #[pin]
        work: Option<F>,
        whose: Whose,
        unseen: Option<Unseen>,
    }
}

/// Whose work a task does.
#[derive(Debug)]
enum Whose {
    Stream(Arc<Stream>),
    /// That of a stream that was upgraded, in which the connection is in use for as long as it lasts.
    Tunnel {
        _in_use: InUse,
    },
}

// === impl Streams ===

impl Streams {
    pub(super) fn new(connection: Arc<Connection>) -> Self {
        Self {
            called: Arc::default(),
            fresh: Arc::default(),
            connection,
        }
    }

    pub(super) fn fresh(&self) -> Arc<Fresh> {
        self.fresh.clone()
    }

    /// The stream whose service is being called.
    pub(super) fn begin(&self) -> Arc<Stream> {
        let stream = Arc::<Stream>::default();
        *lock(&self.called) = Some((thread::current().id(), stream.clone()));
        stream
    }
}

impl<F> Executor<F> for Streams
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, work: F) {
        let here = thread::current().id();
        let called = lock(&self.called).take_if(|(thread, _)| *thread == here);
        let whose = match called {
            Some((_, stream)) => Whose::Stream(stream),
            None => Whose::Tunnel {
                _in_use: InUse::of(self.connection.clone()),
            },
        };
        tokio::spawn(Task {
            work: Some(work),
            whose,
            unseen: Some(Unseen::one_of(&self.fresh)),
        });
    }
}

// === impl Fresh ===

impl Fresh {
    pub(super) fn are_there(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }
}

impl Unseen {
    fn one_of(fresh: &Arc<Fresh>) -> Self {
        fresh.0.fetch_add(1, Ordering::Relaxed);
        Self(fresh.clone())
    }
}

impl Drop for Unseen {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

// === impl Stream ===

impl Stream {
    /// Ends it: the client will see a reset, and whoever reads the request an error.
    pub(super) fn cut(&self) {
        self.is_cut.store(true, Ordering::SeqCst);
        let Upload { body, mut reader } = std::mem::take(&mut *lock(&self.upload));
        drop(body);
        let wakers = [lock(&self.task).leave(), reader.leave()];
        wakers.into_iter().flatten().for_each(Waker::wake);
    }

    /// A further piece of a frame goes, after so many `looks`, and so many bytes are `left`.
    pub(super) fn moves(&self, looks: u32, left: usize) {
        self.moved.store(looks, Ordering::Relaxed);
        self.holds_back(left);
    }

    /// So many bytes of a frame are `left`.
    pub(super) fn holds_back(&self, left: usize) {
        self.left.store(left as u64, Ordering::Relaxed);
    }

    pub(super) fn moved(&self) -> u32 {
        self.moved.load(Ordering::Relaxed)
    }

    pub(super) fn left(&self) -> u64 {
        self.left.load(Ordering::Relaxed)
    }

    fn is_cut(&self, cx: &Context<'_>) -> bool {
        lock(&self.task).wait(cx);
        self.is_cut.load(Ordering::SeqCst)
    }
}

// === impl Task ===

impl<F: Future<Output = ()>> Future for Task<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        if let Whose::Stream(stream) = this.whose {
            if stream.is_cut(cx) {
                this.work.set(None);
            }
        }
        let polled = match this.work.as_pin_mut() {
            Some(work) => work.poll(cx),
            None => Poll::Ready(()),
        };
        *this.unseen = None;
        polled
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
