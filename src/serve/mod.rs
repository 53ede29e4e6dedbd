//! A server loop that closes what layers cannot.

mod chosen;
mod connection;
mod drain;
mod exchange;
mod front;
mod io;
mod listener;
mod phase;
mod registry;
mod report;
mod request_body;
mod server;
mod settings;
mod stream;
mod talk;
mod turns;

pub use self::drain::{Drained, ServeHandle};
pub use self::listener::{Handshake, Listener, Plain, SocketKind};
pub use self::report::{Protection, ProtectionState, Report};
pub use self::request_body::RequestBody;
pub use self::server::{Serve, serve};
pub use self::settings::{ServeSettings, ServeSettingsBuilder};
