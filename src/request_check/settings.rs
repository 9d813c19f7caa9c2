//! The settings of the validation plane.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use http::header::HeaderName;

use crate::config::Config;
use crate::model::route_check::RouteCheck;
use crate::request::headers::RequestHeaders;
use crate::request::places::CredentialPlaces;
use crate::validation::Access;
use crate::values::{Cookie, Origin, TrustedProxies};

/// The settings of the validation plane. The batch endpoint of the admin plane uses them, too.
#[derive(Clone, Debug)]
pub struct ValidationSettings {
    /// Where credentials may stand. A reload replaces the places of foreign forms.
    pub places: CredentialPlaces,
    /// The token cookie, which Doorward sets and clears.
    pub cookie: Cookie,
    /// A request with this header neither renews its token nor counts as access.
    pub renewal_exempt_header: Option<HeaderName>,
    /// Further origins whose pages may use the cookie for unsafe requests.
    pub allowed_origins: Vec<Origin>,
    /// Whether the listener speaks TLS.
    pub is_tls: bool,
    /// Whether `/auth` and `/check` check the origin of unsafe requests, as `/logout` always does.
    pub cookie_csrf_check: bool,
    /// The proxies whose forwarding headers count.
    pub trusted_proxies: TrustedProxies,
    /// The route checks, by name. A reload replaces them, too; all other settings stay as they are.
    pub checks: RouteChecks,
}

impl ValidationSettings {
    /// The settings of requests in `config`.
    pub fn of(config: &Config) -> Self {
        Self {
            places: CredentialPlaces::of(config),
            cookie: config.cookie(),
            renewal_exempt_header: config.renewal_exempt_header.clone(),
            allowed_origins: config.allowed_origins.clone(),
            is_tls: config.tls_cert.is_some(),
            cookie_csrf_check: config.cookie_csrf_check,
            trusted_proxies: config.trusted_proxies.clone(),
            checks: RouteChecks::new(&config.checks),
        }
    }

    /// Whether a request with these headers counts as access.
    pub fn access(&self, headers: &(impl RequestHeaders + ?Sized)) -> Access {
        match &self.renewal_exempt_header {
            Some(name) if headers.values(name).next().is_some() => Access::Exempt,
            _ => Access::Recorded,
        }
    }
}

/// The route checks by name. Clones share them.
///
/// Only a request to `/check` looks here, and only reads: `ArcSwap::load` writes to memory of its thread alone.
#[derive(Clone, Debug, Default)]
pub struct RouteChecks(Arc<ArcSwap<ChecksByName>>);

type ChecksByName = HashMap<String, Arc<RouteCheck>>;

impl RouteChecks {
    /// Makes the set of these checks.
    pub fn new(checks: &[RouteCheck]) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(by_name(checks))))
    }

    /// Returns the check with this name.
    pub fn get(&self, name: &str) -> Option<Arc<RouteCheck>> {
        self.0.load().get(name).cloned()
    }

    /// Replaces all checks, for the next request on every connection.
    pub fn replace(&self, checks: &[RouteCheck]) {
        self.0.store(Arc::new(by_name(checks)));
    }
}

fn by_name(checks: &[RouteCheck]) -> ChecksByName {
    checks.iter().map(|check| (check.name.clone(), Arc::new(check.clone()))).collect()
}
