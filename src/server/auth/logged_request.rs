//! A request as the access log shows it.

use std::net::IpAddr;

use crate::logging::text::shown_path;
use crate::request::headers::RequestHeaders;
use crate::request::origin::RequestOrigin;
use crate::request::repeated::repeats_credential;
use crate::request::request_id::request_id_in;
use crate::request_check::settings::ValidationSettings;

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
        settings: &ValidationSettings,
    ) -> Self {
        let ValidationSettings { places, trusted_proxies, .. } = settings;
        let shown = |text: String| match repeats_credential(text.as_bytes(), origin.headers, places) {
            true => "***".to_owned(),
            false => text,
        };
        Self {
            method: Some(shown(origin.method.to_owned())),
            path: Some(shown(shown_path(path))),
            original_method: origin.original_method().map(|method| shown(method.into_owned())),
            original_path: origin.original_path().map(|path| shown(shown_path(&path))),
            address: origin.client_address(trusted_proxies),
            request_id: request_id_in(origin.headers, places).map(str::to_owned),
        }
    }
}
