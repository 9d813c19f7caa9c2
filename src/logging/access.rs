//! The lines of the access log.

use std::net::IpAddr;

use super::text::cut;
use crate::token_string::TokenId;

/// The target of access lines.
pub const ACCESS: &str = "access";

/// One line. Paths come without their queries and without secrets.
#[derive(Clone, Copy, Debug)]
pub struct AccessLine<'a> {
    /// The decision, and its reason.
    pub result: &'a str,
    /// The status of the answer.
    pub status: u16,
    /// The method of the request.
    pub method: Option<&'a str>,
    /// The path of the request.
    pub path: Option<&'a str>,
    /// The method that the client used, as its proxy forwards it.
    pub original_method: Option<&'a str>,
    /// The path that the client asked for, as its proxy forwards it.
    pub original_path: Option<&'a str>,
    /// The valid token.
    pub token: Option<TokenId>,
    /// The user of the valid token.
    pub user: Option<&'a str>,
    /// The client's address.
    pub address: Option<IpAddr>,
    /// The request id, if the request carries a well-formed one.
    pub request_id: Option<&'a str>,
    /// How many lines were not written since the last one.
    pub suppressed: Option<u64>,
}

impl AccessLine<'_> {
    /// Writes the line. Texts of clients are recorded as strings, which both formats escape, so none can forge a line.
    pub fn write(&self) {
        tracing::info!(
            target: ACCESS,
            result = %self.result,
            status = self.status,
            method = self.method.map(cut),
            path = self.path.map(cut),
            original_method = self.original_method.map(cut),
            original_path = self.original_path.map(cut),
            token = self.token.map(display),
            user = self.user.map(cut),
            address = self.address.map(display),
            request_id = self.request_id.map(display),
            suppressed = self.suppressed,
        );
    }
}
