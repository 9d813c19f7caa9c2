//! How a token's secret is replaced, and what its former secrets are worth. lua/shared/secrets.lua has the same rules.
//!
//! The first rotation opens a window of one grace: the secrets handed out before it are good until the window closes.
//! Several tabs of a browser may rotate at once, on several nodes, and the browser keeps one of the answers. So the
//! secrets handed out in one window are siblings: all of them are good until a rotation opens the next window.

use std::ops::Deref;

use crate::token_string::SecretHash;

/// A secret of a token besides its present one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PreviousSecret {
    /// Its hash.
    pub hash: SecretHash,
    /// It is good while the clock is before this, and then remembered as rotated out. `None` for a sibling of the
    /// present secret, which is good until the next window.
    pub until_ms: Option<u64>,
}

/// A token's secrets besides its present one, oldest first. One pointer, because every record has room for it: most tokens
/// have none, and the present secret is found without them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PreviousSecrets(Option<Box<Several>>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Several(Vec<PreviousSecret>);

impl PreviousSecrets {
    /// Whether there are none; does not look at them.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

impl Deref for PreviousSecrets {
    type Target = [PreviousSecret];

    fn deref(&self) -> &Self::Target {
        self.0.as_ref().map_or(&[], |several| &several.0)
    }
}

impl From<Vec<PreviousSecret>> for PreviousSecrets {
    fn from(secrets: Vec<PreviousSecret>) -> Self {
        Self((!secrets.is_empty()).then(|| Box::new(Several(secrets))))
    }
}

/// The secrets that one window may hand out; another rotation in it is refused.
pub const MAX_SIBLINGS: usize = 32;
/// The rotated-out secrets that are remembered, so that reuse can be told from a forged secret. The oldest go first.
pub const MAX_REMEMBERED_SECRETS: usize = 8;
/// The entries that [`TokenRecord::previous`] has at most: the secrets of the last window while their grace runs, the
/// siblings of the present secret, and the remembered secrets.
pub const MAX_PREVIOUS_SECRETS: usize = MAX_SIBLINGS + (MAX_SIBLINGS - 1) + MAX_REMEMBERED_SECRETS;

/// A new secret for a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// Its hash.
    pub hash: SecretHash,
    /// How long the window is that this rotation opens; with 0 there is none, and the present secret is rotated out at
    /// once.
    pub grace_ms: u64,
}

impl PreviousSecret {
    /// Whether it opens the token at `now_ms`.
    pub fn is_good(&self, now_ms: u64) -> bool {
        self.until_ms.is_none_or(|until_ms| now_ms < until_ms)
    }
}
