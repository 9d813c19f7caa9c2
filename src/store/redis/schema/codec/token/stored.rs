//! The packed forms of the fields of a token.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

// Field `f`: flags.
pub(crate) const ACTIVE: u32 = 1;
pub(crate) const ALLOWED_COOKIE: u32 = 2;
pub(crate) const ALLOWED_HEADER: u32 = 4;
pub(crate) const EXPIRATION: u32 = 8;
pub(crate) const PENDING: u32 = 16;
pub(crate) const LOCKED: u32 = 32;

/// Whether these flags are of a token that is not revoked.
pub(crate) fn is_active(flags: u32) -> bool {
    flags & ACTIVE != 0
}

pub(crate) const HASH_BYTES: usize = 16;

/// Field `p`: a hash and a deadline.
pub(crate) const PREVIOUS_BYTES: usize = HASH_BYTES + 13;

/// Field `p`: the deadline of a sibling.
pub(crate) const SIBLING: u64 = 0;

/// Field `i`.
#[derive(Serialize, Deserialize)]
pub(crate) struct Terms<'a> {
    pub(crate) idle_ms: u64,
    pub(crate) ends_at_ms: u64,
    pub(crate) backend: Option<&'a str>,
}

/// Field `z`.
#[derive(Serialize, Deserialize)]
pub(crate) struct Cold<'a> {
    pub(crate) ip: IpAddr,
    /// The user agent in its stored form.
    pub(crate) user_agent: String,
    /// Native tokens do not have it, so earlier versions wrote the same bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) origin: Option<&'a str>,
}
