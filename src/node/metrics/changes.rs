//! The changes that this node has acknowledged, and the live feed.

use std::fmt;

use prometheus_client::encoding::DescriptorEncoder;

use super::encode::{counter, counters};
use crate::model::revoke_reason::RevokeReason;
use crate::store::Store;

/// The reasons for which tokens are revoked.
pub const OF_TOKENS: [RevokeReason; 10] = [
    RevokeReason::Logout,
    RevokeReason::Ended,
    RevokeReason::AllOfUser,
    RevokeReason::Limit,
    RevokeReason::Reuse,
    RevokeReason::Device,
    RevokeReason::Related,
    RevokeReason::Revoked,
    RevokeReason::Erased,
    RevokeReason::Cutoff,
];
/// The reasons for which calls, and the worker that ends them all, end takeovers.
const OF_TAKEOVERS: [RevokeReason; 4] =
    [RevokeReason::Logout, RevokeReason::Ended, RevokeReason::Erased, RevokeReason::TakeoversOff];

/// Encodes the counters of the store.
pub(super) fn encode(store: &Store, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let (changes, feed) = (store.changes(), store.feed().stats());
    for (name, help, count) in [
        ("tokens_issued", "Tokens issued by this node, device logins included.", changes.issued.get()),
        ("tokens_imported", "Tokens of other systems imported by this node.", changes.imported.get()),
        ("tokens_rotated", "Tokens that got a new secret from this node.", changes.rotated.get()),
        ("takeovers_started", "Takeovers started by this node.", changes.takeovers_started.get()),
        ("device_logins", "Logins by device keys at this node.", changes.device_logins.get()),
        (
            "device_login_refusals",
            "Refused logins by device keys at this node.",
            changes.device_refusals.get(),
        ),
        ("feed_events", "Events of all nodes that reached this node's live feed.", feed.events),
        (
            "feed_gaps",
            "Gaps in the live feed: events may be missing. The first connection counts.",
            feed.gaps,
        ),
        ("feed_missed_events", "Entries dropped before a lagging reader read them.", feed.missed),
    ] {
        counter(encoder, name, help, count)?;
    }
    let about = ("tokens_revoked", "Tokens revoked by this node, by reason.");
    let revoked =
        changes.revoked.counts(&OF_TOKENS).map(|(reason, count)| ([("reason", reason.name())], count));
    counters(encoder, about, revoked)?;
    let about = ("takeovers_ended", "Takeovers ended by calls to this node, by reason.");
    let ended = changes.takeovers_ended.counts(&OF_TAKEOVERS);
    counters(encoder, about, ended.map(|(reason, count)| ([("reason", reason.name())], count)))
}
