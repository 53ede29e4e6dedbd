//! What the system lets a connection see of its peer: tried out, not looked up.

use socket2::{Domain, Socket, Type};

use super::SocketSettings;
use super::settings::Setting;
use super::socket::{Queue, View, is_tcp};
use crate::report::Protection;
use crate::slow_client::SlowClientLimits;

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Probe {
    sees: Sees,
    /// The settings that the system refused.
    refused: Vec<&'static str>,
}

/// By what a peer is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sees {
    /// What it has acknowledged, to the byte.
    Acknowledged,
    /// What has left a queue that is full.
    QueueOnly,
    /// That writes get on.
    WritesOnly,
}

/// Tries `settings`, and a look at the peer, on a socket of the given kind.
fn probe(domain: Domain, settings: &SocketSettings) -> std::io::Result<Probe> {
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

/// What is at work for connections of the given kind. `None`: they are no sockets.
pub(crate) fn lines(
    domain: Option<Domain>,
    limits: &SlowClientLimits,
    settings: &SocketSettings,
) -> Vec<Protection> {
    let probed = domain.map(|domain| probe(domain, settings).map_err(|error| error.to_string()));
    let mut lines = vec![stalled_connections(probed.as_ref(), limits)];
    lines.push(queues(domain, probed.as_ref(), settings));
    let refused = probed.iter().flatten().map(|probe| &probe.refused);
    lines.extend(refused.filter(|refused| !refused.is_empty()).map(|refused| {
        let why = format!("the system refuses {}", refused.join(", "));
        Protection::inert("socket settings", why)
    }));
    lines
}

fn stalled_connections(probed: Option<&Result<Probe, String>>, limits: &SlowClientLimits) -> Protection {
    let name = "stalled connections";
    let stall = limits.stall();
    let (is_whole, mut why) = match probed {
        Some(Ok(probe)) => match probe.sees {
            Sees::Acknowledged => (
                true,
                format!("reset after {stall:?} in which the peer acknowledges nothing"),
            ),
            Sees::QueueOnly => (
                false,
                format!(
                    "closed after {stall:?} in which nothing leaves a full queue: this kind of socket says no more"
                ),
            ),
            Sees::WritesOnly => (
                false,
                format!(
                    "closed after {stall:?} in which no write gets on: this system does not say what a peer has taken"
                ),
            ),
        },
        Some(Err(error)) => (
            false,
            format!("it could not be tried out what is to be seen of a peer: {error}"),
        ),
        None => (
            false,
            format!(
                "closed after {stall:?} in which no write gets on: this listener's connections are no sockets"
            ),
        ),
    };
    if limits.is_report_only() {
        why.push_str("; but the limits only report");
        return Protection::inert(name, why);
    }
    if is_whole {
        Protection::active(name, why)
    } else {
        Protection::partial(name, why)
    }
}

/// Whether what the system takes for a peer that reads nothing is bounded by more than its own limits.
fn queues(
    domain: Option<Domain>,
    probed: Option<&Result<Probe, String>>,
    settings: &SocketSettings,
) -> Protection {
    let name = "the system's queues";
    let is_set =
        |setting: Setting| matches!(probed, Some(Ok(probe)) if !probe.refused.contains(&setting.as_str()));
    let lowat = settings.notsent_lowat();
    let lowat = lowat.filter(|_| is_tcp(domain) && is_set(Setting::NotsentLowat) && HAS_LOWAT);
    let buffer = settings.send_buffer().filter(|_| is_set(Setting::SendBuffer));
    match (lowat, buffer) {
        (Some(bytes), _) => Protection::active(
            name,
            format!("{} KiB of a connection beyond what can be sent", bytes / 1024),
        ),
        (None, Some(bytes)) => Protection::active(name, format!("{} KiB of a connection", bytes / 1024)),
        (None, None) => Protection::inert(
            name,
            "as large as the system lets them grow: neither a notsent_lowat nor a send_buffer is set that works here"
                .to_owned(),
        ),
    }
}

/// Elsewhere the setting is left out.
const HAS_LOWAT: bool = cfg!(any(target_os = "android", target_os = "linux"));

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

    #[cfg(target_os = "linux")]
    #[test]
    fn the_lines_say_what_was_found() {
        let limits = SlowClientLimits::new();
        let said = |domain, settings: SocketSettings| -> Vec<_> {
            let lines = lines(domain, &limits, &settings);
            lines.iter().map(|line| line.state().as_str()).collect()
        };
        let (tcp, unix) = (Some(Domain::IPV4), Some(Domain::UNIX));
        let buffer = SocketSettings::builder().send_buffer(65_536).build().unwrap();
        assert_eq!(said(tcp, SocketSettings::new()), ["active", "active"]);
        assert_eq!(said(tcp, SocketSettings::none()), ["active", "inert"]);
        assert_eq!(said(unix, SocketSettings::new()), ["partial", "inert"]);
        assert_eq!(said(unix, buffer), ["partial", "active"]);
        assert_eq!(said(None, buffer), ["partial", "inert"]);
    }
}
