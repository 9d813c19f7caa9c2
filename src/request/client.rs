//! The direct client of a connection.

use std::net::IpAddr;

use crate::values::TrustedProxies;

/// The other end of a connection: the client itself, or the last proxy before this server.
#[derive(Clone, Copy, Debug)]
pub struct DirectClient {
    /// `None` on a Unix socket, and if the address is not known.
    pub(super) address: Option<IpAddr>,
    /// Whether its forwarding headers count.
    pub(super) is_trusted: bool,
}

impl DirectClient {
    /// The client of an accepted connection. `None` is the address of a client on a Unix socket.
    pub fn new(address: Option<IpAddr>, trusted: &TrustedProxies) -> Self {
        // A listener on [::] sees IPv4 clients as ::ffff:1.2.3.4.
        let address = address.map(|address| address.to_canonical());
        let is_trusted = address.map_or(trusted.unix, |address| trusted.contains(address));
        Self { address, is_trusted }
    }

    /// A client whose address is not known. It is never trusted, whatever the settings say.
    pub fn unknown() -> Self {
        Self { address: None, is_trusted: false }
    }
}
