//! Servers that leave the cluster, and clusters of which only the replicas are left.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::json;

use super::support::{HASTY, PATIENT, SETTINGS, TIMEOUT, issue, start, start_with, status, users};
use crate::common::cluster::{RedisCluster, node_id, state};
use crate::common::feed::FeedReader;
use crate::common::process::wait_for;
use crate::common::recovery::{
    await_passes, await_ready, await_refused, await_unavailable, await_unready, issue_soon, ready,
};
use crate::common::redis::RedisServer;
use crate::common::server::Server;
use crate::common::stop_on_drop::StopOnDrop;

#[test]
fn replicas_are_found_when_all_seeds_are_dead() {
    let mut cluster = RedisCluster::with(3, true, &HASTY);
    let (first, users) = (start(&cluster), users(&cluster));
    let live: Vec<_> = users.iter().map(|(user, _)| issue(&first, user)).collect();
    // A replica is in no list before the first write.
    for (master, replica) in cluster
        .masters
        .iter()
        .flat_map(|master| cluster.replicas.iter().map(move |replica| (master, replica.port().to_string())))
    {
        wait_for("the replica is listed", || {
            master.cli(&["CLUSTER", "SLOTS"]).lines().any(|line| line == replica).then_some(())
        });
    }
    let server = start(&cluster);
    let revoked = issue(&server, &users[0].0);
    server.revoke(&revoked["id"]);
    cluster.masters.iter().for_each(RedisServer::await_replicated);
    cluster.masters.iter_mut().for_each(RedisServer::kill);
    await_unready(&server);
    for replica in &cluster.replicas {
        replica.cli(&["CLUSTER", "FAILOVER", "TAKEOVER"]);
    }
    for replica in &cluster.replicas {
        wait_for("the cluster is fine", || (state(replica, "cluster_state") == "ok").then_some(()));
    }
    live.iter().for_each(|token| await_passes(&server, token));
    await_ready(&server);
    await_refused(&server, &revoked);
    users.iter().for_each(|(user, _)| drop(issue_soon(&server, &json!({"user": user}))));
}

#[test]
fn a_seed_of_another_cluster_is_ignored() {
    for reset in ["HARD", "SOFT"] {
        let mut cluster = RedisCluster::with(3, false, &PATIENT);
        let users = users(&cluster);
        cluster.add_master(&PATIENT);
        let server = start_with(&cluster, &[TIMEOUT]);
        let live: Vec<_> = users.iter().map(|(user, _)| issue(&server, user)).collect();
        cluster.move_away(3, reset);
        server.wait_for_log("cluster view refused");
        // Also while a master is frozen, and for a node that starts now.
        cluster.masters[0].freeze();
        await_unavailable(&server, &live[0]);
        for _ in 0..20 {
            live[1..].iter().for_each(|token| await_passes(&server, token));
            assert_eq!(status(&server, &live[0]), 503);
        }
        cluster.masters[0].thaw();
        let late = start(&cluster);
        for server in [&server, &late] {
            live.iter().for_each(|token| await_passes(server, token));
            (0..20).for_each(|n| drop(issue_soon(server, &json!({"user": format!("user-{n}")}))));
        }
        assert_eq!(cluster.masters[3].keys(), [""; 0]);
    }
}

#[test]
fn seeds_split_evenly_between_clusters_are_rejected() {
    let [one, two] = [(); 2].map(|()| RedisCluster::with(1, false, &PATIENT));
    let ports = [&one, &two].map(|cluster| format!("127.0.0.1:{}", cluster.masters[0].port()));
    let url = format!("redis+cluster://{}/", ports.join(","));
    let server = Server::start(&[&SETTINGS[..], &[("DOORWARD_REDIS_URL", &url)]].concat());
    server.wait_for_log("the seeds belong to different clusters");
    assert_eq!(ready(&server), 503);
    assert_eq!([one.masters[0].keys(), two.masters[0].keys()], [[""; 0]; 2]);
}

/// Returns the index of the master with the event connection.
fn event_master(cluster: &RedisCluster) -> usize {
    let is_it = |master: &RedisServer| {
        let clients = master.cli(&["CLIENT", "LIST"]);
        clients.lines().any(|client| client.contains(" cmd=") && !client.contains(" sub=0 "))
    };
    wait_for("a connection for events", || cluster.masters.iter().position(is_it))
}

/// Waits until the feed shows a gap and then an event of this user. The deadline is far below the clusters' node
/// timeout of a minute, after which Redis itself notices the loss.
fn assert_told(server: &Server, feed: &mut FeedReader, user: &str) {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let _over = StopOnDrop(&is_over);
        // Repeatedly, because the gap covers events from before the connection moved.
        scope.spawn(|| {
            while !is_over.load(Ordering::SeqCst) {
                issue_soon(server, &json!({"user": user}));
            }
        });
        let mut has_gap = false;
        wait_for("a gap, then an event", || {
            let (_, kind, data) = feed.event();
            has_gap |= kind == "gap";
            (has_gap && data["user"] == user).then_some(())
        });
    });
}

#[test]
fn the_feed_leaves_a_master_that_left_the_cluster() {
    let cluster = RedisCluster::with(3, false, &PATIENT);
    let server = start(&cluster);
    let users = users(&cluster);
    let at = event_master(&cluster);
    let mut feed = FeedReader::open(&server, None);
    let id = node_id(&cluster.masters[at]);
    for other in cluster.masters.iter().filter(|other| node_id(other) != id) {
        other.cli(&["CLUSTER", "FORGET", &id]);
        cluster.masters[at].cli(&["CLUSTER", "FORGET", &node_id(other)]);
    }
    assert_told(&server, &mut feed, &users[(at + 1) % 3].0);
}

#[test]
fn the_feed_leaves_a_master_cut_off_from_the_bus() {
    let cluster = RedisCluster::with_relayed_bus(&PATIENT);
    let server = start(&cluster);
    let users = users(&cluster);
    let at = event_master(&cluster);
    let mut feed = FeedReader::open(&server, None);
    // It still accepts writes, and the other masters still consider it healthy.
    cluster.bus[at].forget_flows();
    assert_told(&server, &mut feed, &users[(at + 1) % 3].0);
    assert_told_of_all(&server, &mut feed, &users);
}

/// Redis reconnects a broken bus link but does not repeat lost messages.
#[test]
fn a_broken_bus_link_causes_a_gap() {
    let cluster = RedisCluster::with_relayed_bus(&PATIENT);
    let server = start(&cluster);
    let at = event_master(&cluster);
    let mut feed = FeedReader::open(&server, None);
    cluster.bus[at].cut_flows();
    while feed.event().1 != "gap" {}
    assert_told_of_all(&server, &mut feed, &users(&cluster));
}

fn assert_told_of_all(server: &Server, feed: &mut FeedReader, users: &[(String, u16)]) {
    for (user, _) in users {
        server.issue(json!({"user": user}));
        wait_for("an event", || (feed.event().2["user"] == user.as_str()).then_some(()));
    }
}
