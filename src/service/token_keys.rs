//! The token keys of a node, which follow the key in the store.
//!
//! Without `token-keys`, the first node makes a key and the store keeps it for all nodes. With `token-keys`, the first of
//! these signs. The store's key, if there is one, still verifies, so that older tokens stay good. To retire it, delete it
//! from the store.
//!
//! A reload may replace `token-keys`. A removed key verifies nothing from then on, not even the string of a cached token:
//! the marks beside cached records are made with a key that all token keys together yield
//! ([`VerifiedMark`](crate::token_string::VerifiedMark)).

use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::rngs::SysError;

use super::core::Service;
use crate::entropy::Entropy;
use crate::store::StoreError;
use crate::token_string::{MAX_TOKEN_KEYS, TokenKeys, check_token_key};
use crate::values::SecretString;

/// Where the token keys of a node come from. Its monitor follows the store's key; a reload replaces the operator's keys.
pub struct TokenKeySource {
    /// The key that the store gets if it has none.
    proposed: String,
    keys: Mutex<KnownKeys>,
}

enum KnownKeys {
    /// The store keeps the key.
    Shared(SharedKeys),
    /// The operator set the keys.
    Configured(ConfiguredKeys),
}

/// The keys that the store kept while this node ran. The first signs; the older ones still verify.
#[derive(Default)]
struct SharedKeys {
    seen: Vec<String>,
}

/// The keys of the operator. The first signs.
struct ConfiguredKeys {
    keys: Vec<SecretString>,
    /// The store's key; the outer `None` until the store has answered.
    stores: Option<Option<String>>,
}

/// The operator's keys after a reload, ready to be used.
pub struct NewTokenKeys {
    configured: Vec<SecretString>,
    /// The store's key, if the operator's keys were removed.
    shared: Option<String>,
}

impl TokenKeySource {
    /// The configured keys, or the store's key without any.
    ///
    /// # Errors
    /// The operating system has no randomness to give.
    pub fn new(configured: Vec<SecretString>, entropy: &Entropy) -> Result<Self, SysError> {
        let proposed = URL_SAFE_NO_PAD.encode(entropy.bytes::<32>()?);
        let keys = match configured.is_empty() {
            true => KnownKeys::Shared(SharedKeys::default()),
            false => KnownKeys::Configured(ConfiguredKeys { keys: configured, stores: None }),
        };
        Ok(Self { proposed, keys: Mutex::new(keys) })
    }

    fn keys(&self) -> MutexGuard<'_, KnownKeys> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the keys that are known without the store.
    pub fn begin(&self, service: &Service) {
        if let KnownKeys::Configured(configured) = &*self.keys() {
            configured.adopt(service);
        }
    }

    /// Reads the store's key, and sets the present keys.
    ///
    /// # Errors
    /// `Unavailable`; `Corrupt` if the store's key is no key. The keys stay as they were.
    pub async fn follow(&self, service: &Service) -> Result<(), StoreError> {
        // A store that lost its key gets the one that this node used last.
        let proposed = match &*self.keys() {
            KnownKeys::Shared(shared) => Some(shared.seen.first().unwrap_or(&self.proposed).clone()),
            KnownKeys::Configured(_) => None,
        };
        let kept = match &proposed {
            Some(proposed) => Some(service.store().shared_token_key(proposed).await?),
            None => service.store().stored_token_key().await?,
        };
        kept.as_deref().map(check).transpose()?;
        match (&mut *self.keys(), kept) {
            (KnownKeys::Configured(configured), kept) => configured.follow(kept, service),
            (KnownKeys::Shared(shared), Some(kept)) => shared.follow(kept, service),
            // A reload has removed the operator's keys while the store was asked. It knows the store's key.
            (KnownKeys::Shared(_), None) => {}
        }
        Ok(())
    }

    /// Prepares the operator's keys of a reload. If these were all removed, reads the store's key, and makes it if the
    /// store has none.
    ///
    /// # Errors
    /// `Unavailable`; `Corrupt` if the store's key is no key.
    pub async fn prepare(
        &self,
        configured: Vec<SecretString>,
        service: &Service,
    ) -> Result<NewTokenKeys, StoreError> {
        let were_configured = matches!(&*self.keys(), KnownKeys::Configured(_));
        if !configured.is_empty() || !were_configured {
            return Ok(NewTokenKeys { configured, shared: None });
        }
        let kept = service.store().shared_token_key(&self.proposed).await?;
        check(&kept)?;
        Ok(NewTokenKeys { configured, shared: Some(kept) })
    }

    /// Replaces the operator's keys. A token string that was signed by a removed key is refused from then on.
    pub fn replace(&self, new: NewTokenKeys, service: &Service) {
        let mut keys = self.keys();
        match (&mut *keys, new) {
            (_, NewTokenKeys { shared: Some(kept), .. }) => {
                let mut shared = SharedKeys::default();
                shared.follow(kept, service);
                *keys = KnownKeys::Shared(shared);
            }
            (_, NewTokenKeys { configured, .. }) if configured.is_empty() => {}
            (KnownKeys::Configured(present), new) => {
                present.keys = new.configured;
                present.adopt(service);
            }
            (KnownKeys::Shared(shared), new) => {
                let stores = shared.seen.first().cloned().map(Some);
                let configured = ConfiguredKeys { keys: new.configured, stores };
                configured.adopt(service);
                *keys = KnownKeys::Configured(configured);
            }
        }
    }
}

impl SharedKeys {
    /// Adopts the store's key. If another node was first with a new one, that key signs from now on and the former key
    /// still verifies, so that no live token looks forged.
    fn follow(&mut self, kept: String, service: &Service) {
        if self.seen.first() == Some(&kept) {
            return;
        }
        if !self.seen.is_empty() {
            tracing::warn!("token key of the store has changed; both keys verify from now on");
        }
        self.seen.retain(|secret| *secret != kept);
        self.seen.insert(0, kept);
        self.seen.truncate(MAX_TOKEN_KEYS);
        if let Some(keys) = TokenKeys::from_secrets(self.seen.iter().map(String::as_str)) {
            service.set_token_keys(keys);
        }
    }
}

impl ConfiguredKeys {
    /// Adopts the store's key, which only verifies.
    fn follow(&mut self, kept: Option<String>, service: &Service) {
        if self.stores.as_ref() != Some(&kept) {
            let verifies = kept.is_some();
            self.stores = Some(kept);
            self.adopt(service);
            tracing::info!(verifies, "token key of the store read");
        }
    }

    fn adopt(&self, service: &Service) {
        let mut secrets: Vec<_> = self.keys.iter().map(SecretString::expose).collect();
        // The store's key may be among the configured keys.
        let stores = self.stores.iter().flatten().map(String::as_str);
        secrets.extend(stores.filter(|key| !self.keys.iter().any(|known| known.expose() == *key)));
        let Some(keys) = TokenKeys::from_secrets(secrets) else { return };
        service.set_token_keys(if self.stores.is_some() { keys } else { keys.lacking_the_stores() });
    }
}

/// Rejects a key that could be guessed.
fn check(kept: &str) -> Result<(), StoreError> {
    check_token_key(kept).map_err(|problem| StoreError::Corrupt {
        key: "m:check-key".into(),
        reason: format!("the shared token key {problem}; put the right one back, or delete it for a new one"),
    })
}
