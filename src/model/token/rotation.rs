//! How a token's secret is replaced, and what its former secrets are worth. lua/shared/secrets.lua has the same rules.
//!
//! The first rotation opens a window of one grace: the secrets handed out before it are good until the window closes.
//! Several tabs of a browser may rotate at once, on several nodes, and the browser keeps one of the answers. So the
//! secrets handed out in one window are siblings: all of them are good until a rotation opens the next window.

use std::ops::Deref;

use crate::token_string::SecretHash;

/// A secret of a token besides the present one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PreviousSecret {
    /// Its hash.
    pub hash: SecretHash,
    /// The secret is good until this time, and then remembered as rotated out. `None` for a sibling of the present secret,
    /// which is good until the next window.
    pub until_ms: Option<u64>,
}

/// The secrets of a token besides the present one, oldest first. One pointer, because every record has this field and most
/// tokens have none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PreviousSecrets(Option<Box<SecretList>>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SecretList(Vec<PreviousSecret>);

impl PreviousSecrets {
    /// Whether there are none. Does not read the list.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

impl Deref for PreviousSecrets {
    type Target = [PreviousSecret];

    fn deref(&self) -> &Self::Target {
        self.0.as_ref().map_or(&[], |list| &list.0)
    }
}

impl From<Vec<PreviousSecret>> for PreviousSecrets {
    fn from(secrets: Vec<PreviousSecret>) -> Self {
        Self((!secrets.is_empty()).then(|| Box::new(SecretList(secrets))))
    }
}

/// The secrets that one window may hand out; another rotation in it is rejected.
pub const MAX_SIBLINGS: usize = 32;
/// The rotated-out secrets that are remembered, newest first, to tell reuse from a wrong secret.
pub const MAX_REMEMBERED_SECRETS: usize = 8;
/// The most entries of [`PreviousSecrets`]: the secrets of the last window while their grace runs, the
/// siblings of the present secret, and the remembered secrets.
pub const MAX_PREVIOUS_SECRETS: usize = MAX_SIBLINGS + (MAX_SIBLINGS - 1) + MAX_REMEMBERED_SECRETS;

/// A new secret for a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// Its hash.
    pub hash: SecretHash,
    /// The length of the window that this rotation opens. With 0 there is no window: the present secret is rotated out at
    /// once.
    pub grace_ms: u64,
}

impl PreviousSecret {
    /// Whether it opens the token at `now_ms`.
    pub fn is_good(&self, now_ms: u64) -> bool {
        self.until_ms.is_none_or(|until_ms| now_ms < until_ms)
    }
}
