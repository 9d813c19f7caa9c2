//! Every setting, typed.

use super::mistake::{Mistake, quoted};
use super::parse::{DAY_MS, HOUR_MS, MINUTE_MS, Parsed, SECOND_MS, duration_ms, number};
use super::settings::{Exposure, Setting};
use super::sources::Values;
use super::{checks, parse, settings};
use crate::model::route_check::RouteCheck;
use crate::values::{
    ApiKey, Cookie, ListenAddr, LogFormat, LogLevel, Origin, OverLimit, RenewalStep, SecretString, StoreUrl,
    TlsPaths, TrustedProxies,
};
use hyper::header::HeaderName;

/// No duration is longer: ten years and a few days.
pub const MAX_AGE_MS: u64 = 3660 * DAY_MS;

pub const LIFETIME_MS: std::ops::RangeInclusive<u64> = SECOND_MS..=MAX_AGE_MS;

pub const MAX_ENTRIES: usize = 100_000_000;

/// Every setting with its value. What each one means: `config/doorward.toml`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // named and explained as in config/doorward.toml
pub struct Config {
    pub listen: ListenAddr,
    pub admin_listen: ListenAddr,
    pub grpc_listen: Option<ListenAddr>,
    pub unix_socket_mode: Option<u32>,
    pub tls: TlsPaths,
    /// `admin-tls-…`, and `admin-client-ca`.
    pub admin_tls: TlsPaths,
    pub allowed_origins: Vec<Origin>,
    pub trusted_proxies: TrustedProxies,
    pub max_connections: usize,
    pub request_timeout_ms: u64,
    pub idle_timeout_ms: u64,
    pub shutdown_delay_ms: u64,
    pub drain_timeout_ms: u64,
    /// 0 is one per core.
    pub validation_threads: usize,
    /// `redis-url`.
    pub store: StoreUrl,
    pub redis_ca_file: Option<std::path::PathBuf>,
    pub key_prefix: String,
    pub redis_timeout_ms: u64,
    pub redis_connections: usize,
    pub memory_max_tokens: usize,
    /// `api-keys`, and before them `admin-key` as a key named `admin` when it is set.
    pub api_keys: Vec<ApiKey>,
    /// The first signs; empty when the store's own are to be used.
    pub token_keys: Vec<SecretString>,
    pub cookie: Cookie,
    pub cookie_csrf_check: bool,
    pub default_token_age_ms: u64,
    pub max_token_age_ms: u64,
    pub absolute_lifetime_ms: u64,
    pub renewal_step: RenewalStep,
    pub renewal_exempt_header: Option<HeaderName>,
    pub rotation_grace_ms: u64,
    pub reuse_ends_token: bool,
    pub max_tokens_per_user: usize,
    /// See the setting.
    pub max_tokens_per_object: usize,
    pub over_limit: OverLimit,
    pub revoked_retention_ms: u64,
    pub max_takeover_age_ms: u64,
    pub takeover_retention_ms: u64,
    pub device_max_idle_ms: u64,
    pub max_devices_per_user: usize,
    pub checks: Vec<RouteCheck>,
    /// A Redis that may evict tokens is used all the same.
    pub accept_eviction: bool,
    pub events_per_user: usize,
    pub event_retention_ms: u64,
    /// 0 turns the cache off.
    pub cache_entries: usize,
    pub lease_ms: u64,
    pub stale_grace_ms: u64,
    pub touch_resolution_ms: u64,
    pub flush_interval_ms: u64,
    pub flush_queue: usize,
    pub log_level: LogLevel,
    pub log_format: LogFormat,
}

/// Every setting's default: the embedded store, no keys.
impl Default for Config {
    fn default() -> Self {
        Self::from_values(&Values::default(), &mut Vec::new())
    }
}

impl Config {
    /// A value that is a mistake is replaced by its type's default: as there is a mistake, no one sees it.
    pub(crate) fn from_values(values: &Values, mistakes: &mut Vec<Mistake>) -> Self {
        let mut reader = Reader { values, mistakes };
        let mut config = Self {
            listen: reader.get("listen", parse::listen_addr),
            admin_listen: reader.get("admin-listen", parse::listen_addr),
            grpc_listen: reader.get("grpc-listen", parse::optional_listen_addr),
            unix_socket_mode: reader.get("unix-socket-mode", parse::file_mode),
            tls: TlsPaths {
                cert: reader.get("tls-cert", parse::optional_path),
                key: reader.get("tls-key", parse::optional_path),
                client_ca: None,
            },
            admin_tls: TlsPaths {
                cert: reader.get("admin-tls-cert", parse::optional_path),
                key: reader.get("admin-tls-key", parse::optional_path),
                client_ca: reader.get("admin-client-ca", parse::optional_path),
            },
            allowed_origins: reader.get("allowed-origins", parse::origins),
            trusted_proxies: reader.get("trusted-proxies", parse::trusted_proxies),
            max_connections: reader.get("max-connections", number(1..=1_000_000)),
            request_timeout_ms: reader.get("request-timeout", duration_ms(100..=10 * MINUTE_MS)),
            idle_timeout_ms: reader.get("idle-timeout", duration_ms(100..=HOUR_MS)),
            shutdown_delay_ms: reader.get("shutdown-delay", duration_ms(0..=HOUR_MS)),
            drain_timeout_ms: reader.get("drain-timeout", duration_ms(0..=HOUR_MS)),
            validation_threads: reader.get("validation-threads", number(0..=256)),
            store: reader.get("redis-url", parse::store_url),
            redis_ca_file: reader.get("redis-ca-file", parse::optional_path),
            key_prefix: reader.get("key-prefix", parse::key_prefix),
            redis_timeout_ms: reader.get("redis-timeout", duration_ms(10..=10 * SECOND_MS)),
            redis_connections: reader.get("redis-connections", number(1..=1024)),
            memory_max_tokens: reader.get("memory-max-tokens", number(1..=MAX_ENTRIES)),
            api_keys: reader.get("api-keys", parse::api_keys),
            token_keys: reader.get("token-keys", parse::token_keys),
            cookie: Cookie {
                name: reader.get("cookie-name", parse::cookie_name),
                secure: reader.get("cookie-secure", parse::boolean),
                http_only: reader.get("cookie-http-only", parse::boolean),
                same_site: reader.get("cookie-same-site", parse::same_site),
                domain: reader.get("cookie-domain", parse::cookie_domain),
                path: reader.get("cookie-path", parse::cookie_path),
            },
            cookie_csrf_check: reader.get("cookie-csrf-check", parse::boolean),
            default_token_age_ms: reader.get("default-token-age", duration_ms(LIFETIME_MS)),
            max_token_age_ms: reader.get("max-token-age", duration_ms(LIFETIME_MS)),
            absolute_lifetime_ms: reader.get("absolute-lifetime", duration_ms(LIFETIME_MS)),
            renewal_step: reader.get("renewal-step", parse::renewal_step),
            renewal_exempt_header: reader.get("renewal-exempt-header", parse::header_name),
            rotation_grace_ms: reader.get("rotation-grace", duration_ms(0..=DAY_MS)),
            reuse_ends_token: reader.get("reuse-ends-token", parse::boolean),
            max_tokens_per_user: reader.get("max-tokens-per-user", number(1..=10_000)),
            max_tokens_per_object: reader.get("max-tokens-per-object", number(1..=100_000)),
            over_limit: reader.get("over-limit", parse::over_limit),
            revoked_retention_ms: reader.get("revoked-retention", duration_ms(LIFETIME_MS)),
            max_takeover_age_ms: reader.get("max-takeover-age", duration_ms(LIFETIME_MS)),
            takeover_retention_ms: reader.get("takeover-retention", duration_ms(LIFETIME_MS)),
            device_max_idle_ms: reader.get("device-max-idle", duration_ms(LIFETIME_MS)),
            max_devices_per_user: reader.get("max-devices-per-user", number(1..=1000)),
            checks: reader.get("checks", checks::checks),
            accept_eviction: reader.get("accept-eviction", parse::boolean),
            events_per_user: reader.get("events-per-user", number(0..=10_000)),
            event_retention_ms: reader.get("event-retention", duration_ms(LIFETIME_MS)),
            cache_entries: reader.get("cache-entries", number(0..=MAX_ENTRIES)),
            lease_ms: reader.get("lease", duration_ms(100..=MINUTE_MS)),
            stale_grace_ms: reader.get("stale-grace", duration_ms(0..=DAY_MS)),
            touch_resolution_ms: reader.get("touch-resolution", duration_ms(0..=HOUR_MS)),
            flush_interval_ms: reader.get("flush-interval", duration_ms(10..=MINUTE_MS)),
            flush_queue: reader.get("flush-queue", number(1..=MAX_ENTRIES)),
            log_level: reader.get("log-level", parse::log_level),
            log_format: reader.get("log-format", parse::log_format),
        };
        let admin_key = reader.get("admin-key", parse::admin_key);
        config.api_keys.splice(0..0, admin_key);
        config
    }
}

pub struct Reader<'a> {
    values: &'a Values,
    mistakes: &'a mut Vec<Mistake>,
}

impl Reader<'_> {
    fn get<T: Default>(&mut self, name: &str, parse: impl Fn(&str) -> Parsed<T>) -> T {
        let text = self.values.text(name);
        parse(text).unwrap_or_else(|problem| {
            let shown = match settings::find(name) {
                Some(Setting { exposure: Exposure::Public, .. }) => quoted(text),
                _ => "the value".into(),
            };
            self.mistakes.push(Mistake::new(name, self.values.origin(name), format!("{shown} {problem}")));
            T::default()
        })
    }
}
