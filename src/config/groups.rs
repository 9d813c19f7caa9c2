//! Settings that are used together, as one value.

use super::settings::Config;
use crate::values::{ApiKey, Cookie, TlsPaths};

impl Config {
    /// Returns the TLS files of the validation plane and of gRPC.
    pub fn tls(&self) -> TlsPaths {
        TlsPaths { cert: self.tls_cert.clone(), key: self.tls_key.clone(), client_ca: None }
    }

    /// Returns the TLS files of the admin plane.
    pub fn admin_tls(&self) -> TlsPaths {
        TlsPaths {
            cert: self.admin_tls_cert.clone(),
            key: self.admin_tls_key.clone(),
            client_ca: self.admin_client_ca.clone(),
        }
    }

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
