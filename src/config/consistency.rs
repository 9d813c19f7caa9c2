//! Rules about several settings. A finding names the setting to change, and the problem as the rest of a sentence.

use super::given::MergedTexts;
use super::mistake::Mistake;
use super::parse::duration::show_ms;
use super::settings::Config;
use crate::values::replay_window::least_retention_ms;
use crate::values::{Cookie, RedisDeployment, SameSite, StoreUrl, TrustedProxies};

/// The setting to change, and the problem.
type Inconsistency = (&'static str, String);

impl Config {
    /// With Redis, a server needs an API key that its callers know.
    pub(crate) fn require_api_key(&self, texts: &MergedTexts, mistakes: &mut Vec<Mistake>) {
        let is_reported =
            mistakes.iter().any(|mistake| ["admin-key", "api-keys"].contains(&mistake.name.as_str()));
        if texts.is_set("redis-url") && self.all_api_keys().is_empty() && !is_reported {
            mistakes.push(Mistake::new(
                "admin-key",
                "DOORWARD_ADMIN_KEY or DOORWARD_ADMIN_KEY_FILE",
                "is missing: with redis-url set, it or api-keys is required (`doorward new-key` makes a key)",
            ));
        }
    }

    /// Applies every rule, unless a setting that it judges by has a mistake already.
    pub(crate) fn check_consistency(&self, texts: &MergedTexts, mistakes: &mut Vec<Mistake>) {
        let has_mistake = |name: &str| mistakes.iter().any(|mistake| mistake.name == name);
        let mut found = Vec::new();
        for (name, other) in same_addresses(self) {
            if !has_mistake(name) && !has_mistake(other) {
                let origin = format!("{} and {}", texts.origin(other), texts.origin(name));
                found.push(Mistake::new(name, origin, format!("is the same address as {other}")));
            }
        }
        // The findings of each rule, and the settings by which it judges.
        let rules: [(Vec<Inconsistency>, &[&str]); 8] = [
            (cookie(&self.cookie()), &["cookie-name"]),
            (cookie_names(self), &["cookie-name", "foreign"]),
            (header_names(self), &["header-name"]),
            (csrf(self), &["cookie-csrf-check"]),
            (redis(self), &["redis-url"]),
            (retention(self), &["redis-url", "replay-window"]),
            (tls(self), &[]),
            (otlp(self), &["otlp-endpoint"]),
        ];
        for (findings, judged_by) in rules {
            for (name, problem) in findings {
                if !has_mistake(name) && !judged_by.iter().any(|other| has_mistake(other)) {
                    found.push(Mistake::new(name, texts.origin(name), problem));
                }
            }
        }
        mistakes.append(&mut found);
    }
}

/// Returns the pairs of listeners that have the same address.
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

/// A certificate needs its key, a key its certificate, and a certificate authority for clients needs both.
fn tls(config: &Config) -> Vec<Inconsistency> {
    let mut found = Vec::new();
    let Config { tls_cert, tls_key, admin_tls_cert, admin_tls_key, .. } = config;
    let planes = [
        (tls_cert, tls_key, "tls-cert", "tls-key", false),
        (admin_tls_cert, admin_tls_key, "admin-tls-cert", "admin-tls-key", config.admin_client_ca.is_some()),
    ];
    for (cert_path, key_path, cert, key, has_client_ca) in planes {
        match (cert_path, key_path) {
            (Some(_), None) => found.push((key, format!("is missing: {cert} needs it"))),
            (None, Some(_)) => found.push((cert, format!("is missing: {key} needs it"))),
            (None, None) if has_client_ca => {
                found.push((cert, "is missing: admin-client-ca needs it".to_owned()));
            }
            _ => {}
        }
    }
    found
}

/// Certificate authorities are of use only for a Redis that uses TLS.
fn redis(config: &Config) -> Vec<Inconsistency> {
    let uses_tls = match &config.redis_url {
        StoreUrl::Redis(url) => matches!(url.deployment, RedisDeployment::Standalone { tls: true, .. }),
        StoreUrl::Memory => false,
    };
    match config.redis_ca_file {
        Some(_) if !uses_tls => {
            vec![("redis-ca-file", "is set, but redis-url does not start with rediss://".to_owned())]
        }
        _ => Vec::new(),
    }
}

/// An ending must be known for longer than any node remembers the change before it (`store/redis/replay`). The embedded
/// store replays nothing.
fn retention(config: &Config) -> Vec<Inconsistency> {
    let Config { replay_window_ms: window_ms, revoked_retention_ms, takeover_retention_ms, .. } = config;
    if config.redis_url == StoreUrl::Memory || *window_ms == 0 {
        return Vec::new();
    }
    let (least_ms, window) = (least_retention_ms(*window_ms), show_ms(*window_ms));
    let problem = |name: &str| {
        format!(
            "must be at least {}, twice the replay-window of {window} and a minute: otherwise a node that was cut off from \
             Redis could undo what ended meanwhile. Set a longer {name}, or a shorter replay-window (0 turns it off)",
            show_ms(least_ms)
        )
    };
    [("revoked-retention", revoked_retention_ms), ("takeover-retention", takeover_retention_ms)]
        .into_iter()
        .filter(|(_, retention_ms)| **retention_ms < least_ms)
        .map(|(name, _)| (name, problem(name)))
        .collect()
}

/// Certificate authorities are of use only for a collector that uses TLS.
fn otlp(config: &Config) -> Vec<Inconsistency> {
    let uses_tls = config.otlp_endpoint.as_ref().is_some_and(|url| url.is_tls);
    match config.otlp_ca_file {
        Some(_) if !uses_tls => {
            vec![("otlp-ca-file", "is set, but otlp-endpoint does not start with https://".to_owned())]
        }
        _ => Vec::new(),
    }
}

/// Most proxies send their subrequest with GET, whatever the client's method. Without a trusted proxy that forwards the
/// method, the check would never see a state-changing request.
fn csrf(config: &Config) -> Vec<Inconsistency> {
    let TrustedProxies { networks, unix } = &config.trusted_proxies;
    if config.cookie_csrf_check && networks.is_empty() && !unix {
        let problem = "is missing: cookie-csrf-check needs proxies that forward the request's method";
        return vec![("trusted-proxies", problem.to_owned())];
    }
    Vec::new()
}

/// One cookie cannot be read in two ways. A foreign form may name the token cookie: native strings stay as they are there.
fn cookie_names(config: &Config) -> Vec<Inconsistency> {
    let names = config.further_cookies.iter().map(|cookie| &cookie.name);
    let problem = |name: &String| {
        if *name == config.cookie_name {
            return Some(format!("must not have {name}, which is the cookie-name"));
        }
        let form = config.foreign.iter().find(|form| form.cookies.contains(name))?;
        Some(format!(
            "must not have {name}, which is a cookie of foreign.{}: it may carry native tokens",
            form.name
        ))
    };
    names.filter_map(problem).map(|problem| ("further-cookies", problem)).collect()
}

/// Every request with credentials would be exempt.
fn header_names(config: &Config) -> Vec<Inconsistency> {
    match &config.renewal_exempt_header {
        Some(name) if *name == config.header_name.0 => {
            vec![("renewal-exempt-header", "must not be the header-name".to_owned())]
        }
        _ => Vec::new(),
    }
}

/// The rules of cookie name prefixes and of `SameSite=None`. Browsers ignore cookies that break them (RFC 6265bis,
/// sections 4.1.3 and 5.7).
fn cookie(cookie: &Cookie) -> Vec<Inconsistency> {
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
