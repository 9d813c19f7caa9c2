//! The settings: where they come from, and the typed [`Config`] they make.
//!
//! A flag beats an environment variable, which beats the TOML file, which beats the default. All mistakes are
//! told at once, each by the setting's name and where its value came from; secrets are never repeated.
//!
//! - `settings`: the one table of names, defaults and help
//! - `sources`, `toml_file`, `command_line`: from flags, variables and the file to texts
//! - `parse`, `checks`, `types`, `redis_url`: from texts to values
//! - `together`: what settings demand of each other
//! - `report`: what `check-config` prints

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::Path;

use hyper::header::HeaderName;

use crate::check::Check;
use crate::origin::Origin;

use self::command_line::{CommandLine, Verb};
use self::parse::{DAY_MS, HOUR_MS, MINUTE_MS, Parsed, SECOND_MS, duration_ms, number};
use self::settings::{Exposure, Setting};
use self::sources::Values;
use crate::store::OverLimit;

mod checks;
mod command_line;
mod list;
mod parse;
mod redis_url;
mod report;
mod settings;
mod sources;
mod together;
mod toml_file;
mod types;

#[cfg(test)]
mod tests;

pub use self::redis_url::{Node, RedisUrl, Topology};
pub use self::types::{
    ApiKey, Cookie, ListenAddr, LogFormat, LogLevel, RenewalStep, SameSite, Scope, Scopes, SecretString,
    StoreUrl, TlsPaths, TrustedProxies,
};

/// No duration is longer: ten years and a few days.
const MAX_AGE_MS: u64 = 3660 * DAY_MS;
const LIFETIME_MS: std::ops::RangeInclusive<u64> = SECOND_MS..=MAX_AGE_MS;
const MAX_ENTRIES: usize = 100_000_000;

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
    pub checks: Vec<Check>,
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

/// What the command line asks for.
#[derive(Debug)]
pub enum Command {
    /// Serve.
    Serve(Config),
    /// Say that the settings are good.
    CheckConfig {
        /// The settings.
        config: Config,
        /// The text to print: every setting, where it came from, secrets left out.
        report: String,
    },
    /// Ask the server with these settings whether it is ready.
    Healthcheck(Config),
    /// Read an API key from standard input and print what [`hash_key`] gives.
    HashKey,
    /// Print this: the help or the version.
    Print(String),
}

/// One mistake in the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The setting, or the unknown name.
    pub name: String,
    /// Where it was given.
    pub origin: String,
    /// What is wrong; never a secret.
    pub problem: String,
}

impl Mistake {
    fn new(name: impl Into<String>, origin: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { name: name.into(), origin: origin.into(), problem: problem.into() }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.name, self.origin, self.problem)
    }
}

/// All mistakes in the settings; shown one per line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadError {
    /// At least one.
    pub mistakes: Vec<Mistake>,
}

impl LoadError {
    /// With which the process ends: `EX_CONFIG` of sysexits.h.
    pub const EXIT_CODE: u8 = 78;
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<_> = self.mistakes.iter().map(Mistake::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for LoadError {}

/// Reads a whole file as text; a parameter so that tests need no files.
type ReadFile<'a> = &'a dyn Fn(&Path) -> io::Result<String>;

/// Makes the settings out of the command line (with the program's name first), the environment and the files
/// these name.
///
/// # Errors
/// Every mistake in them at once.
pub fn load(
    args: impl IntoIterator<Item = OsString>,
    env: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Command, LoadError> {
    load_with(args, env, &sources::read_file)
}

/// Makes the settings of a node without listeners out of the environment and the files it names. The rules are those of
/// the server, but no API key is needed.
///
/// # Errors
/// Every mistake in them at once.
pub fn load_node(env: impl IntoIterator<Item = (OsString, OsString)>) -> Result<Config, LoadError> {
    load_node_with(env, &sources::read_file)
}

fn load_node_with(
    env: impl IntoIterator<Item = (OsString, OsString)>,
    read_file: ReadFile<'_>,
) -> Result<Config, LoadError> {
    let mut mistakes = Vec::new();
    let values = sources::gather(BTreeMap::new(), env, read_file, &mut mistakes);
    let config = Config::from_values(&values, &mut mistakes);
    if is_file_whole(&mistakes) {
        config.check_together(&values, &mut mistakes);
    }
    if mistakes.is_empty() { Ok(config) } else { Err(LoadError { mistakes }) }
}

#[doc(hidden)] // for tests and fuzz targets
pub fn load_with(
    args: impl IntoIterator<Item = OsString>,
    env: impl IntoIterator<Item = (OsString, OsString)>,
    read_file: ReadFile<'_>,
) -> Result<Command, LoadError> {
    let mut mistakes = Vec::new();
    let (verb, flags, is_whole) = match command_line::parse(args, &mut mistakes) {
        CommandLine::Print(text) => return Ok(Command::Print(text)),
        CommandLine::Run { verb, flags, is_whole } => (verb, flags, is_whole),
    };
    // Whoever makes the first key has no settings yet.
    if verb == Verb::HashKey && mistakes.is_empty() {
        return Ok(Command::HashKey);
    }
    let values = sources::gather(flags, env, read_file, &mut mistakes);
    let are_sources_whole = is_whole && is_file_whole(&mistakes);
    let config = Config::from_values(&values, &mut mistakes);
    if are_sources_whole {
        config.check_keys(&values, &mut mistakes);
        config.check_together(&values, &mut mistakes);
    }
    if !mistakes.is_empty() {
        return Err(LoadError { mistakes });
    }
    Ok(match verb {
        Verb::Serve => Command::Serve(config),
        Verb::CheckConfig => {
            let report = report::report(&values, &config);
            Command::CheckConfig { config, report }
        }
        Verb::Healthcheck => Command::Healthcheck(config),
        Verb::HashKey => Command::HashKey,
    })
}

/// Whether the file could be read. With a source in pieces, what is missing or clashes may be right in the rest of it.
fn is_file_whole(mistakes: &[Mistake]) -> bool {
    // What is wrong with the file as a whole has its setting's name.
    mistakes.iter().all(|mistake| mistake.name != settings::CONFIG.name)
}

/// The hash of an API key, as `api-keys` takes it. A newline after the key is left out.
///
/// # Errors
/// When the text cannot be an API key, with a sentence that does not repeat it.
pub fn hash_key(text: &str) -> Result<String, String> {
    let key = parse::api_key_text(text.trim_end_matches(['\r', '\n']));
    let key = key.map_err(|problem| format!("the text on standard input {problem}"))?;
    Ok(blake3::Hash::from_bytes(ApiKey::hash_of(key.as_bytes())).to_hex().to_string())
}

/// Every setting's default: the embedded store, no keys.
impl Default for Config {
    fn default() -> Self {
        Self::from_values(&Values::default(), &mut Vec::new())
    }
}

impl Config {
    /// A value that is a mistake is replaced by its type's default: as there is a mistake, no one sees it.
    fn from_values(values: &Values, mistakes: &mut Vec<Mistake>) -> Self {
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

struct Reader<'a> {
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

/// A text in quotes for a message: its start only when it is long, and no control characters.
fn quoted(text: &str) -> String {
    const MAX_CHARS: usize = 80;
    let mut start: String = text.chars().take(MAX_CHARS).collect();
    if start.len() < text.len() {
        start.push('…');
    }
    format!("{start:?}")
}
