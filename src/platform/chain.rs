//! Platforms one behind the other, and which of them limits what.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::derived::Derived;
use super::limit::Limit;
use super::row::Platform;
use crate::error::ConfigError;

/// What stands between clients and a server, outermost first: `cloudflare,nginx`.
///
/// It is read from text, made from one [`Platform`], or collected from several. [`Platform::DIRECT`] is no hop and is
/// left out; a chain without hops is written `direct`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chain {
    hops: Vec<Platform>,
}

// === impl Chain ===

impl Chain {
    /// No hop: clients connect to the server itself.
    #[must_use]
    pub const fn direct() -> Self {
        Self { hops: Vec::new() }
    }

    /// The hops, outermost first.
    #[must_use]
    pub fn hops(&self) -> &[Platform] {
        &self.hops
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_direct(&self) -> bool {
        self.hops.is_empty()
    }

    /// The shortest limit of that kind and the hop that has it; of several that are equal the outermost.
    #[must_use]
    pub fn tightest(&self, limit: Limit) -> Option<(Duration, &Platform)> {
        let limits = self.hops.iter().filter_map(|hop| Some((hop.limit(limit)?, hop)));
        limits.min_by_key(|(duration, _)| *duration)
    }

    /// What ends the wait for a first byte: the tightest limit to it, or to the whole response where that is shorter.
    #[must_use]
    pub fn first_byte(&self) -> Option<(Duration, &Platform)> {
        let candidates = [self.tightest(Limit::FirstByte), self.tightest(Limit::Total)];
        candidates
            .into_iter()
            .flatten()
            .min_by_key(|(duration, _)| *duration)
    }

    /// The hop whose HTTP connections the server accepts: the innermost that speaks HTTP.
    #[must_use]
    pub fn neighbour(&self) -> Option<&Platform> {
        self.hops.iter().rev().find(|hop| hop.is_http())
    }

    /// What follows for the settings of a server behind it.
    #[must_use]
    pub fn derived(&self) -> Derived {
        Derived::of(self)
    }
}

impl FromIterator<Platform> for Chain {
    fn from_iter<I: IntoIterator<Item = Platform>>(hops: I) -> Self {
        let is_hop = |hop: &Platform| hop.name() != Platform::DIRECT.name();
        Self {
            hops: hops.into_iter().filter(is_hop).collect(),
        }
    }
}

impl From<Platform> for Chain {
    fn from(hop: Platform) -> Self {
        Self::from_iter([hop])
    }
}

impl<const N: usize> From<[Platform; N]> for Chain {
    fn from(hops: [Platform; N]) -> Self {
        Self::from_iter(hops)
    }
}

impl From<Vec<Platform>> for Chain {
    fn from(hops: Vec<Platform>) -> Self {
        Self::from_iter(hops)
    }
}

impl FromStr for Chain {
    type Err = ConfigError;

    /// Reads hops with commas between them, outermost first, each as [`Platform`] is read.
    fn from_str(text: &str) -> Result<Self, ConfigError> {
        text.split(',').map(str::parse).collect()
    }
}

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_direct() {
            return write!(f, "{}", Platform::DIRECT);
        }
        for (at, hop) in self.hops.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            write!(f, "{comma}{hop}")?;
        }
        Ok(())
    }
}
