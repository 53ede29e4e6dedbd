//! What goes wrong on purpose, to show what the limits are for and to time proxies.

use std::str::FromStr;
use std::time::Duration;

use crate::cli::duration;

/// One thing that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    place: Place,
    harm: Harm,
}

/// Where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// Before a search.
    Search,
    /// Before the model's first word.
    Model,
    /// Before each further word.
    Stream,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Harm {
    Delay(Duration),
    Stall,
    Runaway,
}

/// All that goes wrong. By default nothing does.
#[derive(Clone, Debug, Default)]
pub struct Faults(Vec<Fault>);

// === impl Fault ===

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (place, harm) = text
            .split_once('=')
            .ok_or("expected WHERE=WHAT, as search=3s or model=stall")?;
        let place = match place {
            "search" => Place::Search,
            "model" => Place::Model,
            "stream" => Place::Stream,
            other => return Err(format!("{other:?} is none of search, model and stream")),
        };
        let harm = match harm {
            "stall" => Harm::Stall,
            "runaway" if place == Place::Search => Harm::Runaway,
            delay => Harm::Delay(duration(delay)?),
        };
        Ok(Self { place, harm })
    }
}

// === impl Faults ===

impl Faults {
    /// Says so in the log, loudly, if there is any.
    #[must_use]
    pub fn new(faults: Vec<Fault>) -> Self {
        for fault in &faults {
            tracing::warn!(?fault, "THIS SERVER FAILS ON PURPOSE");
        }
        Self(faults)
    }

    /// Whether searches are to run away in the database.
    #[must_use]
    pub fn runaway(&self) -> bool {
        self.0.iter().any(|fault| fault.harm == Harm::Runaway)
    }

    /// Takes as long as it was told to, for this place.
    pub async fn at(&self, place: Place) {
        for fault in self.0.iter().filter(|fault| fault.place == place) {
            match fault.harm {
                Harm::Delay(delay) => tokio::time::sleep(delay).await,
                Harm::Stall => std::future::pending().await,
                Harm::Runaway => (),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_read_as_they_are_written() {
        for text in [
            "search=3s",
            "search=stall",
            "search=runaway",
            "model=stall",
            "stream=50ms",
        ] {
            assert!(text.parse::<Fault>().is_ok(), "{text}");
        }
        for text in ["", "search", "disk=stall", "model=runaway", "stream=5"] {
            assert!(text.parse::<Fault>().is_err(), "{text}");
        }
    }
}
