//! The proxies whose forwarding headers are believed.

use ipnet::IpNet;
use std::net::IpAddr;

/// Whose word counts on where a request came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies {
    /// Whoever connects from one of these.
    pub networks: Vec<IpNet>,
    /// Whoever connects to a unix socket.
    pub unix: bool,
}

impl TrustedProxies {
    /// Whether they have this address.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(&address))
    }
}
