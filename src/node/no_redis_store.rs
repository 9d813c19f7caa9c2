//! Rejects the Redis store: this build is without it.

use super::start_error::StartError;
use crate::clock::Clock;
use crate::config::Config;
use crate::store::{Store, StoreLimits};
use crate::values::RedisUrl;

/// Returns the error of a build without the feature `redis`.
pub(super) fn open(_: &Config, _: &RedisUrl, _: StoreLimits, _: &Clock) -> Result<Store, StartError> {
    Err(StartError::MissingFeature { setting: "redis-url", feature: "redis" })
}
