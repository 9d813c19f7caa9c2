//! Route checks: what a part of a site demands of a valid token.

use crate::model::token::TokenRecord;

/// A route check: what `/check/NAME` demands besides a valid token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteCheck {
    /// The name in its path: 1 to 50 of `[A-Za-z0-9_-]`.
    pub name: String,
    /// One of these backends must have authenticated the user; empty for any.
    pub backends: Vec<String>,
    /// The token must have one of these auth slugs; empty for any.
    pub slugs: Vec<String>,
    /// The token must have all of these scopes.
    pub scopes: Vec<String>,
    /// The login must not be longer ago than this.
    pub max_age_ms: Option<u64>,
    /// Whether a request that passes counts as access and renews its token.
    pub renew: bool,
    /// Whether a token that waits for its second factor is refused instead of passing as the anonymous token. It never passes
    /// as its user: that is decided before the route check.
    pub second_factor: bool,
    /// Whether a request without a valid token passes as the anonymous token. A valid token must meet the demands even so.
    pub anonymous: bool,
}

impl RouteCheck {
    /// The route check of this name that demands nothing.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            backends: Vec::new(),
            slugs: Vec::new(),
            scopes: Vec::new(),
            max_age_ms: None,
            renew: true,
            second_factor: false,
            anonymous: false,
        }
    }

    /// Whether a valid token meets the demands at this time.
    pub fn is_met_by(&self, record: &TokenRecord, now_ms: u64) -> bool {
        let is_one_of = |allowed: &[String], field: Option<&str>| {
            allowed.is_empty() || field.is_some_and(|field| allowed.iter().any(|one| one == field))
        };
        is_one_of(&self.backends, record.backend())
            && is_one_of(&self.slugs, record.auth_slug())
            && self.scopes.iter().all(|scope| record.scopes().any(|has| has == scope))
            && self.max_age_ms.is_none_or(|max_ms| now_ms.saturating_sub(record.created_at_ms) <= max_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::token::Texts;

    #[test]
    fn every_demand_must_be_met() {
        let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
        let record = TokenRecord {
            texts: Texts::new("alice", Some("web"), Some("ldap"), None).with_scopes(Some("read write")),
            created_at_ms: 1_000,
            ..crate::model::token::tests::record()
        };
        let bare = crate::model::token::tests::record();
        let any = || RouteCheck::named("any");
        let met = |check: RouteCheck| check.is_met_by(&record, 2_000);
        assert!(met(any()) && any().is_met_by(&bare, 0));
        assert!(met(RouteCheck { backends: texts(&["saml", "ldap"]), slugs: texts(&["web"]), ..any() }));
        assert!(!met(RouteCheck { backends: texts(&["LDAP"]), ..any() }));
        assert!(!met(RouteCheck { backends: texts(&["ldap"]), slugs: texts(&["mobile", "tv"]), ..any() }));
        assert!(!RouteCheck { slugs: texts(&["web"]), ..any() }.is_met_by(&bare, 0));
        assert!(met(RouteCheck { scopes: texts(&["write", "read"]), ..any() }));
        assert!(!met(RouteCheck { scopes: texts(&["read", "admin"]), ..any() }));
        assert!(!met(RouteCheck { scopes: texts(&["rea"]), ..any() }));
        assert!(!RouteCheck { scopes: texts(&["read"]), ..any() }.is_met_by(&bare, 0));
        let max_age = |ms| RouteCheck { max_age_ms: Some(ms), ..any() };
        assert!(met(max_age(1_000)) && !met(max_age(999)));
        // A clock that steps back makes no login too old.
        assert!(max_age(0).is_met_by(&record, 500));
    }
}
