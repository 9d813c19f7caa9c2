//! The use cases, one method each. Knows no HTTP and no Redis.

mod devices;
mod related;
mod takeovers;
mod tokens;

use std::ops::Deref;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use rand::rngs::SysError;

pub use self::devices::{MadeDevice, NewDevice};
pub use self::tokens::{Issued, NewToken};
use crate::clock::Clock;
use crate::entropy::Entropy;
use crate::event::{Actor, Event};
use crate::last_access::LastAccess;
use crate::logging::RepeatedFault;
use crate::secret::{self, CheckKeys, Claim, Kind, Minted, Presented, ShardTag};
use crate::store::{Call, Store, StoreError};
use crate::token::Credential;

/// How long tokens live and when they are renewed.
#[derive(Clone, Debug)]
pub struct TokenPolicy {
    /// Idle time of a token with `expiration`.
    pub default_age_ms: u64,
    /// Idle time of a preserved token.
    pub preserved_age_ms: u64,
    /// No token lives longer, unless its issuer says so.
    pub absolute_lifetime_ms: u64,
    /// How much later an earned expiry must be to be written.
    pub renewal_step: crate::config::RenewalStep,
    /// How long a secret stays good after a rotation.
    pub rotation_grace_ms: u64,
    /// Whether a secret that was rotated out and is seen again ends its token.
    pub reuse_ends_token: bool,
    /// No takeover lasts longer.
    pub max_takeover_age_ms: u64,
    /// How long a device key lives without a login.
    pub device_max_idle_ms: u64,
}

/// Why a use case did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// There is no such token, or nobody may see it any more.
    #[error("no such token")]
    NotFound,
    /// The token was ended, and an ended one cannot be changed.
    #[error("the token has ended")]
    Ended,
    /// The token's second factor is still to be shown.
    #[error("the token's second factor is still to be shown")]
    Pending,
    /// The token has had too many new secrets within the grace.
    #[error("the token was rotated too often; try again after rotation-grace")]
    RotatedTooOften,
    /// The user has as many tokens as allowed, and none may be ended for a new one.
    #[error("the user has as many tokens as max-tokens-per-user allows")]
    TooManyTokens,
    /// The user has as many device keys as allowed.
    #[error("the user has as many device keys as max-devices-per-user allows")]
    TooManyDevices,
    /// A login by device key: there is no such key, or it is inactive, or what was presented is not its own. Nobody is
    /// told which.
    #[error("no active device key has this uuid and this login token")]
    LoginRefused,
    /// A related object has as many tokens as allowed.
    #[error("the related object has as many tokens as max-tokens-per-object allows")]
    ObjectFull,
    /// The token has as many related objects as allowed.
    #[error("the token has as many related objects as it may have")]
    TooManyObjects,
    /// A takeover of the token's own user.
    #[error("the token is that user's own")]
    OwnUser,
    /// See there.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// See the module. Shared by all runtimes.
pub struct Service {
    store: Store,
    clock: Clock,
    entropy: Entropy,
    policy: TokenPolicy,
    last_access: LastAccess,
    check_keys: ArcSwapOption<CheckKeys>,
    faults: StoreFaults,
}

/// What is logged of calls that the store did not answer.
#[derive(Debug, Default)]
struct StoreFaults {
    unavailable: RepeatedFault,
    corrupt: RepeatedFault,
}

impl Service {
    /// A service that knows no check keys yet: until it does, it cannot tell ours from forged.
    pub fn new(
        store: Store,
        clock: Clock,
        entropy: Entropy,
        policy: TokenPolicy,
        last_access: LastAccess,
    ) -> Self {
        let (check_keys, faults) = (ArcSwapOption::empty(), StoreFaults::default());
        Self { store, clock, entropy, policy, last_access, check_keys, faults }
    }

    /// The store, for the workers.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The clock all decisions go by.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// How long things live.
    pub fn policy(&self) -> &TokenPolicy {
        &self.policy
    }

    /// Does something with the check keys.
    ///
    /// # Errors
    /// `Unavailable` while they are not known.
    pub fn with_check_keys<T>(&self, use_keys: impl FnOnce(&CheckKeys) -> T) -> Result<T, StoreError> {
        self.check_keys().as_deref().map(use_keys).ok_or_else(no_check_keys)
    }

    /// The check keys; `None` while they are not known.
    pub fn check_keys(&self) -> impl Deref<Target = Option<Arc<CheckKeys>>> {
        self.check_keys.load()
    }

    /// What a token string presents; `None` when it is malformed or forged.
    ///
    /// # Errors
    /// `Unavailable` while a key that may have signed it is not known.
    pub fn parse(&self, kind: Kind, wire: &[u8]) -> Result<Option<Presented>, StoreError> {
        self.with_check_keys(|keys| {
            let Some(claim) = Claim::read(kind, wire) else { return Ok(None) };
            match claim.verify(keys) {
                None if keys.may_lack_one() => Err(no_check_keys()),
                presented => Ok(presented),
            }
        })?
    }

    /// Replaces the check keys.
    pub fn set_check_keys(&self, keys: CheckKeys) {
        self.check_keys.store(Some(Arc::new(keys)));
    }

    /// Makes the name and the secret of something new in a shard.
    fn mint_in(&self, kind: Kind, shard: ShardTag) -> Result<Minted, StoreError> {
        self.with_check_keys(|keys| {
            let id = secret::new_id(shard, &self.entropy)?;
            secret::mint_secret(kind, keys, id, &self.entropy)
        })?
        .map_err(|error: SysError| StoreError::Unavailable(format!("no randomness: {error}")))
    }

    /// An operation of now.
    fn call<'a>(&self, actor: Actor<'a>) -> Call<'a> {
        Call { now_ms: self.clock.now_ms(), actor }
    }

    /// What happened to a user's tokens, takeovers and device keys, newest first.
    ///
    /// # Errors
    /// `Store`.
    pub async fn user_events(&self, user: &str) -> Result<Vec<Event>, ServiceError> {
        Ok(self.store.user_events(user, self.clock.now_ms()).await?)
    }

    /// Logs why a request is answered with a server error, a line a second for each kind of error.
    pub fn report(&self, error: &StoreError) {
        let now_ms = self.clock.boottime_ms();
        match error {
            StoreError::Unavailable(reason) => {
                if let Some(due) = self.faults.unavailable.due(now_ms) {
                    tracing::warn!(
                        reason,
                        suppressed = due.suppressed,
                        "store unavailable, request not served"
                    );
                }
            }
            StoreError::Corrupt { .. } => {
                if let Some(due) = self.faults.corrupt.due(now_ms) {
                    tracing::error!(%error, suppressed = due.suppressed, "record corrupt, request not served");
                }
            }
        }
    }

    /// Notes a successful validation; `is_kept` as for [`LastAccess::record`].
    pub fn record_access(&self, credential: &Arc<Credential>, now_ms: u64, is_kept: bool) {
        let step_ms = self.policy.renewal_step.step_ms(credential.idle_ms);
        self.last_access.record(credential, now_ms, credential.renewal(now_ms, step_ms), is_kept);
    }
}

/// What cannot be told without the check keys, or without one of them.
pub fn no_check_keys() -> StoreError {
    StoreError::Unavailable("the check keys are not known yet".into())
}
