//! What the audit log tells of a request.

use std::net::IpAddr;

/// What an audit line tells of the request that caused it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditedRequest {
    /// The client's address, through all trusted proxies. `None` for a client on a Unix socket.
    pub address: Option<IpAddr>,
    /// The request id, if the request has one.
    pub id: Option<String>,
}
