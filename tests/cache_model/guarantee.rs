//! The guarantee holds in every schedule tried.

use crate::cache::CacheStats;
use crate::models::*;
use crate::runs::{check, check_exhaustively};

#[test]
fn the_guarantee_holds_when_everything_happens_at_once() {
    check(storm);
    let CacheStats { hits, joins, invalidations, evictions, .. } = REACHED.get();
    let least = hits.min(joins).min(invalidations).min(evictions);
    assert!(least > 300, "the storm reaches what it is about: {:?}", REACHED.get());
}

#[test]
fn the_guarantee_holds_in_small_models() {
    [breeze, joins_only, own_revocation, moved, superseded, readers_share].into_iter().for_each(check);
}

#[test]
fn the_guarantee_holds_in_every_schedule_of_the_smallest_models() {
    [
        push_then_lease,
        null_push_then_lease,
        reconnect_then_lease,
        push_then_lease_with_a_copy,
        copy_of_an_evicted_entry,
        answer_and_push,
    ]
    .into_iter()
    .for_each(check_exhaustively);
}
