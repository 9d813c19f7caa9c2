//! The settings of the validation plane.

use super::admission::Admission;
use super::paths::is_or_below;
use crate::config::Config;
use crate::model::route_check::RouteCheck;
use crate::values::{Cookie, Origin, TrustedProxies};
use hyper::header::HeaderName;
use std::collections::HashMap;
use std::sync::Arc;

/// What the validation plane goes by.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The cookie that carries a token.
    pub cookie: Cookie,
    /// A request with this header leaves no trace on its token.
    pub renewal_exempt_header: Option<HeaderName>,
    /// Origins besides the own that may use the cookie for more than reading.
    pub allowed_origins: Vec<Origin>,
    /// This plane's listener speaks TLS.
    pub is_tls: bool,
    /// Whether that is asked for on `/auth` and `/check`, too, and not on `/logout` alone.
    pub cookie_csrf_check: bool,
    /// Whose word counts on where a request came from.
    pub trusted_proxies: TrustedProxies,
    /// By name.
    pub checks: HashMap<String, Arc<RouteCheck>>,
}

impl Settings {
    /// What of the configuration concerns this plane.
    pub fn of(config: &Config) -> Self {
        let checks = config.checks.iter().map(|check| (check.name.clone(), Arc::new(check.clone())));
        Self {
            cookie: config.cookie(),
            renewal_exempt_header: config.renewal_exempt_header.clone(),
            allowed_origins: config.allowed_origins.clone(),
            is_tls: config.tls_cert.is_some(),
            cookie_csrf_check: config.cookie_csrf_check,
            trusted_proxies: config.trusted_proxies.clone(),
            checks: checks.collect(),
        }
    }

    /// Who may pass by an auth subrequest to this path; `None` for another path, and for a check that there is not.
    pub(crate) fn admission(&self, path: &str) -> Option<Admission> {
        if is_or_below(path, "/auth") {
            return Some(Admission::REQUIRED);
        }
        if is_or_below(path, "/auth-optional") {
            return Some(Admission::OPTIONAL);
        }
        self.check(path.strip_prefix("/check/")?.split('/').next()?)
    }

    /// Who may pass by the check of this name; `None` when there is no such check.
    pub fn check(&self, name: &str) -> Option<Admission> {
        self.checks.get(name).cloned().map(Admission::by)
    }
}
