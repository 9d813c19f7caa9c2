//! Imports of device keys of django-auth-token.

use super::device_key::DeviceKey;
use crate::foreign::UuidDigest;

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
