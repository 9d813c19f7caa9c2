//! API keys: which one a request has, which scopes that has, when each expires and when it was last used.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::{ArcSwap, Guard};
use constant_time_eq::constant_time_eq_32;
use hyper::header::{AUTHORIZATION, HeaderMap};

use super::problem::Problem;
use crate::clock::Clock;
use crate::logging::RepeatedFault;
use crate::request::headers::bearer;
use crate::values::timestamp::timestamp_seconds;
use crate::values::{ApiKey, Scope};

/// The API keys that callers may use now. A reload replaces them.
pub struct ApiKeys {
    clock: Clock,
    keys: ArcSwap<Vec<Arc<KnownKey>>>,
    /// The key that was generated for this run. It counts while no key is set.
    generated: Option<ApiKey>,
    expired: RepeatedFault,
}

/// An API key, and its last use on this node.
pub struct KnownKey {
    /// The key.
    pub key: ApiKey,
    /// The last use, in milliseconds since the Unix epoch; 0 for never. Relaxed: nothing is judged by it.
    last_used_ms: AtomicU64,
}

/// Why a text is refused as an API key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyRefusal {
    /// No key has this text.
    Unknown,
    /// The key has expired.
    Expired,
}

impl ApiKeys {
    /// Takes these keys, or the generated one without any.
    pub fn new(keys: Vec<ApiKey>, generated: Option<ApiKey>, clock: Clock) -> Self {
        let api_keys = Self { clock, keys: ArcSwap::default(), generated, expired: RepeatedFault::default() };
        api_keys.replace(keys);
        api_keys
    }

    /// Returns whether a key was generated for this run.
    pub fn has_generated_key(&self) -> bool {
        self.generated.is_some()
    }

    /// Replaces all keys, for the next request of every caller. A key with the same name and the same hash keeps its last
    /// use.
    pub fn replace(&self, mut keys: Vec<ApiKey>) {
        if keys.is_empty() {
            keys.extend(self.generated.clone());
        }
        let present = self.keys.load();
        let known = |key: ApiKey| {
            let is_same = |known: &&Arc<KnownKey>| known.key.name == key.name && known.key.hash == key.hash;
            let last_used_ms =
                present.iter().find(is_same).map_or(0, |same| same.last_used_ms.load(Ordering::Relaxed));
            Arc::new(KnownKey { key, last_used_ms: last_used_ms.into() })
        };
        self.keys.store(Arc::new(keys.into_iter().map(known).collect()));
    }

    /// Returns the present keys, in the order of the settings.
    pub fn present(&self) -> Guard<Arc<Vec<Arc<KnownKey>>>> {
        self.keys.load()
    }

    /// Returns the API key in `Authorization`.
    ///
    /// # Errors
    /// 401 without a valid key.
    pub fn authenticate(&self, headers: &HeaderMap) -> Result<Arc<KnownKey>, Problem> {
        let mut lines = headers.get_all(AUTHORIZATION).iter();
        let line = lines.next().ok_or_else(Problem::api_key_missing)?;
        if lines.next().is_some() {
            return Err(Problem::api_key_invalid());
        }
        let text = bearer(line.as_bytes()).ok_or_else(Problem::api_key_missing)?;
        self.find(text).map_err(|refusal| match refusal {
            KeyRefusal::Unknown => Problem::api_key_invalid(),
            KeyRefusal::Expired => Problem::api_key_expired(),
        })
    }

    /// Finds the key with this text, and records its use. Every key is compared, each in constant time, so the time says
    /// nothing about the keys.
    ///
    /// # Errors
    /// Why there is no such key. A caller that sends an expired key holds it, so the answer may say that it has expired.
    pub fn find(&self, text: &[u8]) -> Result<Arc<KnownKey>, KeyRefusal> {
        let hash = ApiKey::hash_of(text);
        let keys = self.keys.load();
        let found = keys.iter().fold(None, |found, known| {
            if constant_time_eq_32(&known.key.hash, &hash) { Some(known) } else { found }
        });
        let known = found.ok_or(KeyRefusal::Unknown)?;
        let now_ms = self.clock.now_ms();
        if known.key.has_expired(now_ms) {
            if let Some(due) = self.expired.due(self.clock.boottime_ms()) {
                let key = known.name();
                tracing::warn!(key, suppressed = due.suppressed, "api key refused: it has expired");
            }
            return Err(KeyRefusal::Expired);
        }
        known.last_used_ms.store(now_ms, Ordering::Relaxed);
        Ok(known.clone())
    }

    /// Returns whether a request with a key that was found before would still be answered.
    pub fn still_open(&self, found: &KnownKey, scope: Scope) -> bool {
        let now_ms = self.clock.now_ms();
        let opens = |present: &ApiKey| {
            (&present.name, present.hash) == (&found.key.name, found.key.hash)
                && present.scopes.contains(scope)
                && !present.has_expired(now_ms)
        };
        self.keys.load().iter().any(|known| opens(&known.key))
    }

    /// Logs each key that has expired or expires soon.
    pub fn log_expiries(&self) {
        let now_ms = self.clock.now_ms();
        for key in self.keys.load().iter().map(|known| &known.key) {
            if let Some(message) = key.expiry_warning(now_ms) {
                let expires_at = key.expires_at_ms.map(timestamp_seconds);
                tracing::warn!(key = key.name, expires_at, "{message}");
            }
        }
    }
}

impl KnownKey {
    /// The name in logs, events and metrics.
    pub fn name(&self) -> &str {
        &self.key.name
    }

    /// Refuses a key that lacks one of these scopes.
    ///
    /// # Errors
    /// 403, which names the first missing scope.
    pub fn demand_all(&self, scopes: &[Scope]) -> Result<(), Problem> {
        match scopes.iter().find(|scope| !self.key.scopes.contains(**scope)) {
            Some(missing) => Err(Problem::insufficient_scope(lacks(&[*missing]))),
            None => Ok(()),
        }
    }

    /// Whether the key has one of these scopes.
    pub fn has_one_of(&self, scopes: &[Scope]) -> bool {
        scopes.iter().any(|scope| self.key.scopes.contains(*scope))
    }

    /// When a request with this key last reached this node, in milliseconds since the Unix epoch.
    pub fn last_used_ms(&self) -> Option<u64> {
        Some(self.last_used_ms.load(Ordering::Relaxed)).filter(|ms| *ms > 0)
    }
}

/// The error text for a key that has none of these scopes.
pub fn lacks(scopes: &[Scope]) -> String {
    let names: Vec<_> = scopes.iter().map(|scope| scope.name()).collect();
    format!("the API key lacks the scope {}", names.join(" or "))
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::values::Scopes;

    pub const NOW_MS: u64 = 1_800_000_000_000;

    pub fn key(name: &str, text: &str, expires_at_ms: Option<u64>) -> ApiKey {
        ApiKey {
            name: name.into(),
            scopes: Scopes::all(),
            hash: ApiKey::hash_of(text.as_bytes()),
            expires_at_ms,
        }
    }

    fn name_of(keys: &ApiKeys, text: &str) -> Result<String, KeyRefusal> {
        keys.find(text.as_bytes()).map(|known| known.name().to_owned())
    }

    #[test]
    fn a_key_is_refused_from_its_expiry_on() {
        let clock = Clock::manual(NOW_MS);
        let keys = vec![key("ever", "one", None), key("once", "two", Some(NOW_MS + 10))];
        let keys = ApiKeys::new(keys, None, clock.clone());
        assert_eq!((name_of(&keys, "one"), name_of(&keys, "two")), (Ok("ever".into()), Ok("once".into())));
        clock.advance_ms(10);
        assert_eq!(
            (name_of(&keys, "one"), name_of(&keys, "two")),
            (Ok("ever".into()), Err(KeyRefusal::Expired))
        );
        assert_eq!(name_of(&keys, "three"), Err(KeyRefusal::Unknown));
        let used: Vec<_> = keys.present().iter().map(|known| known.last_used_ms()).collect();
        assert_eq!(used, [Some(NOW_MS + 10), Some(NOW_MS)], "a refused request is no use");
    }

    #[test]
    fn a_replaced_key_keeps_its_last_use_only_if_it_is_the_same() {
        let keys =
            ApiKeys::new(vec![key("a", "one", None), key("b", "two", None)], None, Clock::manual(NOW_MS));
        let (_, _) = (name_of(&keys, "one"), name_of(&keys, "two"));
        keys.replace(vec![key("a", "one", Some(NOW_MS + 1)), key("b", "other", None), key("c", "new", None)]);
        let used: Vec<_> = keys.present().iter().map(|known| known.last_used_ms()).collect();
        assert_eq!(used, [Some(NOW_MS), None, None]);
        assert_eq!(name_of(&keys, "two"), Err(KeyRefusal::Unknown));
    }

    #[test]
    fn the_generated_key_counts_while_no_other_is_set() {
        let keys = ApiKeys::new(Vec::new(), Some(key("generated", "g", None)), Clock::manual(NOW_MS));
        assert!(name_of(&keys, "g").is_ok());
        keys.replace(vec![key("a", "one", None)]);
        assert!(name_of(&keys, "g").is_err() && name_of(&keys, "one").is_ok());
        keys.replace(Vec::new());
        assert!(name_of(&keys, "g").is_ok() && name_of(&keys, "one").is_err());
    }
}
