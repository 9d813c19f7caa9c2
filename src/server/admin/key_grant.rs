//! The permission under which an answer without an end continues.

use std::sync::Arc;

use super::api_keys::{ApiKeys, KnownKey};
use crate::values::Scope;

/// The API key of an answer without an end. It may be removed, may expire or may lose its scope meanwhile.
pub struct KeyGrant {
    /// The present keys.
    pub api_keys: Arc<ApiKeys>,
    /// The key of the request.
    pub key: Arc<KnownKey>,
    /// The scope that the answer needs.
    pub scope: Scope,
}

impl KeyGrant {
    /// Whether a request with the same key would still be answered.
    pub fn holds(&self) -> bool {
        self.api_keys.still_open(&self.key, self.scope)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::server::admin::api_keys::tests::{NOW_MS, key};
    use crate::values::ApiKey;

    #[test]
    fn a_grant_ends_with_its_key() {
        let clock = Clock::manual(NOW_MS);
        let keys = ApiKeys::new(
            vec![key("a", "one", None), key("b", "two", Some(NOW_MS + 10))],
            None,
            clock.clone(),
        );
        let api_keys = Arc::new(keys);
        let grant = |text: &str| {
            let key = api_keys.find(text.as_bytes()).unwrap();
            KeyGrant { api_keys: api_keys.clone(), key, scope: Scope::Events }
        };
        let (one, two) = (grant("one"), grant("two"));
        assert!(one.holds() && two.holds());
        clock.advance_ms(10);
        assert!(one.holds() && !two.holds());
        api_keys.replace(vec![key("a", "one", None)]);
        assert!(one.holds());
        api_keys
            .replace(vec![ApiKey { scopes: [Scope::Tokens].into_iter().collect(), ..key("a", "one", None) }]);
        assert!(!one.holds());
    }
}
