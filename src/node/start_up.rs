//! Makes the options of each component from the settings.

use std::sync::Arc;
use std::time::Duration;

use rand::rngs::SysError;

use crate::clock::Clock;
use crate::config::Config;
use crate::files::FileError;
use crate::last_access::recorder::LastAccessOptions;
use crate::service::TokenPolicy;
use crate::store::alias::AliasOptions;
use crate::store::memory::MemoryStore;
use crate::store::redis::{CacheOptions, RedisOptions, RedisStore, TrustStore};
use crate::store::{Store, StoreLimits};
use crate::telemetry::TraceExportError;
use crate::values::{RedisDeployment, RedisUrl, StoreUrl};

/// Why a node or a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address cannot be bound.
    #[error("{setting}: cannot listen on {address}: {error}")]
    Bind {
        /// The setting of the address.
        setting: &'static str,
        /// The address.
        address: String,
        /// The cause.
        error: std::io::Error,
    },
    /// A file that a setting names cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// The operating system cannot supply random bytes.
    #[error("no randomness: {0}")]
    Randomness(#[from] SysError),
    /// Traces cannot be exported.
    #[error(transparent)]
    Traces(#[from] TraceExportError),
    /// A thread cannot be started.
    #[error("no threads: {0}")]
    Threads(#[from] std::io::Error),
}

impl StartError {
    /// Returns whether a setting has to change before a start can succeed.
    pub fn is_of_settings(&self) -> bool {
        matches!(self, Self::File(_))
    }
}

/// Opens the store that the settings name.
pub(crate) fn open_store(config: &Config, clock: &Clock) -> Result<Store, StartError> {
    let limits = store_limits(config);
    match &config.redis_url {
        StoreUrl::Memory => Ok(Store::Memory(Arc::new(MemoryStore::new(limits, config.memory_max_tokens)))),
        StoreUrl::Redis(url) => {
            let options = redis_options(config, url)?;
            Ok(Store::Redis(Arc::new(RedisStore::new(options, limits, clock.clone()))))
        }
    }
}

fn store_limits(config: &Config) -> StoreLimits {
    StoreLimits {
        revoked_retention_ms: config.revoked_retention_ms,
        stale_grace_ms: config.stale_grace_ms,
        max_tokens_per_user: config.max_tokens_per_user,
        max_tokens_per_object: config.max_tokens_per_object,
        over_limit: config.over_limit,
        takeover_retention_ms: config.takeover_retention_ms,
        events_per_user: config.events_per_user,
        event_retention_ms: config.event_retention_ms,
        max_devices_per_user: config.max_devices_per_user,
    }
}

fn redis_options(config: &Config, url: &RedisUrl) -> Result<RedisOptions, StartError> {
    Ok(RedisOptions {
        url: url.clone(),
        trust: trust(config, url)?,
        key_prefix: config.key_prefix.clone(),
        connections: config.redis_connections,
        timeout: Duration::from_millis(config.redis_timeout_ms),
        cache: CacheOptions {
            entries: config.cache_entries,
            lease_ms: config.lease_ms,
            stale_grace_ms: config.stale_grace_ms,
            catch_up_ms: config.lease_ms + config.flush_interval_ms,
        },
        aliases: AliasOptions {
            entries: config.foreign_cache_entries,
            look_ups_per_second: config.foreign_lookups,
        },
        accept_eviction: config.accept_eviction,
        takeovers: config.takeovers,
    })
}

/// Loads the certificate authorities if Redis uses TLS.
fn trust(config: &Config, url: &RedisUrl) -> Result<Option<TrustStore>, StartError> {
    let RedisDeployment::Standalone { tls: true, .. } = url.deployment else { return Ok(None) };
    let trust = TrustStore::load(config.redis_ca_file.as_deref());
    Ok(Some(trust.map_err(|problem| FileError { setting: "redis-ca-file", problem })?))
}

pub(crate) fn token_policy(config: &Config) -> TokenPolicy {
    TokenPolicy {
        default_age_ms: config.default_token_age_ms,
        preserved_age_ms: config.max_token_age_ms,
        absolute_lifetime_ms: config.absolute_lifetime_ms,
        import_lifetime_ms: config.import_lifetime_ms,
        renewal_step: config.renewal_step,
        rotation_grace_ms: config.rotation_grace_ms,
        reuse_ends_token: config.reuse_ends_token,
        takeovers: config.takeovers,
        max_takeover_age_ms: config.max_takeover_age_ms,
        device_max_idle_ms: config.device_max_idle_ms,
    }
}

pub(crate) fn last_access_options(config: &Config) -> LastAccessOptions {
    LastAccessOptions {
        flush_interval_ms: config.flush_interval_ms,
        resolution_ms: config.touch_resolution_ms,
        queue: config.flush_queue,
    }
}
