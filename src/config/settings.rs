//! The table of settings. One entry makes the flag, the variable, the TOML key, the default, the line of `--help`, the
//! parser with its range, and the field of [`Config`].

use std::ops::RangeInclusive;
use std::path::PathBuf;

use http::header::HeaderName;

use super::given::MergedTexts;
use super::mistake::{Mistake, quoted};
use super::parse::access_log::access_log;
use super::parse::api_keys::{admin_key, api_keys, token_keys};
use super::parse::cookie::{cookie_domain, cookie_name, cookie_path, same_site};
use super::parse::credentials::{credential_header, further_cookies, header_schemes};
use super::parse::duration::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, duration_ms, renewal_step};
use super::parse::foreign::foreign_forms;
use super::parse::listener::{file_mode, grpc_listen_addr, listen_addr, optional_listen_addr, optional_path};
use super::parse::origins::{header_name, origins, trusted_proxies};
use super::parse::otlp::{otlp_endpoint, otlp_headers};
use super::parse::route_checks::route_checks;
use super::parse::scalar::{Parsed, boolean, choice, number};
use super::parse::store::{durable_writes, key_prefix, node_name, store_url};
use super::setting::{Exposure, Setting};
use crate::foreign::ForeignForm;
use crate::model::field_rules::MAX_AGE_SECONDS;
use crate::model::route_check::RouteCheck;
use crate::values::store_options::MAX_STALE_GRACE_MS;
use crate::values::{
    AccessLogRule, ApiKey, CredentialHeader, DurableWrites, FurtherCookie, HeaderScheme, ListenAddr,
    LogFormat, LogLevel, Origin, OtlpHeader, OverLimit, RenewalStep, SameSite, SecretString, StoreUrl,
    TrustedProxies, Url,
};

const LIFETIME_MS: RangeInclusive<u64> = SECOND_MS..=MAX_AGE_SECONDS * SECOND_MS;
const MAX_ENTRIES: usize = 100_000_000;

/// Makes [`Config`] and [`SETTINGS`] from the entries.
macro_rules! settings {
    ($($field:ident: $type:ty = $parser:expr,
        $name:literal, $value:literal, $default:literal, $help:literal $(, $modifier:ident)*;)*) => {
        /// The settings, parsed. `config/doorward.toml` explains each of them.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct Config {
            $(#[doc = concat!("`", $name, "`: ", $help, ".")] pub $field: $type,)*
        }

        /// Every setting but [`CONFIG`](super::setting::CONFIG), in the order of `--help` and `config/doorward.toml`.
        pub(crate) const SETTINGS: &[Setting] =
            &[$(Setting::new($name, $value, $default, $help)$(.$modifier())*),*];

        impl Config {
            /// Parses every setting. A mistake yields the type's default, which is not used, because the mistake is
            /// reported instead.
            pub(crate) fn from_texts(texts: &MergedTexts, mistakes: &mut Vec<Mistake>) -> Self {
                Self { $($field: {
                    const SETTING: Setting = Setting::new($name, $value, $default, $help)$(.$modifier())*;
                    parse(&SETTING, $parser, texts, mistakes)
                }),* }
            }

            /// Returns the names of the settings whose values differ.
            pub(crate) fn differences(&self, other: &Self) -> Vec<&'static str> {
                let mut names = Vec::new();
                $(if self.$field != other.$field {
                    names.push($name);
                })*
                names
            }

            /// Returns these settings with the values of `new` for those that a running server takes over.
            pub(crate) fn with_reloadable_of(&self, new: &Self) -> Self {
                Self { $($field: {
                    const SETTING: Setting = Setting::new($name, $value, $default, $help)$(.$modifier())*;
                    if SETTING.is_reloadable { new.$field.clone() } else { self.$field.clone() }
                }),* }
            }
        }
    };
}

// field: type = parser,
//     name, value in --help, default, help [, list, tables, frequent, redacted, secret, reloadable];
settings! {
    listen: ListenAddr = listen_addr,
        "listen", "ADDRESS", "127.0.0.1:8080",
        "Address of the validation plane: IP:PORT or unix:/path; port 0 picks a free port", frequent;
    admin_listen: ListenAddr = listen_addr,
        "admin-listen", "ADDRESS", "127.0.0.1:8081",
        "Address of the admin plane: IP:PORT or unix:/path; port 0 picks a free port", frequent;
    grpc_listen: Option<ListenAddr> = grpc_listen_addr,
        "grpc-listen", "ADDRESS", "",
        "Address for Envoy's ext_authz over gRPC: IP:PORT or unix:/path; empty turns it off";
    metrics_listen: Option<ListenAddr> = optional_listen_addr,
        "metrics-listen", "ADDRESS", "",
        "Address for GET /metrics without an API key: IP:PORT or unix:/path; empty turns it off";
    console: bool = boolean,
        "console", "BOOL", "true", "Serve the console at /console/ of the admin plane";
    unix_socket_mode: Option<u32> = file_mode,
        "unix-socket-mode", "MODE", "",
        "Octal permissions of the listeners' unix sockets, such as 660; if empty, the umask decides";
    tls_cert: Option<PathBuf> = optional_path,
        "tls-cert", "PATH", "",
        "PEM certificate chain: makes the validation plane and gRPC accept TLS only", frequent, reloadable;
    tls_key: Option<PathBuf> = optional_path,
        "tls-key", "PATH", "", "PEM private key of tls-cert", frequent, reloadable;
    admin_tls_cert: Option<PathBuf> = optional_path,
        "admin-tls-cert", "PATH", "", "PEM certificate chain: makes the admin plane accept TLS only", reloadable;
    admin_tls_key: Option<PathBuf> = optional_path,
        "admin-tls-key", "PATH", "", "PEM private key of admin-tls-cert", reloadable;
    admin_client_ca: Option<PathBuf> = optional_path,
        "admin-client-ca", "PATH", "",
        "PEM certificate authorities: the admin plane accepts only clients with a certificate from them", reloadable;
    allowed_origins: Vec<Origin> = origins,
        "allowed-origins", "ORIGINS", "",
        "Other origins whose pages may send state-changing requests with the cookie, comma-separated", list;
    trusted_proxies: TrustedProxies = trusted_proxies,
        "trusted-proxies", "NETWORKS", "",
        "Proxies whose X-Forwarded-* and X-Original-* headers are used, comma-separated: 10.0.0.0/8, ::1, unix", list, frequent;
    max_connections: usize = number(1..=1_000_000),
        "max-connections", "N", "10000", "Maximum number of open connections per listener";
    request_timeout_ms: u64 = duration_ms(100..=10 * MINUTE_MS),
        "request-timeout", "DURATION", "10s", "Maximum time to receive a request body (admin plane, gRPC)";
    idle_timeout_ms: u64 = duration_ms(100..=HOUR_MS),
        "idle-timeout", "DURATION", "75s", "Maximum time a connection waits for a request and for the rest of its head";
    shutdown_delay_ms: u64 = duration_ms(0..=HOUR_MS),
        "shutdown-delay", "DURATION", "0", "Time between failing readiness and closing the listeners at shutdown";
    drain_timeout_ms: u64 = duration_ms(0..=HOUR_MS),
        "drain-timeout", "DURATION", "8s", "Maximum time for open requests to finish at shutdown";
    validation_threads: usize = number(0..=256),
        "validation-threads", "N", "0", "Number of validation threads; 0 is one per core";

    node_name: String = node_name,
        "node-name", "TEXT", "", "Name of this node for operators; if empty, the name of the host";
    redis_url: StoreUrl = store_url,
        "redis-url", "URL", "",
        "URL of Redis; without it, tokens are kept in this process's memory", frequent, redacted;
    redis_ca_file: Option<PathBuf> = optional_path,
        "redis-ca-file", "PATH", "",
        "PEM certificate authorities for rediss://; without it, the system's";
    key_prefix: String = key_prefix,
        "key-prefix", "TEXT", "dw:", "Prefix of every key in Redis";
    redis_timeout_ms: u64 = duration_ms(10..=10 * SECOND_MS),
        "redis-timeout", "DURATION", "500ms", "Maximum time to wait for a reply from Redis";
    redis_connections: usize = number(1..=1024),
        "redis-connections", "N", "8", "Maximum number of Redis connections for reads of the admin plane, such as listings";
    accept_eviction: bool = boolean,
        "accept-eviction", "BOOL", "false", "Accept a Redis whose maxmemory-policy may evict tokens";
    memory_max_tokens: usize = number(1..=MAX_ENTRIES),
        "memory-max-tokens", "N", "1000000", "Maximum number of tokens in the embedded store";

    admin_key: Option<ApiKey> = admin_key,
        "admin-key", "KEY", "", "API key with all scopes", secret, reloadable;
    api_keys: Vec<ApiKey> = api_keys,
        "api-keys", "KEYS", "",
        "Further API keys, separated by commas or lines, each NAME:SCOPE+SCOPE:HASH (see hash-key)",
        list, frequent, redacted, reloadable;
    token_keys: Vec<SecretString> = token_keys,
        "token-keys", "KEYS", "",
        "Keys that sign token strings, separated by commas or lines: the first signs, all verify", list, secret, reloadable;

    header_name: CredentialHeader = credential_header,
        "header-name", "NAME", "Authorization", "Name of the header that may carry the token";
    header_schemes: Vec<HeaderScheme> = header_schemes,
        "header-schemes", "SCHEMES", "Bearer",
        "Schemes that may stand before the token in the header, comma-separated; none is the bare value", list;
    further_cookies: Vec<FurtherCookie> = further_cookies,
        "further-cookies", "COOKIES", "",
        "Further cookies that may carry the token, comma-separated: NAME:decoding=percent", tables;
    cookie_name: String = cookie_name,
        "cookie-name", "NAME", "doorward", "Name of the cookie that may carry the token", frequent;
    cookie_secure: bool = boolean,
        "cookie-secure", "BOOL", "true", "Send the cookie over HTTPS only";
    cookie_http_only: bool = boolean,
        "cookie-http-only", "BOOL", "true", "Hide the cookie from the page's scripts";
    cookie_same_site: SameSite = same_site,
        "cookie-same-site", "POLICY", "lax", "Which requests from other sites carry the cookie: lax, strict or none";
    cookie_domain: Option<String> = cookie_domain,
        "cookie-domain", "DOMAIN", "", "Domain whose hosts all get the cookie; without it, only the host that sets it";
    cookie_path: String = cookie_path,
        "cookie-path", "PATH", "/", "Path of the cookie; it includes all paths below";
    cookie_csrf_check: bool = boolean,
        "cookie-csrf-check", "BOOL", "false",
        "Make /auth and /check reject the cookie on state-changing requests from other sites";
    default_token_age_ms: u64 = duration_ms(LIFETIME_MS),
        "default-token-age", "DURATION", "1h", "Idle time of a token: it expires after this time without access";
    max_token_age_ms: u64 = duration_ms(LIFETIME_MS),
        "max-token-age", "DURATION", "14d", "Idle time of a preserved token";
    absolute_lifetime_ms: u64 = duration_ms(LIFETIME_MS),
        "absolute-lifetime", "DURATION", "30d", "Maximum lifetime of a token, however much it is used";
    import_lifetime_ms: u64 = duration_ms(LIFETIME_MS),
        "import-lifetime", "DURATION", "30d", "Maximum lifetime of an imported token, from its import on";
    renewal_step: RenewalStep = renewal_step,
        "renewal-step", "STEP", "10%", "Share of its idle time, or duration, that must pass before an access renews a token";
    renewal_exempt_header: Option<HeaderName> = header_name,
        "renewal-exempt-header", "NAME", "",
        "Header that marks requests which neither renew a token nor count as access";
    rotation_grace_ms: u64 = duration_ms(0..=DAY_MS),
        "rotation-grace", "DURATION", "10s", "How long the old secret works after a rotation";
    reuse_ends_token: bool = boolean,
        "reuse-ends-token", "BOOL", "true", "Revoke the token when a rotated-out secret is used after the grace period";
    max_tokens_per_user: usize = number(1..=10_000),
        "max-tokens-per-user", "N", "1000", "Maximum number of live tokens per user";
    max_tokens_per_object: usize = number(1..=100_000),
        "max-tokens-per-object", "N", "10000", "Maximum number of live tokens per related object";
    over_limit: OverLimit = choice(&OverLimit::CHOICES),
        "over-limit", "RULE", "end-oldest", "Action when a user is at the token limit: end-oldest or refuse-new";
    revoked_retention_ms: u64 = duration_ms(LIFETIME_MS),
        "revoked-retention", "DURATION", "24h", "How long the admin plane shows a revoked token";
    takeovers: bool = boolean,
        "takeovers", "BOOL", "true",
        "Let tokens take users over; off also ends the takeovers under way. Set it alike on all nodes";
    max_takeover_age_ms: u64 = duration_ms(LIFETIME_MS),
        "max-takeover-age", "DURATION", "7d", "Maximum duration of a takeover";
    takeover_retention_ms: u64 = duration_ms(LIFETIME_MS),
        "takeover-retention", "DURATION", "30d", "How long the admin plane shows an ended takeover";
    device_max_idle_ms: u64 = duration_ms(LIFETIME_MS),
        "device-max-idle", "DURATION", "365d", "Idle time of a device key: it expires after this time without a login";
    max_devices_per_user: usize = number(1..=1000),
        "max-devices-per-user", "N", "100", "Maximum number of device keys per user";
    checks: Vec<RouteCheck> = route_checks,
        "checks", "CHECKS", "",
        "Route checks at /check/NAME, comma-separated: NAME:backend=X+slug=Y+scopes=Z, and more keys", tables, reloadable;
    foreign: Vec<ForeignForm> = foreign_forms,
        "foreign", "FORMS", "",
        "Forms of imported token strings, comma-separated: NAME:scheme=knox+header-scheme=Token, and more keys", tables, reloadable;
    foreign_lookups: u32 = number(10..=1_000_000),
        "foreign-lookups", "N", "1000",
        "Maximum number of look-ups per second of foreign token strings that turn out to be unknown";
    events_per_user: usize = number(0..=10_000),
        "events-per-user", "N", "100", "Number of events kept per user, the newest; 0 keeps none";
    event_retention_ms: u64 = duration_ms(LIFETIME_MS),
        "event-retention", "DURATION", "7d", "How long an event is kept";

    cache_entries: usize = number(0..=MAX_ENTRIES),
        "cache-entries", "N", "100000", "Maximum number of tokens in the near cache; 0 turns it off";
    foreign_cache_entries: usize = number(0..=MAX_ENTRIES),
        "foreign-cache-entries", "N", "100000", "Maximum number of foreign token strings whose tokens are remembered";
    lease_ms: u64 = duration_ms(100..=MINUTE_MS),
        "lease", "DURATION", "2s", "Maximum time a revoked token may still be accepted when the network fails";
    stale_grace_ms: u64 = duration_ms(0..=MAX_STALE_GRACE_MS),
        "stale-grace", "DURATION", "0", "How long cached tokens are accepted while Redis is down; 0 rejects them at once";
    replay_window_ms: u64 = duration_ms(0..=10 * MINUTE_MS),
        "replay-window", "DURATION", "60s",
        "How long changes are remembered, to repeat those that Redis loses in a failover; 0 remembers none";

    durable_writes: DurableWrites = durable_writes,
        "durable-writes", "WHAT", "none",
        "What a change waits for before it is acknowledged: none, replicas:N or disk";

    touch_resolution_ms: u64 = duration_ms(0..=HOUR_MS),
        "touch-resolution", "DURATION", "60s",
        "Minimum time between two recorded accesses of a token under load; 0 records each access";
    flush_interval_ms: u64 = duration_ms(10..=MINUTE_MS),
        "flush-interval", "DURATION", "1s", "Interval at which recorded accesses are written to the store";
    flush_queue: usize = number(1..=MAX_ENTRIES),
        "flush-queue", "N", "100000", "Maximum number of tokens whose accesses are tracked";

    log_level: LogLevel = choice(&LogLevel::CHOICES),
        "log-level", "LEVEL", "info",
        "Least severe level that is logged: error, warn, info, debug or trace", frequent, reloadable;
    log_format: LogFormat = choice(&LogFormat::CHOICES),
        "log-format", "FORMAT", "text", "Format of log lines: text or json";
    audit_log: bool = boolean,
        "audit-log", "BOOL", "true", "Log each change of tokens, takeovers and device keys, whatever the log-level", reloadable;
    access_log: AccessLogRule = access_log,
        "access-log", "REQUESTS", "off",
        "Requests to the validation plane that are logged: off, refused, or 1/N: the refused and one in N of the others";
    access_log_rate: u32 = number(1..=100_000),
        "access-log-rate", "N", "100", "Maximum number of access log lines per second and validation thread";

    otlp_endpoint: Option<Url> = otlp_endpoint,
        "otlp-endpoint", "URL", "",
        "Base URL of an OpenTelemetry collector that gets the traces by OTLP over HTTP; empty turns tracing off", redacted;
    otlp_headers: Vec<OtlpHeader> = otlp_headers,
        "otlp-headers", "HEADERS", "",
        "Headers for the collector, such as its API key, separated by commas or lines: NAME=VALUE", list, secret;
    otlp_ca_file: Option<PathBuf> = optional_path,
        "otlp-ca-file", "PATH", "",
        "PEM certificate authorities of an https:// collector; without it, the system's";
}

/// The defaults: the embedded store, and no API key.
impl Default for Config {
    fn default() -> Self {
        Self::from_texts(&MergedTexts::default(), &mut Vec::new())
    }
}

/// Parses the text of one setting. The message quotes the text only if the setting is public and has no tables: beside the
/// path of a secret file, people write the secret itself.
fn parse<T: Default>(
    setting: &Setting,
    parser: impl Fn(&str) -> Parsed<T>,
    texts: &MergedTexts,
    mistakes: &mut Vec<Mistake>,
) -> T {
    let text = texts.text(setting);
    parser(text).unwrap_or_else(|problem| {
        let shown = if setting.exposure == Exposure::Public && !setting.may_be_tables {
            quoted(text)
        } else {
            "the value".into()
        };
        mistakes.push(Mistake::new(setting.name, texts.origin(setting.name), format!("{shown} {problem}")));
        T::default()
    })
}

/// Returns the setting with this name; `None` for `config`.
pub(crate) fn find(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.name == name)
}
