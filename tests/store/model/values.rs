//! The values used in histories: few, so that operations interact.

use doorward::internals::model::token::RelatedObject;
use doorward::internals::store::StoreLimits;

use crate::common::store::{HOUR_MS, MINUTE_MS};

pub const USERS: [&str; 3] = ["alice", "bob}:{", "ü"];

/// The names of cut-offs.
pub const CUTOFFS: [&str; 3] = ["all", "backend:ü", "slug:s"];
pub const UUIDS: [&str; 3] = ["phone", "é", "-="];

/// Foreign strings to import.
pub const STRINGS: [&str; 3] = ["a", "b", "c"];

pub const OBJECTS: [&str; 2] = ["7", "ü"];

/// Low, so that logins evict older tokens, and revoked tokens outlive some live ones but not others.
pub const LIMITS: StoreLimits = StoreLimits {
    revoked_retention_ms: HOUR_MS,
    // Longer than the lifetime of some tokens.
    stale_grace_ms: 20 * MINUTE_MS,
    max_tokens_per_user: 3,
    max_devices_per_user: 2,
    // Keeps all of them: the events of one step are unordered, so the stores might prune different ones.
    events_per_user: 10_000,
    // Some takeovers are pruned within a case.
    takeover_retention_ms: HOUR_MS / 2,
    ..crate::common::store::LIMITS
};

pub fn object(n: usize) -> RelatedObject {
    RelatedObject { content_type: "order".into(), object_id: OBJECTS[n].into() }
}
