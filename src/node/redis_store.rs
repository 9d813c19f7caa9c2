//! Opens the Redis store that the settings name.

use std::time::Duration;

use super::start_error::StartError;
use crate::clock::Clock;
use crate::config::Config;
use crate::files::FileError;
use crate::store::alias::AliasOptions;
use crate::store::redis::{CacheOptions, RedisOptions, RedisStore, TrustStore};
use crate::store::{Store, StoreLimits};
use crate::values::{RedisDeployment, RedisUrl};

/// Opens the store at this URL.
///
/// # Errors
/// If the certificate authorities cannot be used, or the URL says TLS and this build has none.
pub(super) fn open(
    config: &Config,
    url: &RedisUrl,
    limits: StoreLimits,
    clock: &Clock,
) -> Result<Store, StartError> {
    if let Some(feature) = url.missing_feature() {
        return Err(StartError::MissingFeature { setting: "redis-url", feature });
    }
    let options = redis_options(config, url)?;
    Ok(Store::Redis(RedisStore::new(options, limits, clock.clone())))
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
        replay_window_ms: config.replay_window_ms,
        durable_writes: config.durable_writes,
    })
}

/// Loads the certificate authorities if Redis uses TLS.
fn trust(config: &Config, url: &RedisUrl) -> Result<Option<TrustStore>, StartError> {
    let RedisDeployment::Standalone { tls: true, .. } = url.deployment else { return Ok(None) };
    let trust = TrustStore::load(config.redis_ca_file.as_deref());
    Ok(Some(trust.map_err(|problem| FileError { setting: "redis-ca-file", problem })?))
}
