//! Imports of tokens that another system issued.

use super::token::Token;
use crate::foreign::ForeignDigest;

/// The most tokens that one import takes.
pub const MAX_IMPORTS: usize = 1000;
/// The largest body of a call that imports tokens: as many, with long user agents.
pub const MAX_IMPORT_BYTES: usize = 4 * 1024 * 1024;

/// A token to import.
#[derive(Clone, Debug)]
pub struct NewImport {
    /// The token; its id and the hash of its secret follow from the digest.
    pub token: Token,
    /// The digest of the string that its holder has.
    pub digest: ForeignDigest,
}

/// The outcome of one import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportOutcome {
    /// The token was imported.
    Imported,
    /// The token was imported before. It may be revoked, expired or erased by now: importing it again does not revive it.
    Exists,
    /// The foreign token was imported for another user.
    OtherUser,
    /// The user is locked.
    UserLocked,
    /// The user has as many tokens as allowed. An import revokes no other token.
    TooManyTokens,
    /// A related object has as many tokens as allowed.
    ObjectFull,
}
