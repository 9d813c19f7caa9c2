//! One short run of each fault.

use crate::fault::Fault;
use crate::lossy::Lossy;
use crate::run::check;

#[test]
fn when_nothing_fails() {
    check(Fault::Nothing);
}

#[test]
fn when_the_tracking_connection_is_killed() {
    check(Fault::TrackingKilled);
}

#[test]
fn when_all_connections_are_killed() {
    check(Fault::AllKilled);
}

#[test]
fn when_redis_is_frozen() {
    check(Fault::RedisFrozen);
}

#[test]
fn when_redis_restarts() {
    check(Fault::RedisRestarted);
}

#[test]
fn when_redis_is_flushed() {
    check(Fault::Flushed);
}

#[test]
fn when_the_redis_user_loses_permissions() {
    check(Fault::Restricted);
}

#[test]
fn when_the_link_is_silent() {
    check(Fault::LinkSilent);
}

#[test]
fn when_the_link_to_redis_is_silent() {
    check(Fault::LinkSilentToRedis);
}

#[test]
fn when_the_link_from_redis_is_silent() {
    check(Fault::LinkSilentToNode);
}

#[test]
fn when_the_tracking_connection_is_silent() {
    check(Fault::TrackingSilent);
}

#[test]
fn when_the_link_is_slow() {
    check(Fault::LinkDelayed);
}

#[test]
fn when_the_link_is_cut() {
    check(Fault::LinkCut);
}

#[test]
fn when_a_node_is_frozen() {
    check(Fault::NodeFrozen);
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "libfaketime")]
fn when_the_system_clock_of_a_node_jumps() {
    check(Fault::NodeClockJumps);
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "libfaketime")]
fn when_the_clock_of_redis_jumps() {
    check(Fault::StoreClockJumps);
}

#[test]
fn when_a_demoted_master_still_answers() {
    check(Fault::MasterDemoted);
}

#[test]
fn when_a_minority_of_sentinels_names_the_former_master() {
    check(Fault::SentinelMinority);
}

#[test]
fn when_a_seed_belongs_to_another_cluster() {
    check(Fault::ClusterForeignSeed);
}

#[test]
fn when_the_tracking_connections_of_a_cluster_are_killed() {
    check(Fault::ClusterTrackingKilled);
}

#[test]
fn when_a_master_of_a_cluster_is_frozen() {
    check(Fault::ClusterMasterFrozen);
}

#[test]
fn when_replicas_of_a_cluster_take_over() {
    check(Fault::ClusterFailover);
}

#[test]
fn when_cluster_slots_move() {
    check(Fault::ClusterSlotsMove);
}

#[test]
fn when_a_stale_replica_is_promoted() {
    check(Fault::Lossy(Lossy::Failover));
}

#[test]
fn when_a_stale_replica_is_promoted_and_a_node_is_killed() {
    check(Fault::Lossy(Lossy::FailoverAndNode));
}

#[test]
fn when_stale_replicas_are_promoted_twice() {
    check(Fault::Lossy(Lossy::FailoverTwice));
}

#[test]
fn when_a_stale_replica_of_a_cluster_takes_over() {
    check(Fault::Lossy(Lossy::ClusterFailover));
}

#[test]
fn when_a_stale_replica_of_a_cluster_takes_over_and_a_node_is_killed() {
    check(Fault::Lossy(Lossy::ClusterFailoverAndNode));
}

#[test]
fn when_the_end_of_the_append_only_file_is_lost() {
    check(Fault::Lossy(Lossy::Crash));
}

#[test]
fn when_the_end_of_the_append_only_file_is_lost_and_a_node_is_killed() {
    check(Fault::Lossy(Lossy::CrashAndNode));
}
