//! Which connections there are.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Context;

use super::connection::Connection;
use super::stream::lock;
use crate::waiter::Waiter;

/// The connections of one server, upgraded ones included.
#[derive(Debug, Default)]
pub(super) struct Registry(Mutex<Register>);

#[derive(Debug, Default)]
struct Register {
    connections: HashMap<u64, Arc<Connection>>,
    /// By their [share](share_of).
    peers: HashMap<IpAddr, usize>,
    accepted: u64,
    waiter: Waiter,
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
        lock(&self.0)
    }

    /// Takes in a connection. `None`: its peer has as many as it may have, where that is limited.
    pub(super) fn enter(
        self: &Arc<Self>,
        peer: Option<(IpAddr, usize)>,
        connection: impl FnOnce(u64) -> Arc<Connection>,
    ) -> Option<(Arc<Connection>, Registered)> {
        let mut register = self.register();
        let peer = peer.map(|(peer, at_most)| (share_of(peer), at_most));
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
        register.waiter.wait(cx);
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
        let waker = register.waiter.leave();
        drop(register);
        drop(connection);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// The address that stands for all that one peer can easily have: over IPv6 a whole network of 64 bits is given to each
/// household.
fn share_of(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from(u128::from(address) & (!0 << 64)).into(),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_of_ipv6_is_one_peer_and_a_mapped_address_is_its_own() {
        for (one, other, is_same) in [
            ("2001:db8:1:2::3", "2001:db8:1:2:ffff:ffff:ffff:ffff", true),
            ("2001:db8:1:2::3", "2001:db8:1:3::3", false),
            ("::ffff:192.0.2.1", "192.0.2.1", true),
            ("::ffff:192.0.2.1", "::ffff:192.0.2.2", false),
            ("192.0.2.1", "192.0.2.2", false),
        ] {
            let [one, other] = [one, other].map(|address| address.parse().unwrap());
            assert_eq!(share_of(one) == share_of(other), is_same, "{one} {other}");
        }
    }
}
