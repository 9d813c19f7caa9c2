//! Named checks: what a part of a site demands of a valid token. Pure: no HTTP, no store.

use crate::model::token::TokenRecord;

/// What `/check/NAME` demands besides a valid token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Check {
    /// The name in its path: 1 to 50 of `[A-Za-z0-9_-]`.
    pub name: String,
    /// What must have authenticated the user.
    pub backend: Option<String>,
    /// What kind of token it must be.
    pub slug: Option<String>,
    /// Whether a token that waits for its second factor is refused where it would pass as nobody, with `anonymous`.
    /// As its user it never passes, with this or without: that is decided before a check is asked.
    pub second_factor: bool,
    /// Whether a request without a valid token passes as nobody. A valid one must meet the demands even so.
    pub anonymous: bool,
}

impl Check {
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
        let met = |backend, slug| Check { backend, slug, ..Check::default() }.is_met_by(&record);
        assert!(met(None, None) && met(some("ldap"), None) && met(some("ldap"), some("web")));
        assert!(!met(some("LDAP"), None) && !met(some("ldap"), some("mobile")) && !met(None, some("")));
        assert!(
            !Check { slug: some("web"), ..Check::default() }.is_met_by(&crate::model::token::tests::record())
        );
    }
}
