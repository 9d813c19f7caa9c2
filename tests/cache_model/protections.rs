//! If any one of its protections is missing, the cache breaks its guarantee, and the model detects it.

use crate::models::*;
use crate::runs::check_without;

#[test]
#[should_panic(expected = "P2")]
fn the_model_detects_a_lease_that_is_not_checked() {
    check_without("lease", breeze);
}

#[test]
#[should_panic(expected = "P2")]
fn the_model_detects_that_a_lost_connection_invalidates_nothing() {
    check_without("epoch", reconnect_then_lease);
}

#[test]
#[should_panic(expected = "P2")]
fn the_model_detects_that_a_null_push_invalidates_nothing() {
    check_without("epoch", null_push_then_lease);
}

#[test]
#[should_panic(expected = "P1")]
fn the_model_detects_that_a_cancelled_ticket_fills_the_cache() {
    check_without("ticket", answer_and_push);
}

#[test]
#[should_panic(expected = "P1")]
fn the_model_detects_that_a_cancelled_flight_is_joined() {
    check_without("cancel", joins_only);
}

#[test]
#[should_panic(expected = "P1")]
fn the_model_detects_that_a_flight_of_an_earlier_epoch_is_joined() {
    check_without("join_epoch", joins_only);
}

#[test]
#[should_panic(expected = "P2")]
fn the_model_detects_that_an_old_flight_is_joined() {
    check_without("join_age", storm);
}

#[test]
#[should_panic(expected = "P1")]
fn the_model_detects_that_a_node_keeps_entries_it_revoked_itself() {
    check_without("own_invalidation", own_revocation);
}

#[test]
#[should_panic(expected = "P2")]
fn the_model_detects_that_another_masters_answer_is_cached() {
    check_without("answered_by", moved);
}

#[test]
#[should_panic(expected = "P2")]
fn the_model_detects_that_an_old_connection_extends_the_lease() {
    check_without("connection", superseded);
}

#[test]
#[should_panic(expected = "P2")]
fn the_model_detects_that_a_heartbeat_overtakes_a_push() {
    check_without("order", breeze);
}

#[test]
#[should_panic(expected = "P2")]
fn the_model_detects_that_a_copy_is_served_after_a_push_and_a_lease() {
    check_without("generation", push_then_lease_with_a_copy);
}

#[test]
#[should_panic(expected = "P2")]
fn the_model_detects_that_the_generation_is_read_before_the_lease() {
    check_without("generation_last", push_then_lease_with_a_copy);
}

#[test]
#[should_panic(expected = "P1")]
fn the_model_detects_that_an_invalidation_ends_no_copies() {
    check_without("generation_grows", own_revocation);
}

#[test]
#[should_panic(expected = "P1")]
fn the_model_detects_that_an_eviction_ends_no_copies() {
    check_without("generation_grows", copy_of_an_evicted_entry);
}
