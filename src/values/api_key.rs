//! API keys of the admin plane and their scopes.

use std::fmt;

use super::timestamp::timestamp_seconds;

use crate::named_enum::named_enum;

/// A key that expires within 14 days is reported, and so is a certificate.
pub const EXPIRES_SOON_MS: u64 = 14 * 24 * 60 * 60 * 1000;

named_enum! {
    /// A part of the admin plane that an API key may use.
    #[repr(u8)]
    pub enum Scope {
        /// Tokens, with their users and related objects.
        Tokens = 1 => "tokens",
        /// Takeovers.
        Takeovers = 2 => "takeovers",
        /// Device keys.
        Devices = 4 => "devices",
        /// Validation and introspection.
        Introspect = 8 => "introspect",
        /// The metrics.
        Metrics = 16 => "metrics",
        /// The event history and the event feed.
        Events = 32 => "events",
        /// The import of another system's sessions.
        Import = 64 => "import",
    }
}

/// A set of scopes.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Scopes(u8);

impl Scopes {
    /// Returns the set of all scopes.
    pub fn all() -> Self {
        Scope::ALL.into_iter().collect()
    }

    /// Returns whether the set contains a scope.
    pub fn contains(self, scope: Scope) -> bool {
        self.0 & scope as u8 != 0
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |bits, scope| bits | scope as u8))
    }
}

/// In the form of the setting: `tokens+devices`, or `all`.
impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::all() {
            return f.write_str("all");
        }
        let names: Vec<_> =
            Scope::ALL.into_iter().filter(|scope| self.contains(*scope)).map(Scope::name).collect();
        f.write_str(&names.join("+"))
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scopes({self})")
    }
}

/// An API key of the admin plane: its name, its scopes and its hash, but not the key itself.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// The name of the key in logs and metrics.
    pub name: String,
    /// The scopes of the key.
    pub scopes: Scopes,
    /// The BLAKE3 hash of the key. Compare it in constant time.
    pub hash: [u8; 32],
    /// The time from which the key is refused, in milliseconds since the Unix epoch.
    pub expires_at_ms: Option<u64>,
}

impl ApiKey {
    /// Returns the BLAKE3 hash of a key. Keys are long and random, so a fast hash is as hard to invert as a slow one.
    pub fn hash_of(key: &[u8]) -> [u8; 32] {
        *blake3::hash(key).as_bytes()
    }

    /// Returns what an operator should know about the expiry of the key: a constant message, or `None` if the key does not
    /// expire soon.
    pub fn expiry_warning(&self, now_ms: u64) -> Option<&'static str> {
        let expires_at_ms = self.expires_at_ms?;
        if self.has_expired(now_ms) {
            Some("api key has expired")
        } else {
            (expires_at_ms - now_ms <= EXPIRES_SOON_MS).then_some("api key expires soon")
        }
    }

    /// Returns whether the key is refused at this time because it has expired.
    pub fn has_expired(&self, now_ms: u64) -> bool {
        self.expires_at_ms.is_some_and(|expires_at_ms| expires_at_ms <= now_ms)
    }
}

/// In the form of the setting, without the hash: `NAME:SCOPES:***` or `NAME:SCOPES:***:expires=2027-01-31T00:00:00Z`.
impl fmt::Display for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:***", self.name, self.scopes)?;
        match self.expires_at_ms {
            Some(expires_at_ms) => write!(f, ":expires={}", timestamp_seconds(expires_at_ms)),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKey({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_expires_soon_is_reported() {
        let warning = |expires_at_ms| {
            let key = ApiKey { name: "ci".into(), scopes: Scopes::all(), hash: [0; 32], expires_at_ms };
            key.expiry_warning(1000)
        };
        assert_eq!([None, Some(1001 + EXPIRES_SOON_MS)].map(warning), [None, None]);
        assert_eq!(
            [1000 + EXPIRES_SOON_MS, 1001].map(|at| warning(Some(at))),
            [Some("api key expires soon"); 2]
        );
        assert_eq!([1000, 999, 0].map(|at| warning(Some(at))), [Some("api key has expired"); 3]);
    }

    #[test]
    fn scopes_are_a_set_with_a_name() {
        let scopes: Scopes = [Scope::Devices, Scope::Tokens, Scope::Tokens].into_iter().collect();
        assert_eq!(scopes.to_string(), "tokens+devices");
        assert!(scopes.contains(Scope::Devices) && !scopes.contains(Scope::Metrics));
        assert_eq!(Scopes::all().to_string(), "all");
        assert_eq!(Scopes::default().to_string(), "");
    }
}
