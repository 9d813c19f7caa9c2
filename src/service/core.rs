//! The service: the state that all use cases share, and the token keys.

use std::ops::Deref;
use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};
use rand::rngs::SysError;

use super::error::ServiceError;
use super::live_cutoffs::LiveCutoffs;
use super::live_tokens::LiveTokenSampler;
use super::login_token_verifier::LoginTokenVerifier;
use crate::clock::Clock;
use crate::entropy::Entropy;
use crate::foreign::{ForeignForm, ForeignForms};
use crate::last_access::LastAccess;
use crate::logging::RepeatedFault;
use crate::model::event::{Actor, Event};
use crate::model::token::TokenRecord;
use crate::store::{Call, Store, StoreError};
use crate::token_string::{
    HashTag, Minted, TokenId, TokenKeys, TokenKind, UnverifiedToken, VerifiedToken, mint_secret, new_id,
};
use crate::values::RenewalStep;

/// The use cases, one method each. Shared by all runtimes.
pub struct Service {
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) entropy: Entropy,
    pub(crate) policy: TokenPolicy,
    pub(crate) last_access: LastAccess,
    live_tokens: Arc<LiveTokenSampler>,
    pub(crate) cutoffs: LiveCutoffs,
    token_keys: ArcSwapOption<TokenKeys>,
    pub(crate) login_tokens: LoginTokenVerifier,
    foreign_forms: ArcSwap<ForeignForms>,
    faults: StoreFaults,
}

impl Service {
    /// A service that knows no token keys yet: until it does, it can verify no token string. It has no forms of foreign
    /// strings yet.
    pub fn new(
        store: Store,
        clock: Clock,
        entropy: Entropy,
        policy: TokenPolicy,
        last_access: LastAccess,
    ) -> Self {
        let (token_keys, faults) = (ArcSwapOption::empty(), StoreFaults::default());
        let live_tokens = Arc::new(LiveTokenSampler::new(store.clone(), clock.clone()));
        let foreign_forms = ArcSwap::default();
        let cutoffs = LiveCutoffs::default();
        Self {
            store,
            clock,
            entropy,
            policy,
            last_access,
            live_tokens,
            cutoffs,
            token_keys,
            login_tokens: LoginTokenVerifier::new(),
            foreign_forms,
            faults,
        }
    }

    /// The store, for the workers.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The clock of all decisions.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// How long tokens live.
    pub fn policy(&self) -> &TokenPolicy {
        &self.policy
    }

    /// How many live tokens the store has.
    pub fn live_tokens(&self) -> &Arc<LiveTokenSampler> {
        &self.live_tokens
    }

    /// Calls `use_keys` with the token keys.
    ///
    /// # Errors
    /// `Unavailable` while the keys are not known.
    pub fn with_token_keys<T>(&self, use_keys: impl FnOnce(&TokenKeys) -> T) -> Result<T, StoreError> {
        self.token_keys().as_deref().map(use_keys).ok_or_else(no_token_keys)
    }

    /// The token keys; `None` while they are not known.
    pub fn token_keys(&self) -> impl Deref<Target = Option<Arc<TokenKeys>>> {
        self.token_keys.load()
    }

    /// Verifies a token string. Returns `None` if it is malformed or forged.
    ///
    /// # Errors
    /// `Unavailable` while a key that may have signed the string is not known.
    pub fn parse(&self, kind: TokenKind, token_string: &[u8]) -> Result<Option<VerifiedToken>, StoreError> {
        match UnverifiedToken::decode(kind, token_string) {
            Some(unverified) => self.verify(unverified),
            None => self.with_token_keys(|_| None),
        }
    }

    /// Verifies a well-formed token string. Returns `None` if it is forged.
    ///
    /// # Errors
    /// `Unavailable` while a key that may have signed the string is not known.
    pub fn verify(&self, unverified: UnverifiedToken) -> Result<Option<VerifiedToken>, StoreError> {
        self.with_token_keys(|keys| match unverified.verify(keys) {
            None if keys.may_lack_one() => Err(no_token_keys()),
            verified => Ok(verified),
        })?
    }

    /// The forms of foreign token strings.
    pub fn foreign_forms(&self) -> impl Deref<Target = Arc<ForeignForms>> {
        self.foreign_forms.load()
    }

    /// Replaces the forms of foreign token strings.
    pub fn set_foreign_forms(&self, forms: Vec<ForeignForm>) {
        self.foreign_forms.store(Arc::new(ForeignForms::new(forms)));
    }

    /// Replaces the token keys.
    pub fn set_token_keys(&self, keys: TokenKeys) {
        self.token_keys.store(Some(Arc::new(keys)));
    }

    /// Makes a new id with this hash tag, and a secret for it.
    pub(crate) fn mint_in(&self, kind: TokenKind, tag: HashTag) -> Result<Minted, StoreError> {
        self.mint_for(kind, new_id(tag, &self.entropy).map_err(no_randomness)?)
    }

    /// Makes a new secret for this id.
    pub(crate) fn mint_for(&self, kind: TokenKind, id: TokenId) -> Result<Minted, StoreError> {
        self.with_token_keys(|keys| mint_secret(kind, keys, id, &self.entropy))?.map_err(no_randomness)
    }

    /// A store operation of now.
    pub(crate) fn call<'a>(&self, actor: Actor<'a>) -> Call<'a> {
        Call::new(self.clock.now_ms(), actor)
    }

    /// Lists the events of a user's tokens, takeovers and device keys, newest first.
    ///
    /// # Errors
    /// `Store`.
    pub async fn user_events(&self, user: &str) -> Result<Vec<Event>, ServiceError> {
        Ok(self.store.user_events(user, self.clock.now_ms()).await?)
    }

    /// Returns an expired record with the renewals that this node has earned on it and not written yet. `None` if it has
    /// expired even so.
    ///
    /// Each access was admitted in time, so what it earned counts from then on, whether or not the store knows of it.
    pub fn with_earned(&self, record: &TokenRecord, now_ms: u64) -> Option<Arc<TokenRecord>> {
        let earned = self.last_access.earned(record.id)?;
        let earned_ms = earned.expires_at_ms.min(record.latest_renewal(earned.access_ms));
        (record.is_active && earned_ms > now_ms).then(|| Arc::new(record.renewed_to(earned_ms)))
    }

    /// Returns the age of the oldest access that is not written: [`LastAccess::flush_lag_ms`].
    pub fn flush_lag_ms(&self) -> u64 {
        self.last_access.flush_lag_ms()
    }

    /// Logs why a request, which may have an id, is answered with a server error.
    pub fn report(&self, error: &StoreError, request_id: Option<&str>) {
        self.faults.report(error, request_id, self.clock.boottime_ms());
    }

    /// Records a successful validation; `is_kept` as for [`LastAccess::record`].
    pub fn record_access(&self, record: &Arc<TokenRecord>, now_ms: u64, is_kept: bool) {
        let step_ms = self.policy.renewal_step.step_ms(record.idle_ms);
        self.last_access.record(record, now_ms, record.renewal(now_ms, step_ms), is_kept);
    }
}

/// The error while the token keys, or one of them, are not known.
pub fn no_token_keys() -> StoreError {
    StoreError::Unavailable("the token keys are not known yet".into())
}

/// The error if the operating system has no randomness to give.
pub(crate) fn no_randomness(error: SysError) -> StoreError {
    StoreError::Unavailable(format!("no randomness: {error}"))
}

/// Logs store errors, at most a line a second for each kind.
#[derive(Debug, Default)]
pub(crate) struct StoreFaults {
    unavailable: RepeatedFault,
    not_durable: RepeatedFault,
    corrupt: RepeatedFault,
}

impl StoreFaults {
    /// Logs why a request is answered with a server error.
    pub(crate) fn report(&self, error: &StoreError, request_id: Option<&str>, boottime_ms: u64) {
        let request_id = request_id.map(tracing::field::display);
        match error {
            StoreError::Unavailable(reason) | StoreError::Unusable(reason) => {
                if let Some(due) = self.unavailable.due(boottime_ms) {
                    let suppressed = due.suppressed;
                    tracing::warn!(reason, request_id, suppressed, "store unavailable, request not served");
                }
            }
            StoreError::NotDurable => {
                if let Some(due) = self.not_durable.due(boottime_ms) {
                    let suppressed = due.suppressed;
                    tracing::warn!(request_id, suppressed, "change not durable in time");
                }
            }
            StoreError::Corrupt { .. } => {
                if let Some(due) = self.corrupt.due(boottime_ms) {
                    let suppressed = due.suppressed;
                    tracing::error!(%error, request_id, suppressed, "record corrupt, request not served");
                }
            }
        }
    }
}

/// How long tokens, takeovers and device keys live, and when tokens are renewed.
#[derive(Clone, Debug)]
pub struct TokenPolicy {
    /// Idle time of a token with `expiration`.
    pub default_age_ms: u64,
    /// Idle time of a preserved token.
    pub preserved_age_ms: u64,
    /// No token lives longer, unless its caller asks for it.
    pub absolute_lifetime_ms: u64,
    /// No imported token lives longer from its import on.
    pub import_lifetime_ms: u64,
    /// A renewal is written if the earned expiry is at least this much later.
    pub renewal_step: RenewalStep,
    /// How long a secret stays good after a rotation.
    pub rotation_grace_ms: u64,
    /// Whether the reuse of a rotated-out secret revokes its token.
    pub reuse_ends_token: bool,
    /// Whether tokens may take users over. If not, no takeover starts, and those under way count for nothing.
    pub takeovers: bool,
    /// No takeover lasts longer.
    pub max_takeover_age_ms: u64,
    /// A device key expires after this time without a login.
    pub device_max_idle_ms: u64,
}
