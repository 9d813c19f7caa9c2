//! A request as the access log shows it.

use std::net::IpAddr;

use crate::logging::text::shown_path;
use crate::request::headers::RequestHeaders;
use crate::request::origin::RequestOrigin;
use crate::request::request_id::request_id_in;
use crate::values::TrustedProxies;

/// The part of a line that comes from the request; the default for a request that was not read. It outlives the request,
/// which is gone when the store has answered.
#[derive(Default)]
pub struct LoggedRequest {
    pub(super) method: Option<String>,
    pub(super) path: Option<String>,
    pub(super) original_method: Option<String>,
    pub(super) original_path: Option<String>,
    pub(super) address: Option<IpAddr>,
    pub(super) request_id: Option<String>,
}

impl LoggedRequest {
    /// Reads the part of a line from a request to this path.
    pub fn of<H: RequestHeaders + ?Sized>(
        origin: &RequestOrigin<'_, H>,
        path: &str,
        trusted_proxies: &TrustedProxies,
    ) -> Self {
        Self {
            method: Some(origin.method.to_owned()),
            path: Some(shown_path(path)),
            original_method: origin.original_method().map(|method| method.into_owned()),
            original_path: origin.original_path().map(|path| shown_path(&path)),
            address: origin.client_address(trusted_proxies),
            request_id: request_id_in(origin.headers).map(str::to_owned),
        }
    }
}
