//! Cut-offs: "not issued before T", for all tokens, or for the tokens of a backend or of an auth slug.
//!
//! A token that was created before a cut-off that covers it is refused, however many tokens there are: the rule is judged at
//! each validation. A worker revokes these tokens for good later.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::fmt;

use super::field_rules as rules;
use super::token::TokenRecord;

/// The most cut-offs at a time: every node keeps all of them in memory.
pub const MAX_CUTOFFS: usize = 1000;

/// The tokens that a cut-off covers. Its text is the name of the cut-off.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CutoffName {
    /// `all`: every token.
    All,
    /// `backend:NAME`: the tokens of this backend.
    Backend(String),
    /// `slug:NAME`: the tokens with this auth slug.
    Slug(String),
}

impl CutoffName {
    /// Reads a name. The name of a backend may have colons.
    ///
    /// # Errors
    /// Says what the name must be.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "all" => Ok(Self::All),
            Some(("backend", name)) => {
                rules::backend(name).map_err(|problem| format!("has a backend that {problem}"))?;
                Ok(Self::Backend(name.to_owned()))
            }
            Some(("slug", name)) => {
                rules::auth_slug(name).map_err(|problem| format!("has a slug that {problem}"))?;
                Ok(Self::Slug(name.to_owned()))
            }
            _ => Err("must be all, backend:NAME or slug:NAME".into()),
        }
    }
}

impl fmt::Display for CutoffName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Backend(name) => write!(f, "backend:{name}"),
            Self::Slug(name) => write!(f, "slug:{name}"),
        }
    }
}

/// A cut-off as the store keeps it. All times are in milliseconds since the Unix epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cutoff {
    /// Which tokens it covers.
    pub name: CutoffName,
    /// A token that was created before this time is refused.
    pub before_ms: u64,
    /// When it was set, or moved to this time.
    pub created_at_ms: u64,
    /// How far the worker has come.
    pub progress: CutoffProgress,
}

impl Cutoff {
    /// The order of a listing: newest first, ties by name.
    pub fn listing_key(&self) -> (Reverse<u64>, String) {
        (Reverse(self.created_at_ms), self.name.to_string())
    }
}

/// The progress of the worker that revokes the tokens of a cut-off for good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CutoffProgress {
    /// Tokens looked at in the present walk, or in the last one.
    pub scanned: u64,
    /// Tokens revoked for this cut-off, in all walks.
    pub revoked: u64,
    /// When the walk over all tokens was finished.
    pub finished_at_ms: Option<u64>,
}

/// A step of the worker, of one cut-off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CutoffStep {
    /// The name of the cut-off.
    pub name: CutoffName,
    /// The time of the cut-off: if it was moved meanwhile, the step is not counted.
    pub before_ms: u64,
    /// Tokens looked at in this walk so far.
    pub scanned: u64,
    /// Tokens revoked since the last step.
    pub revoked: u64,
    /// Whether the walk is finished.
    pub is_last: bool,
}

/// The outcome of setting a cut-off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetCutoff {
    /// The cut-off as it is now.
    pub cutoff: Cutoff,
    /// Whether there was none of this name.
    pub is_new: bool,
}

/// All cut-offs at a time, arranged for judging tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cutoffs {
    all: Option<Cutoff>,
    backends: HashMap<String, Cutoff>,
    slugs: HashMap<String, Cutoff>,
}

impl Cutoffs {
    /// Arranges cut-offs, each with a name of its own.
    pub fn new(cutoffs: impl IntoIterator<Item = Cutoff>) -> Self {
        let mut arranged = Self::default();
        for cutoff in cutoffs {
            match &cutoff.name {
                CutoffName::All => arranged.all = Some(cutoff),
                CutoffName::Backend(name) => {
                    arranged.backends.insert(name.clone(), cutoff);
                }
                CutoffName::Slug(name) => {
                    arranged.slugs.insert(name.clone(), cutoff);
                }
            }
        }
        arranged
    }

    /// Every cut-off, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Cutoff> {
        self.all.iter().chain(self.backends.values()).chain(self.slugs.values())
    }

    /// The latest time of all cut-offs: no token that was created then or later is refused. 0 without a cut-off.
    pub fn latest_ms(&self) -> u64 {
        self.iter().map(|cutoff| cutoff.before_ms).max().unwrap_or(0)
    }

    /// Returns a cut-off that refuses this token, if there is one.
    pub fn refusing(&self, record: &TokenRecord) -> Option<&Cutoff> {
        let by_backend = record.backend().and_then(|name| self.backends.get(name));
        let by_slug = record.auth_slug().and_then(|name| self.slugs.get(name));
        let covering = [self.all.as_ref(), by_backend, by_slug];
        covering.into_iter().flatten().find(|cutoff| record.created_at_ms < cutoff.before_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::token::Texts;
    use crate::model::token::tests::record;

    fn cutoff(name: &str, before_ms: u64) -> Cutoff {
        let name = CutoffName::parse(name).unwrap();
        Cutoff { name, before_ms, created_at_ms: 0, progress: CutoffProgress::default() }
    }

    #[test]
    fn names_read_back() {
        for name in ["all", "backend:ldap", "backend:a:b c", "slug:web"] {
            assert_eq!(CutoffName::parse(name).unwrap().to_string(), name);
        }
        for bad in ["", "All", "all:", "user:x", "backend", "backend:", "slug:a b", "slug:", "backend:\n"] {
            assert!(CutoffName::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_token_is_refused_if_it_was_created_before_a_cutoff_that_covers_it() {
        let mut token = record();
        token.created_at_ms = 1_000;
        token.texts = Texts::new("alice", Some("web"), Some("ldap"), None);
        let refuses =
            |name: &str, before_ms| Cutoffs::new([cutoff(name, before_ms)]).refusing(&token).is_some();
        for name in ["all", "backend:ldap", "slug:web"] {
            assert!(refuses(name, 1_001) && !refuses(name, 1_000), "{name}");
        }
        for name in ["backend:web", "slug:ldap"] {
            assert!(!refuses(name, 9_999), "{name}");
        }
        assert_eq!(Cutoffs::new([cutoff("all", 5), cutoff("slug:web", 7)]).latest_ms(), 7);
        assert_eq!(Cutoffs::default().latest_ms(), 0);
    }
}
