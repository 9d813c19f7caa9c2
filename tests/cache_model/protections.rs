//! Without any one of its protections the cache breaks its promise, and the model notices.

use crate::models::*;
use crate::runs::check_without;

#[test]
#[should_panic(expected = "P2")]
fn the_model_notices_that_the_lease_is_not_checked() {
    check_without("lease", breeze);
}

#[test]
#[should_panic(expected = "P2")]
fn the_model_notices_that_a_lost_connection_voids_nothing() {
    check_without("epoch", reconnect_then_lease);
}

#[test]
#[should_panic(expected = "P2")]
fn the_model_notices_that_a_null_push_voids_nothing() {
    check_without("epoch", null_push_then_lease);
}

#[test]
#[should_panic(expected = "P1")]
fn the_model_notices_that_a_void_ticket_is_cached() {
    check_without("ticket", answer_and_push);
}

#[test]
#[should_panic(expected = "P1")]
fn the_model_notices_that_a_void_read_is_joined() {
    check_without("cancel", joins_only);
}

#[test]
#[should_panic(expected = "P1")]
fn the_model_notices_that_a_read_of_a_former_epoch_is_joined() {
    check_without("join_epoch", joins_only);
}

#[test]
#[should_panic(expected = "P2")]
fn the_model_notices_that_an_old_read_is_joined() {
    check_without("join_age", storm);
}

#[test]
#[should_panic(expected = "P1")]
fn the_model_notices_that_the_node_does_not_void_what_it_ends() {
    check_without("own_invalidation", own_ending);
}

#[test]
#[should_panic(expected = "P2")]
fn the_model_notices_that_another_servers_answer_is_cached() {
    check_without("answered_by", moved);
}

#[test]
#[should_panic(expected = "P2")]
fn the_model_notices_that_an_old_connection_moves_the_lease() {
    check_without("connection", superseded);
}

#[test]
#[should_panic(expected = "P2")]
fn the_model_notices_that_a_heartbeat_overtakes_a_push() {
    check_without("order", breeze);
}
