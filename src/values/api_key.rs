//! API keys of the admin plane and their scopes.

use std::fmt;

/// A part of the admin plane that an API key may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Scope {
    /// Tokens, and what relates them to users and objects.
    Tokens = 1,
    /// Takeovers.
    Takeovers = 2,
    /// Device keys.
    Devices = 4,
    /// Validation and introspection.
    Introspect = 8,
    /// The metrics.
    Metrics = 16,
    /// What happened: histories and the feed.
    Events = 32,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 6] =
        [Self::Tokens, Self::Takeovers, Self::Devices, Self::Introspect, Self::Metrics, Self::Events];

    /// Its name in settings and errors.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tokens => "tokens",
            Self::Takeovers => "takeovers",
            Self::Devices => "devices",
            Self::Introspect => "introspect",
            Self::Metrics => "metrics",
            Self::Events => "events",
        }
    }
}

/// A set of scopes.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Scopes(u8);

impl Scopes {
    /// Every scope.
    pub fn all() -> Self {
        Scope::ALL.into_iter().collect()
    }

    /// Whether a scope is in the set.
    pub fn contains(self, scope: Scope) -> bool {
        self.0 & scope as u8 != 0
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |bits, scope| bits | scope as u8))
    }
}

/// As the setting is written: `tokens+devices`, or `all`.
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

/// An API key of the admin plane, as far as it needs to be known here: never the key itself.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Names the key in logs and metrics.
    pub name: String,
    /// What it may be used for.
    pub scopes: Scopes,
    /// BLAKE3 of the key; compare in constant time.
    pub hash: [u8; 32],
}

impl ApiKey {
    /// BLAKE3 of a key. Keys are long and random, so a plain hash is as hard to turn back as a slow one.
    pub fn hash_of(key: &[u8]) -> [u8; 32] {
        *blake3::hash(key).as_bytes()
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKey({}:{}:***)", self.name, self.scopes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_a_set() {
        let scopes: Scopes = [Scope::Devices, Scope::Tokens, Scope::Tokens].into_iter().collect();
        assert_eq!(scopes.to_string(), "tokens+devices");
        assert!(scopes.contains(Scope::Devices) && !scopes.contains(Scope::Metrics));
        assert_eq!(Scopes::all().to_string(), "all");
        assert_eq!(Scopes::default().to_string(), "");
    }
}
