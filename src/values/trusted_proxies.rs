//! The proxies whose forwarding headers are trusted.

use std::net::IpAddr;

use ipnet::IpNet;

/// The proxies whose `X-Forwarded-…` and `X-Original-…` headers are used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies {
    /// Clients that connect from these networks are trusted proxies.
    pub networks: Vec<IpNet>,
    /// Clients that connect to a unix socket are trusted proxies.
    pub unix: bool,
}

impl TrustedProxies {
    /// Returns whether a client with this address is a trusted proxy.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(&address))
    }
}
