//! What the system lets a connection see of its peer: tried out, not looked up.

use socket2::{Domain, Socket, Type};

use super::SocketSettings;
use super::settings::Setting;
use super::socket::{Queue, View};

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Probe {
    pub(crate) sees: Sees,
    /// The settings that the system refused.
    pub(crate) refused: Vec<&'static str>,
}

/// By what a peer is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sees {
    /// What it has acknowledged, to the byte.
    Acknowledged,
    /// What has left a queue that is full.
    QueueOnly,
    /// That writes get on.
    WritesOnly,
}

/// Tries `settings`, and a look at the peer, on a socket of the given kind.
pub(crate) fn probe(domain: Domain, settings: &SocketSettings) -> std::io::Result<Probe> {
    let socket = Socket::new(domain, Type::STREAM, None)?;
    let mut refused = Vec::new();
    settings.apply(&socket, Some(domain), |setting: Setting, _| {
        refused.push(setting.as_str());
    });
    let view = View::of_socket(Some(domain));
    let sees = match (view.queue, view.queued(&socket)) {
        (Queue::Bytes, Some(_)) => Sees::Acknowledged,
        (Queue::Memory, Some(_)) => Sees::QueueOnly,
        _ => Sees::WritesOnly,
    };
    Ok(Probe { sees, refused })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_says_what_it_can() {
        let tcp = probe(Domain::IPV4, &SocketSettings::new()).unwrap();
        let linux = cfg!(target_os = "linux");
        assert_eq!(tcp.sees == Sees::Acknowledged, linux);
        assert!(tcp.refused.is_empty() || !linux, "{tcp:?}");
    }
}
