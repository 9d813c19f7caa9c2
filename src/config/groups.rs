//! Settings that are used together, as one value.

use super::settings::Config;
use crate::values::{ApiKey, Cookie};

impl Config {
    /// Returns the token cookie.
    pub fn cookie(&self) -> Cookie {
        Cookie {
            name: self.cookie_name.clone(),
            secure: self.cookie_secure,
            http_only: self.cookie_http_only,
            same_site: self.cookie_same_site,
            domain: self.cookie_domain.clone(),
            path: self.cookie_path.clone(),
        }
    }

    /// Returns `admin-key`, if it is set, and then `api-keys`.
    pub fn all_api_keys(&self) -> Vec<ApiKey> {
        self.admin_key.iter().chain(&self.api_keys).cloned().collect()
    }
}
