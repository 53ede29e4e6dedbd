//! Which connections there are.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};

use super::connection::Connection;

/// The connections of one server, upgraded ones included.
#[derive(Debug, Default)]
pub(super) struct Registry(Mutex<Register>);

#[derive(Debug, Default)]
struct Register {
    connections: HashMap<u64, Arc<Connection>>,
    peers: HashMap<IpAddr, usize>,
    accepted: u64,
    waker: Option<Waker>,
}

/// A place in the registry.
#[derive(Debug)]
pub(super) struct Registered {
    registry: Arc<Registry>,
    number: u64,
    peer: Option<IpAddr>,
}

// === impl Registry ===

impl Registry {
    fn register(&self) -> MutexGuard<'_, Register> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in a connection. `None`: its peer has as many as it may have, where that is limited.
    pub(super) fn enter(
        self: &Arc<Self>,
        peer: Option<(IpAddr, usize)>,
        connection: impl FnOnce(u64) -> Arc<Connection>,
    ) -> Option<(Arc<Connection>, Registered)> {
        let mut register = self.register();
        if let Some((peer, at_most)) = peer {
            let count = register.peers.entry(peer).or_default();
            if *count >= at_most {
                return None;
            }
            *count += 1;
        }
        register.accepted += 1;
        let number = register.accepted;
        let connection = connection(number);
        register.connections.insert(number, connection.clone());
        let registered = Registered {
            registry: self.clone(),
            number,
            peer: peer.map(|(peer, _)| peer),
        };
        Some((connection, registered))
    }

    /// How many there are. The task will be woken when there is one less.
    pub(super) fn count_and_wait(&self, cx: &Context<'_>) -> usize {
        let mut register = self.register();
        match &mut register.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        register.connections.len()
    }

    pub(super) fn count(&self) -> usize {
        self.register().connections.len()
    }

    pub(super) fn accepted(&self) -> u64 {
        self.register().accepted
    }

    /// All of them, with their numbers.
    pub(super) fn all(&self) -> Vec<(u64, Arc<Connection>)> {
        let register = self.register();
        let all = register.connections.iter();
        all.map(|(number, connection)| (*number, connection.clone()))
            .collect()
    }
}

// === impl Registered ===

impl Drop for Registered {
    fn drop(&mut self) {
        let mut register = self.registry.register();
        let connection = register.connections.remove(&self.number);
        if let Some(peer) = self.peer {
            if let Some(count) = register.peers.get_mut(&peer) {
                *count -= 1;
                if *count == 0 {
                    register.peers.remove(&peer);
                }
            }
        }
        let waker = register.waker.take();
        drop(register);
        drop(connection);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}
