//! API keys of the admin plane and their scopes.

use std::fmt;

/// A part of the admin plane that an API key may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Scope {
    /// Tokens, with their users and related objects.
    Tokens = 1,
    /// Takeovers.
    Takeovers = 2,
    /// Device keys.
    Devices = 4,
    /// Validation and introspection.
    Introspect = 8,
    /// The metrics.
    Metrics = 16,
    /// The event history and the event feed.
    Events = 32,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 6] =
        [Self::Tokens, Self::Takeovers, Self::Devices, Self::Introspect, Self::Metrics, Self::Events];

    /// Returns the name in settings and errors.
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
}

impl ApiKey {
    /// Returns the BLAKE3 hash of a key. Keys are long and random, so a fast hash is as hard to invert as a slow one.
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
    fn scopes_are_a_set_with_a_name() {
        let scopes: Scopes = [Scope::Devices, Scope::Tokens, Scope::Tokens].into_iter().collect();
        assert_eq!(scopes.to_string(), "tokens+devices");
        assert!(scopes.contains(Scope::Devices) && !scopes.contains(Scope::Metrics));
        assert_eq!(Scopes::all().to_string(), "all");
        assert_eq!(Scopes::default().to_string(), "");
    }
}
