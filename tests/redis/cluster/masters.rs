//! Masters that are killed, frozen or replaced.

use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::support::*;
use crate::common::cluster::RedisCluster;
use crate::common::process::wait_for;
use crate::common::recovery::{
    await_heard, await_passes, await_ready, await_refused, await_unavailable, await_unready, issue_soon,
    ready, revoke_soon,
};
use crate::common::server::{Server, assert_invalid_token, assert_unavailable, identity};
use crate::redis::nodes::faults_of;

#[test]
fn two_nodes_share_a_cluster() {
    let cluster = RedisCluster::with(3, false, &PATIENT);
    let (first, second) = (start(&cluster), start(&cluster));
    for (user, _) in users(&cluster) {
        let tokens: Vec<_> = (0..3).map(|_| issue(&first, &user)).collect();
        for token in &tokens {
            for server in [&first, &second] {
                assert_eq!(identity(&server.auth(&token["token"]))[0], user);
            }
        }
        second.revoke(&tokens[0]["id"]);
        assert_invalid_token(&second.auth(&tokens[0]["token"]));
        await_heard(&first, &tokens[0]);
        let all = first.call("DELETE", &format!("/v1/users/{user}/tokens"), None);
        assert_eq!(all.json()["revoked"], 2);
        tokens.iter().for_each(|token| await_heard(&second, token));
    }
    // Pipelines have one slot each, whatever the users.
    let tokens: Vec<_> = (0..50).map(|n| issue(&first, &format!("many-{n}"))).collect();
    thread::sleep(Duration::from_millis(5));
    tokens.iter().for_each(|token| assert_eq!(status(&first, token), 200));
    for token in &tokens {
        wait_for("the access is written", || {
            (first.token(&token["id"])["last_access"] != token["created_at"]).then_some(())
        });
    }
}

#[test]
fn the_redis_login_is_used_on_every_master() {
    let cluster = RedisCluster::with(3, false, &PATIENT);
    let login = |password: &str| cluster.url_of(&format!("doorward:{password}@"));
    for master in &cluster.masters {
        master.cli(&["ACL", "SETUSER", "doorward", "on", "resetpass", ">p@ss"]);
    }
    let server = Server::start(&[&SETTINGS[..], &[("DOORWARD_REDIS_URL", &login("p%40ss"))]].concat());
    await_ready(&server);
    for (user, _) in users(&cluster) {
        let token = issue(&server, &user);
        assert_eq!(identity(&server.auth(&token["token"]))[0], user);
    }
    let stranger = Server::start(&[&SETTINGS[..], &[("DOORWARD_REDIS_URL", &login("wrong"))]].concat());
    assert_eq!(ready(&stranger), 503);
    assert_eq!(faults_of(&stranger)[0]["kind"], "login", "{}", stranger.log());
    // Refused before and after the masters are known.
    for rules in ["-cluster", "+cluster -publish"] {
        cluster.masters.iter().for_each(|master| master.set_user(&rules.split(' ').collect::<Vec<_>>()));
        let restricted =
            Server::start(&[&SETTINGS[..], &[("DOORWARD_REDIS_URL", &login("p%40ss"))]].concat());
        assert_eq!(ready(&restricted), 503);
        let found = faults_of(&restricted);
        let named = ["CLUSTER|INFO,CLUSTER|LINKS,CLUSTER|MYID,CLUSTER|SLOTS", "PUBLISH"].map(Value::from);
        assert_eq!(found.len(), cluster.masters.len(), "{found:?}");
        assert!(found.iter().all(|fault| named.contains(&fault["command"])), "{found:?}");
    }
}

#[test]
fn cached_tokens_need_no_master() {
    let cluster = RedisCluster::with(3, false, &PATIENT);
    let server = start(&cluster);
    let tokens: Vec<_> = users(&cluster).iter().map(|(user, _)| issue(&server, user)).collect();
    let reads = || -> u64 {
        let calls = |master: &crate::common::redis::RedisServer| {
            let text = master.cli(&["INFO", "commandstats"]);
            let line =
                text.lines().find_map(|line| line.strip_prefix("cmdstat_hmget:calls=")?.split(',').next());
            line.map_or(0, |calls| calls.parse::<u64>().unwrap())
        };
        cluster.masters.iter().map(calls).sum()
    };
    // The script that writes accesses uses HMGET, too.
    let before = reads();
    for token in &tokens {
        wait_for("known", || {
            let before = reads();
            (0..5).for_each(|_| assert_eq!(status(&server, token), 200));
            (reads() == before).then_some(())
        });
    }
    assert!(reads() > before);
}

#[test]
fn a_killed_master_affects_only_its_own_tokens() {
    let mut cluster = RedisCluster::with(3, false, &PATIENT);
    let url = cluster.url();
    // Otherwise a starting node needs the master that stores the token key.
    let keys = ("DOORWARD_TOKEN_KEYS", "token-keys-of-the-tests-0123456789ab");
    let settings = [&SETTINGS[..], &[("DOORWARD_REDIS_URL", &url), keys]].concat();
    let server = Server::start(&settings);
    await_ready(&server);
    let users = users(&cluster);
    let tokens: Vec<_> = users.iter().map(|(user, _)| issue(&server, user)).collect();
    tokens.iter().for_each(|token| await_passes(&server, token));
    let [dead, alive @ ..] = &tokens[..] else { panic!("three masters") };
    cluster.masters[0].kill();
    await_unready(&server);
    await_unavailable(&server, dead);
    for _ in 0..20 {
        assert_unavailable(&server.auth(&dead["token"]));
        for (token, (user, _)) in alive.iter().zip(&users[1..]) {
            assert_eq!(identity(&server.auth(&token["token"]))[0], user);
            assert_eq!(status(&server, &issue(&server, user)), 200);
        }
    }
    let body = json!({"user": users[0].0, "ip": "203.0.113.7"});
    assert_eq!(server.call("POST", "/v1/tokens", Some(&body)).status, 503);
    server.revoke(&alive[0]["id"]);
    assert_invalid_token(&server.auth(&alive[0]["token"]));
    // A node that starts now behaves alike.
    let late = Server::start(&settings);
    await_passes(&late, &alive[1]);
    assert_unavailable(&late.auth(&dead["token"]));

    cluster.masters[0].restart();
    await_ready(&server);
    issue_soon(&server, &json!({"user": users[0].0}));
}

/// The accesses and renewals of the other masters' tokens are still written.
#[test]
fn a_frozen_master_does_not_delay_the_others() {
    let cluster = RedisCluster::with(3, false, &PATIENT);
    let server = start_with(&cluster, &[TIMEOUT]);
    let users = users(&cluster);
    let tokens: Vec<_> = users.iter().map(|(user, _)| issue(&server, user)).collect();
    // Cached and accessed, so that each flush has something to write to the frozen master.
    (0..20).for_each(|_| tokens.iter().for_each(|token| await_passes(&server, token)));
    cluster.masters[0].freeze();
    await_unavailable(&server, &tokens[0]);
    for (token, (user, _)) in tokens.iter().zip(&users).skip(1) {
        let fresh = issue(&server, user);
        for _ in 0..5 {
            assert_unavailable(&server.auth(&tokens[0]["token"]));
            assert_eq!([status(&server, token), status(&server, &fresh)], [200, 200]);
        }
        server.revoke(&fresh["id"]);
        assert_invalid_token(&server.auth(&fresh["token"]));
        let seen = server.token(&token["id"])["last_access"].clone();
        wait_for("the access is written", || {
            assert_eq!(status(&server, token), 200);
            (server.token(&token["id"])["last_access"] != seen).then_some(())
        });
    }
    cluster.masters[0].thaw();
    await_passes(&server, &tokens[0]);
    await_ready(&server);
}

#[test]
fn a_replica_takes_over_and_no_user_is_logged_out() {
    let mut cluster = RedisCluster::with(3, true, &HASTY);
    let server = start(&cluster);
    let users = users(&cluster);
    let live: Vec<_> = users.iter().map(|(user, _)| issue(&server, user)).collect();
    let revoked = issue(&server, &users[0].0);
    assert_eq!(status(&server, &revoked), 200);
    server.revoke(&revoked["id"]);
    cluster.masters[0].await_replicated();

    cluster.masters[0].kill();
    wait_for("the replica is the master", || {
        (cluster.replicas[0].info("replication", "role") == "master").then_some(())
    });
    live.iter().for_each(|token| await_passes(&server, token));
    await_ready(&server);
    await_refused(&server, &revoked);
    issue_soon(&server, &json!({"user": users[0].0}));
    revoke_soon(&server, &live[0]["id"]);
    await_refused(&server, &live[0]);
    // The former master comes back as a replica and is not used as a master.
    cluster.masters[0].restart();
    wait_for("it follows", || {
        (cluster.masters[0].info_unless_cut_off("replication", "role").as_deref() == Some("slave"))
            .then_some(())
    });
    await_refused(&server, &live[0]);
    await_passes(&server, &live[1]);
}
