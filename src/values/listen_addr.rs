//! Addresses of listeners.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

/// The address of a listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenAddr {
    /// An IP address and a port; port 0 picks a free one.
    Tcp(SocketAddr),
    /// The path of a unix socket.
    Unix(PathBuf),
}

impl ListenAddr {
    /// Returns whether two listeners cannot have these addresses at the same time.
    pub(crate) fn collides_with(&self, other: &Self) -> bool {
        self == other && !matches!(self, Self::Tcp(address) if address.port() == 0)
    }
}

/// A free port on the loopback address.
impl Default for ListenAddr {
    fn default() -> Self {
        Self::Tcp((Ipv4Addr::LOCALHOST, 0).into())
    }
}

/// Writes the form of the setting.
impl fmt::Display for ListenAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}
