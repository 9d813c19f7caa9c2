//! What settings demand of each other: each finding names the setting to change, and what is wrong as the rest of a
//! sentence.

use super::definition::Config;
use super::mistake::Mistake;
use super::sources::Values;
use crate::values::{Cookie, SameSite, StoreUrl, Topology, TrustedProxies};

/// What is wrong with a setting beside others.
type Finding = (&'static str, String);

impl Config {
    /// On Redis, a server needs a key that its callers know.
    pub(crate) fn token_keys(&self, values: &Values, mistakes: &mut Vec<Mistake>) {
        let is_bad =
            mistakes.iter().any(|mistake| ["admin-key", "api-keys"].contains(&mistake.name.as_str()));
        if values.is_set("redis-url") && self.api_keys.is_empty() && !is_bad {
            mistakes.push(Mistake::new(
                "admin-key",
                "DOORWARD_ADMIN_KEY or DOORWARD_ADMIN_KEY_FILE",
                "is missing: with redis-url set, it or api-keys is required",
            ));
        }
    }

    /// The rules about more than one setting.
    pub(crate) fn check_together(&self, values: &Values, mistakes: &mut Vec<Mistake>) {
        let bad = |name: &str| mistakes.iter().any(|mistake| mistake.name == name);
        let mut found = Vec::new();
        for (name, other) in same_addresses(self) {
            if !bad(name) && !bad(other) {
                let origin = format!("{} and {}", values.origin(other), values.origin(name));
                found.push(Mistake::new(name, origin, format!("is the same address as {other}")));
            }
        }
        // Each rule, and the settings that it judges by.
        let rules: [(Vec<Finding>, &[&str]); 4] = [
            (cookie(&self.cookie), &["cookie-name"]),
            (csrf(self), &["cookie-csrf-check"]),
            (redis(self), &["redis-url"]),
            (tls(self), &[]),
        ];
        for (findings, judged_by) in rules {
            for (name, problem) in findings {
                if !bad(name) && !judged_by.iter().any(|other| bad(other)) {
                    found.push(Mistake::new(name, values.origin(name), problem));
                }
            }
        }
        mistakes.append(&mut found);
    }
}

/// Which listeners have the address of another: its name, and the other's.
fn same_addresses(config: &Config) -> Vec<(&'static str, &'static str)> {
    let Config { listen, admin_listen, grpc_listen, .. } = config;
    let mut found = Vec::new();
    if admin_listen.collides_with(listen) {
        found.push(("admin-listen", "listen"));
    }
    for (other, address) in [("listen", listen), ("admin-listen", admin_listen)] {
        if grpc_listen.as_ref().is_some_and(|grpc| grpc.collides_with(address)) {
            found.push(("grpc-listen", other));
        }
    }
    found
}

/// A certificate goes with its key, and an authority for clients with both.
fn tls(config: &Config) -> Vec<Finding> {
    let mut found = Vec::new();
    let planes =
        [(&config.tls, "tls-cert", "tls-key"), (&config.admin_tls, "admin-tls-cert", "admin-tls-key")];
    for (paths, cert, key) in planes {
        match (&paths.cert, &paths.key) {
            (Some(_), None) => found.push((key, format!("is missing: {cert} needs it"))),
            (None, Some(_)) => found.push((cert, format!("is missing: {key} needs it"))),
            (None, None) if paths.client_ca.is_some() => {
                found.push((cert, "is missing: admin-client-ca needs it".to_owned()));
            }
            _ => {}
        }
    }
    found
}

/// Authorities are for a Redis that speaks TLS.
fn redis(config: &Config) -> Vec<Finding> {
    let speaks_tls = match &config.store {
        StoreUrl::Redis(url) => matches!(url.topology, Topology::Standalone { tls: true, .. }),
        StoreUrl::Memory => false,
    };
    match config.redis_ca_file {
        Some(_) if !speaks_tls => {
            vec![("redis-ca-file", "is set, but redis-url does not start with rediss://".to_owned())]
        }
        _ => Vec::new(),
    }
}

/// Most proxies ask with GET whatever the client's method is. Without a proxy that may tell the method, the check would see
/// nothing that changes something.
fn csrf(config: &Config) -> Vec<Finding> {
    let TrustedProxies { networks, unix } = &config.trusted_proxies;
    if config.cookie_csrf_check && networks.is_empty() && !unix {
        let problem = "is missing: cookie-csrf-check needs the proxies that may tell a request's method";
        return vec![("trusted-proxies", problem.to_owned())];
    }
    Vec::new()
}

/// The rules of cookie name prefixes and of `SameSite=None`: browsers throw away cookies that break them
/// (RFC 6265bis, sections 4.1.3 and 5.7).
fn cookie(cookie: &Cookie) -> Vec<Finding> {
    let mut found = Vec::new();
    let has_prefix = |prefix: &str| {
        cookie.name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    let host_only = has_prefix("__Host-");
    if (host_only || has_prefix("__Secure-")) && !cookie.secure {
        found.push(("cookie-secure", "must be true for a cookie-name with this prefix".to_owned()));
    }
    if host_only && cookie.domain.is_some() {
        found.push(("cookie-domain", "must be empty for a cookie-name with the prefix __Host-".to_owned()));
    }
    if host_only && cookie.path != "/" {
        found.push(("cookie-path", "must be / for a cookie-name with the prefix __Host-".to_owned()));
    }
    if cookie.same_site == SameSite::None && !cookie.secure {
        found.push(("cookie-same-site", "must not be none unless cookie-secure is true".to_owned()));
    }
    found
}
