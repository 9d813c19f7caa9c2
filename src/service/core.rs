//! The service: what all use cases share.

use super::error::ServiceError;
use super::policy::TokenPolicy;
use std::ops::Deref;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use rand::rngs::SysError;

use crate::clock::Clock;
use crate::entropy::Entropy;
use crate::last_access::LastAccess;
use crate::logging::RepeatedFault;
use crate::model::event::{Actor, Event};
use crate::model::field_rules::Checked;
use crate::model::token::TokenRecord;
use crate::store::{Call, Store, StoreError};
use crate::token_string as secret;
use crate::token_string::{Claim, HashTag, Kind, Minted, Presented, TokenKeys};

/// See the module. Shared by all runtimes.
pub struct Service {
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) entropy: Entropy,
    pub(crate) policy: TokenPolicy,
    pub(crate) last_access: LastAccess,
    token_keys: ArcSwapOption<TokenKeys>,
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
        let (token_keys, faults) = (ArcSwapOption::empty(), StoreFaults::default());
        Self { store, clock, entropy, policy, last_access, token_keys, faults }
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
    pub fn with_token_keys<T>(&self, use_keys: impl FnOnce(&TokenKeys) -> T) -> Result<T, StoreError> {
        self.token_keys().as_deref().map(use_keys).ok_or_else(no_token_keys)
    }

    /// The check keys; `None` while they are not known.
    pub fn token_keys(&self) -> impl Deref<Target = Option<Arc<TokenKeys>>> {
        self.token_keys.load()
    }

    /// What a token string presents; `None` when it is malformed or forged.
    ///
    /// # Errors
    /// `Unavailable` while a key that may have signed it is not known.
    pub fn parse(&self, kind: Kind, token_string: &[u8]) -> Result<Option<Presented>, StoreError> {
        self.with_token_keys(|keys| {
            let Some(claim) = Claim::read(kind, token_string) else { return Ok(None) };
            match claim.verify(keys) {
                None if keys.may_lack_one() => Err(no_token_keys()),
                presented => Ok(presented),
            }
        })?
    }

    /// Replaces the check keys.
    pub fn set_token_keys(&self, keys: TokenKeys) {
        self.token_keys.store(Some(Arc::new(keys)));
    }

    /// Makes the name and the secret of something new in a shard.
    pub(crate) fn mint_in(&self, kind: Kind, shard: HashTag) -> Result<Minted, StoreError> {
        self.with_token_keys(|keys| {
            let id = secret::new_id(shard, &self.entropy)?;
            secret::mint_secret(kind, keys, id, &self.entropy)
        })?
        .map_err(|error: SysError| StoreError::Unavailable(format!("no randomness: {error}")))
    }

    /// An operation of now.
    pub(crate) fn call<'a>(&self, actor: Actor<'a>) -> Call<'a> {
        Call { now_ms: self.clock.now_ms(), actor }
    }

    /// What happened to a user's tokens, takeovers and device keys, newest first.
    ///
    /// # Errors
    /// `Store`.
    pub async fn user_events(&self, user: &str) -> Result<Vec<Event>, ServiceError> {
        Ok(self.store.user_events(user, self.clock.now_ms()).await?)
    }

    /// An expired record as it is with the renewals that this node has earned on it and not written yet; `None` where it has
    /// expired with those, too. Each access was admitted in time, so what it earned counts from then on, whether or not the
    /// store could be told.
    pub fn with_earned(&self, record: &TokenRecord, now_ms: u64) -> Option<Arc<TokenRecord>> {
        let earned_ms = self.last_access.earned_ms(record.id)?.min(record.ends_at_ms);
        (record.is_active && earned_ms > now_ms).then(|| Arc::new(record.renewed_to(earned_ms)))
    }

    /// Logs why a request is answered with a server error, a line a second for each kind of error.
    pub fn report(&self, error: &StoreError) {
        let now_ms = self.clock.boottime_ms();
        match error {
            StoreError::Unavailable(reason) | StoreError::Unusable(reason) => {
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
    pub fn record_access(&self, record: &Arc<TokenRecord>, now_ms: u64, is_kept: bool) {
        let step_ms = self.policy.renewal_step.step_ms(record.idle_ms);
        self.last_access.record(record, now_ms, record.renewal(now_ms, step_ms), is_kept);
    }
}

/// Reads what came of a rule of [`rules`](crate::model::field_rules): the value of this field must keep to it, whoever asks.
///
/// # Errors
/// `Invalid`.
pub(crate) fn valid<T>(field: &'static str, checked: Result<T, String>) -> Result<T, ServiceError> {
    checked.map_err(|detail| ServiceError::Invalid { field, detail })
}

/// The same of a value that need not be there.
pub(crate) fn valid_if_some<T: ?Sized>(
    field: &'static str,
    value: Option<&T>,
    rule: impl FnOnce(&T) -> Checked,
) -> Result<(), ServiceError> {
    value.map_or(Ok(()), |value| valid(field, rule(value)))
}

/// What cannot be told without the check keys, or without one of them.
pub fn no_token_keys() -> StoreError {
    StoreError::Unavailable("the check keys are not known yet".into())
}
