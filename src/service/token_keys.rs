//! The token keys of a node, which follow the key in the store.
//!
//! Without `token-keys`, the first node makes a key and the store keeps it for all nodes. With `token-keys`, the first of
//! these signs. The store's key, if there is one, still verifies, so that older tokens stay good. To retire it, delete it
//! from the store.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::rngs::SysError;

use super::core::Service;
use crate::entropy::Entropy;
use crate::store::StoreError;
use crate::token_string::{MAX_TOKEN_KEYS, TokenKeys, check_token_key};
use crate::values::SecretString;

/// Where the token keys come from.
pub enum TokenKeySource {
    /// The store keeps the key.
    Shared(SharedKeys),
    /// The operator set the keys.
    Configured(ConfiguredKeys),
}

/// The keys that the store kept while this node ran. The first signs; the older ones still verify.
pub struct SharedKeys {
    seen: Vec<String>,
    proposed: String,
}

/// The keys of the operator. The first signs.
pub struct ConfiguredKeys {
    keys: Vec<SecretString>,
    /// The store's key; the outer `None` until the store has answered.
    stores: Option<Option<String>>,
}

impl TokenKeySource {
    /// The configured keys, or the store's key without any.
    ///
    /// # Errors
    /// The operating system has no randomness to give.
    pub fn new(configured: Vec<SecretString>, entropy: &Entropy) -> Result<Self, SysError> {
        if configured.is_empty() {
            let proposed = URL_SAFE_NO_PAD.encode(entropy.bytes::<32>()?);
            return Ok(Self::Shared(SharedKeys { seen: Vec::new(), proposed }));
        }
        Ok(Self::Configured(ConfiguredKeys { keys: configured, stores: None }))
    }

    /// Sets the keys that are known without the store.
    pub fn begin(&self, service: &Service) {
        if let Self::Configured(configured) = self {
            configured.adopt(service);
        }
    }

    /// Reads the store's key, and sets the present keys.
    ///
    /// # Errors
    /// `Unavailable`; `Corrupt` if the store's key is no key. The keys stay as they were.
    pub async fn follow(&mut self, service: &Service) -> Result<(), StoreError> {
        match self {
            Self::Shared(shared) => shared.follow(service).await,
            Self::Configured(configured) => configured.follow(service).await,
        }
    }
}

impl SharedKeys {
    /// Adopts the store's key. A store that lost its key gets the one that this node used last. If another node was first,
    /// its key signs from now on and the former key still verifies, so that no live token looks forged.
    async fn follow(&mut self, service: &Service) -> Result<(), StoreError> {
        let kept = service.store().shared_token_key(self.seen.first().unwrap_or(&self.proposed)).await?;
        check(&kept)?;
        if self.seen.first() == Some(&kept) {
            return Ok(());
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
        Ok(())
    }
}

impl ConfiguredKeys {
    /// Reads the store's key, which only verifies. Never writes it.
    async fn follow(&mut self, service: &Service) -> Result<(), StoreError> {
        let kept = service.store().stored_token_key().await?;
        kept.as_deref().map(check).transpose()?;
        if self.stores.as_ref() != Some(&kept) {
            let verifies = kept.is_some();
            self.stores = Some(kept);
            self.adopt(service);
            tracing::info!(verifies, "token key of the store read");
        }
        Ok(())
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
