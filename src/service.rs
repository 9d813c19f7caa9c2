//! The use cases, one method each. Knows no HTTP and no Redis.

use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwapOption;

use crate::clock::Clock;
use crate::entropy::Entropy;
use crate::last_access::LastAccess;
use crate::rules;
use crate::secret::{self, CheckKeys, Kind, TokenId};
use crate::store::{Changed, Store, StoreError};
use crate::token::{AccessMark, Credential, DetailsOnce, RelatedObject, RenderedOnce, Token, TokenChange};

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
}

/// What a login service asks for; each field already keeps to its rule.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// Whose token.
    pub user: String,
    /// Where the login came from.
    pub ip: IpAddr,
    /// Cut at 256 characters.
    pub user_agent: String,
    /// The kind of token.
    pub auth_slug: Option<String>,
    /// What authenticated the user.
    pub backend: Option<String>,
    /// False for a preserved token.
    pub expiration: bool,
    /// Whether a cookie may carry it.
    pub allowed_cookie: bool,
    /// Whether the Authorization header may carry it.
    pub allowed_header: bool,
    /// Overrides the policy's idle time.
    pub idle_ms: Option<u64>,
    /// Overrides the policy's absolute lifetime.
    pub lifetime_ms: Option<u64>,
    /// What the token belongs to.
    pub related_objects: Vec<RelatedObject>,
}

impl NewToken {
    /// A token with the default of every field that has one: what `POST /v1/tokens` makes of these two.
    pub fn new(user: impl Into<String>, ip: IpAddr) -> Self {
        Self {
            user: user.into(),
            ip,
            user_agent: String::new(),
            auth_slug: None,
            backend: None,
            expiration: true,
            allowed_cookie: true,
            allowed_header: true,
            idle_ms: None,
            lifetime_ms: None,
            related_objects: Vec::new(),
        }
    }
}

/// A token just issued, with the only copy of its secret.
pub struct Issued {
    /// The record.
    pub token: Token,
    /// The string for its holder.
    pub wire: String,
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
        Self { store, clock, entropy, policy, last_access, check_keys: ArcSwapOption::empty() }
    }

    /// The store, for the workers.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The clock all decisions go by.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Does something with the check keys.
    ///
    /// # Errors
    /// `Unavailable` while they are not known.
    pub fn with_check_keys<T>(&self, use_keys: impl FnOnce(&CheckKeys) -> T) -> Result<T, StoreError> {
        match self.check_keys.load().as_deref() {
            Some(keys) => Ok(use_keys(keys)),
            None => Err(StoreError::Unavailable("the check keys are not known yet".into())),
        }
    }

    /// Replaces the check keys.
    pub fn set_check_keys(&self, keys: CheckKeys) {
        self.check_keys.store(Some(Arc::new(keys)));
    }

    /// Notes a successful validation.
    pub fn record_access(&self, credential: &Arc<Credential>, now_ms: u64) {
        let step_ms = self.policy.renewal_step.step_ms(credential.idle_ms);
        self.last_access.record(credential, now_ms, credential.renewal(now_ms, step_ms));
    }

    /// Issues a token.
    ///
    /// # Errors
    /// `Store`; then whether it was issued is unknown, and nobody has its secret.
    pub async fn issue(&self, new: NewToken) -> Result<Issued, ServiceError> {
        let now_ms = self.clock.now_ms();
        let minted = self
            .with_check_keys(|keys| secret::mint(Kind::Token, keys, &new.user, &self.entropy))?
            .map_err(|error| StoreError::Unavailable(format!("no randomness: {error}")))?;
        let token = self.record_of(new, minted.id, minted.hash, now_ms);
        self.store.issue(&token, now_ms).await?;
        Ok(Issued { token, wire: minted.wire })
    }

    fn record_of(&self, new: NewToken, id: TokenId, hash: secret::SecretHash, now_ms: u64) -> Token {
        let default_idle_ms =
            if new.expiration { self.policy.default_age_ms } else { self.policy.preserved_age_ms };
        let idle_ms = new.idle_ms.unwrap_or(default_idle_ms);
        let ends_at_ms = now_ms + new.lifetime_ms.unwrap_or(self.policy.absolute_lifetime_ms);
        Token {
            credential: Arc::new(Credential {
                id,
                secret_hash: hash,
                user: new.user,
                auth_slug: new.auth_slug,
                backend: new.backend,
                device: None,
                is_active: true,
                allowed_cookie: new.allowed_cookie,
                allowed_header: new.allowed_header,
                expires_at_ms: ends_at_ms.min(now_ms + idle_ms),
                idle_ms,
                ends_at_ms,
                accesses: AccessMark::default(),
                rendered: RenderedOnce::default(),
                details: DetailsOnce::default(),
            }),
            created_at_ms: now_ms,
            last_access_ms: now_ms,
            ended_at_ms: None,
            user_agent: rules::cut_user_agent(&new.user_agent).to_owned(),
            ip: new.ip,
            expiration: new.expiration,
            related_objects: new.related_objects,
        }
    }

    /// The token of this id.
    ///
    /// # Errors
    /// `NotFound`, `Store`.
    pub async fn token(&self, id: TokenId) -> Result<Token, ServiceError> {
        self.store.token(id, self.clock.now_ms()).await?.ok_or(ServiceError::NotFound)
    }

    /// Changes a token. Ending one that has ended is no error.
    ///
    /// # Errors
    /// `NotFound`, `Ended`, `Store`.
    pub async fn change(&self, id: TokenId, change: &TokenChange) -> Result<Token, ServiceError> {
        match self.store.change(id, change, self.clock.now_ms()).await? {
            Changed::Done(token) => Ok(token),
            Changed::AlreadyEnded(token) if !change.edits() => Ok(token),
            Changed::AlreadyEnded(_) => Err(ServiceError::Ended),
            Changed::NotFound => Err(ServiceError::NotFound),
        }
    }

    /// The user's tokens, newest first; the ended ones, too, when asked for.
    ///
    /// # Errors
    /// `Store`.
    pub async fn user_tokens(&self, user: &str, include_ended: bool) -> Result<Vec<Token>, ServiceError> {
        let mut tokens = self.store.user_tokens(user, self.clock.now_ms()).await?;
        tokens.retain(|token| include_ended || token.credential.is_active);
        Ok(tokens)
    }

    /// Ends all of a user's live tokens but one, atomically. Gives how many it ended.
    ///
    /// # Errors
    /// `Store`.
    pub async fn end_user_tokens(&self, user: &str, except: Option<TokenId>) -> Result<usize, ServiceError> {
        Ok(self.store.end_user_tokens(user, except, self.clock.now_ms()).await?.len())
    }
}
