//! Imports of tokens and device keys that another system issued.

use super::device_key::DeviceKey;
use super::token::Token;
use crate::foreign::{ForeignDigest, UuidDigest};

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

/// The most users whose imported device keys have the same uuid. A login without a match tries the login token on each.
pub const MAX_USERS_PER_UUID: usize = 16;

/// A device key to import.
#[derive(Clone, Debug)]
pub struct NewDeviceImport {
    /// The device key; its id is the digest's, and its secret is what the former system stored.
    pub device: DeviceKey,
    /// The digest of its uuid.
    pub digest: UuidDigest,
}

/// The outcome of one import of a device key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceImportOutcome {
    /// The device key was imported.
    Imported,
    /// The user has a device key of this uuid, or it was imported before and is removed, expired or erased by now: importing
    /// it again does not revive it.
    Exists,
    /// The user has as many device keys as allowed.
    TooManyDevices,
    /// As many users as allowed have imported device keys of this uuid.
    TooManyUsers,
}
