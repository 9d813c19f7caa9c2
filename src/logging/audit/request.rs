//! The part of an audit line that comes from a request.

use std::net::IpAddr;

/// The part of an audit line that comes from the request behind the change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditedRequest {
    /// The client's address, through all trusted proxies. `None` for a client on a Unix socket.
    pub address: Option<IpAddr>,
    /// The request id, if the request has one.
    pub id: Option<String>,
}
