//! Route checks: what a part of a site demands of a valid token.

use crate::model::token::TokenRecord;

/// A route check: what `/check/NAME` demands besides a valid token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteCheck {
    /// The name in its path: 1 to 50 of `[A-Za-z0-9_-]`.
    pub name: String,
    /// The backend that must have authenticated the user.
    pub backend: Option<String>,
    /// The auth slug that the token must have.
    pub slug: Option<String>,
    /// Whether a token that waits for its second factor is refused instead of passing as the anonymous token. It never passes
    /// as its user: that is decided before the route check.
    pub second_factor: bool,
    /// Whether a request without a valid token passes as the anonymous token. A valid token must meet the demands even so.
    pub anonymous: bool,
}

impl RouteCheck {
    /// Whether a valid token meets the demands.
    pub fn is_met_by(&self, record: &TokenRecord) -> bool {
        let meets =
            |demand: &Option<String>, field: Option<&str>| demand.is_none() || demand.as_deref() == field;
        meets(&self.backend, record.backend()) && meets(&self.slug, record.auth_slug())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::token::Texts;

    #[test]
    fn every_demand_must_be_met() {
        let some = |text: &str| Some(text.to_owned());
        let record = TokenRecord {
            texts: Texts::new("alice", Some("web"), Some("ldap"), None),
            ..crate::model::token::tests::record()
        };
        let met = |backend, slug| RouteCheck { backend, slug, ..RouteCheck::default() }.is_met_by(&record);
        assert!(met(None, None) && met(some("ldap"), None) && met(some("ldap"), some("web")));
        assert!(!met(some("LDAP"), None) && !met(some("ldap"), some("mobile")) && !met(None, some("")));
        assert!(
            !RouteCheck { slug: some("web"), ..RouteCheck::default() }
                .is_met_by(&crate::model::token::tests::record())
        );
    }
}
