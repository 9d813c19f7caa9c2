//! The server on a Redis Cluster: masters that go, slots that move. Whatever happens to one master, the tokens of the
//! others are judged as ever; a live token is never refused (503 is allowed), and an ended one is refused.

mod common;
#[path = "cluster/members.rs"]
mod members;

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use common::cluster::{RedisCluster, node_id, slot_of};
use common::process::wait_for;
use common::server::{Server, assert_invalid_token, assert_unavailable, identity, token_path};
use doorward::internals::token_string::ShardTag;
use serde_json::{Value, json};

/// Long enough that nothing here takes place because of a busy machine.
const PATIENT: [&str; 2] = ["--cluster-node-timeout", "60000"];
/// Short, so that a failover does not take long.
const HASTY: [&str; 4] = ["--cluster-node-timeout", "1000", "--cluster-replica-validity-factor", "0"];

const SETTINGS: [(&str, &str); 3] =
    [("DOORWARD_LEASE", "500ms"), ("DOORWARD_REDIS_TIMEOUT", "250ms"), ("DOORWARD_TOUCH_RESOLUTION", "0")];

fn start(cluster: &RedisCluster) -> Server {
    let server = Server::start(&[&SETTINGS[..], &[("DOORWARD_REDIS_URL", &cluster.url())]].concat());
    await_ready(&server);
    server
}

fn ready(server: &Server) -> u16 {
    server.validation().get("/readyz", &[]).status
}

fn await_ready(server: &Server) {
    wait_for("ready", || (ready(server) == 200).then_some(()));
}

/// A user of each master, and the user's slot.
fn users(cluster: &RedisCluster) -> Vec<(String, u16)> {
    let count = cluster.masters.len();
    let mut users = vec![None; count];
    for n in 0.. {
        let user = format!("user-{n}");
        let slot = slot_of(&cluster.masters[0], &format!("{{{}}}", ShardTag::of_user(&user)));
        users[usize::from(slot) * count / 16_384].get_or_insert((user, slot));
        if users.iter().all(Option::is_some) {
            break;
        }
    }
    users.into_iter().map(Option::unwrap).collect()
}

fn issue(server: &Server, user: &str) -> Value {
    server.issue(json!({"user": user}))
}

/// Issues as soon as the store lets it.
fn issue_soon(server: &Server, user: &str) -> Value {
    let body = json!({"user": user, "ip": "203.0.113.7"});
    wait_for("issued", || {
        let response = server.call("POST", "/v1/tokens", Some(&body));
        assert!([201, 503].contains(&response.status), "{response:?}");
        (response.status == 201).then(|| response.json())
    })
}

fn status(server: &Server, token: &Value) -> u16 {
    server.auth(&token["token"]).status
}

/// Lets it pass as soon as the store can be asked, and never says that it is no token.
fn await_passes(server: &Server, token: &Value) {
    wait_for("passes", || {
        let status = status(server, token);
        assert!([200, 503].contains(&status), "{status}\n{}", server.log());
        (status == 200).then_some(())
    });
}

fn await_refused(server: &Server, token: &Value) {
    wait_for("refused", || (status(server, token) == 401).then_some(()));
}

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
        second.end(&tokens[0]["id"]);
        assert_invalid_token(&second.auth(&tokens[0]["token"]));
        await_refused(&first, &tokens[0]);
        let all = first.call("DELETE", &format!("/v1/users/{user}/tokens"), None);
        assert_eq!(all.json()["revoked"], 2);
        tokens.iter().for_each(|token| await_refused(&second, token));
    }
    // In pipelines of one slot each, whatever the users.
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
fn who_logs_in_is_asked_at_every_master() {
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
    assert_eq!(faults(&stranger)[0]["kind"], "login", "{}", stranger.log());
    // Before the masters are known, and after.
    for rules in ["-cluster", "+cluster -publish"] {
        cluster.masters.iter().for_each(|master| master.set_user(&rules.split(' ').collect::<Vec<_>>()));
        let restricted =
            Server::start(&[&SETTINGS[..], &[("DOORWARD_REDIS_URL", &login("p%40ss"))]].concat());
        assert_eq!(ready(&restricted), 503);
        let found = faults(&restricted);
        let named = ["CLUSTER|INFO,CLUSTER|LINKS,CLUSTER|MYID,CLUSTER|SLOTS", "PUBLISH"].map(Value::from);
        assert_eq!(found.len(), cluster.masters.len(), "{found:?}");
        assert!(found.iter().all(|fault| named.contains(&fault["command"])), "{found:?}");
    }
}

fn faults(server: &Server) -> Vec<Value> {
    server.call("GET", "/v1/status", None).json()["faults"].as_array().unwrap().clone()
}

#[test]
fn known_tokens_are_judged_without_asking() {
    let cluster = RedisCluster::with(3, false, &PATIENT);
    let server = start(&cluster);
    let tokens: Vec<_> = users(&cluster).iter().map(|(user, _)| issue(&server, user)).collect();
    let reads = || -> u64 {
        let calls = |master: &common::redis::RedisServer| {
            let text = master.cli(&["INFO", "commandstats"]);
            let line =
                text.lines().find_map(|line| line.strip_prefix("cmdstat_hmget:calls=")?.split(',').next());
            line.map_or(0, |calls| calls.parse::<u64>().unwrap())
        };
        cluster.masters.iter().map(calls).sum()
    };
    // Scripts read by HMGET too: those of the accesses, when they are written.
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
fn a_killed_master_takes_only_its_own_tokens_along() {
    let mut cluster = RedisCluster::with(3, false, &PATIENT);
    let url = cluster.url();
    // Otherwise who starts needs the master that keeps the check key.
    let keys = ("DOORWARD_TOKEN_KEYS", "token-keys-of-the-tests-0123456789ab");
    let settings = [&SETTINGS[..], &[("DOORWARD_REDIS_URL", &url), keys]].concat();
    let server = Server::start(&settings);
    await_ready(&server);
    let users = users(&cluster);
    let tokens: Vec<_> = users.iter().map(|(user, _)| issue(&server, user)).collect();
    tokens.iter().for_each(|token| await_passes(&server, token));
    let [dead, alive @ ..] = &tokens[..] else { panic!("three masters") };
    cluster.masters[0].kill();
    wait_for("not ready", || (ready(&server) == 503).then_some(()));
    // Once the lease is over.
    wait_for("unavailable", || (status(&server, dead) == 503).then_some(()));
    for _ in 0..20 {
        assert_unavailable(&server.auth(&dead["token"]));
        for (token, (user, _)) in alive.iter().zip(&users[1..]) {
            assert_eq!(identity(&server.auth(&token["token"]))[0], user);
            assert_eq!(status(&server, &issue(&server, user)), 200);
        }
    }
    let body = json!({"user": users[0].0, "ip": "203.0.113.7"});
    assert_eq!(server.call("POST", "/v1/tokens", Some(&body)).status, 503);
    server.end(&alive[0]["id"]);
    assert_invalid_token(&server.auth(&alive[0]["token"]));
    // For a node that starts now it is the same.
    let late = Server::start(&settings);
    await_passes(&late, &alive[1]);
    assert_unavailable(&late.auth(&dead["token"]));

    cluster.masters[0].restart();
    await_ready(&server);
    issue_soon(&server, &users[0].0);
}

/// The accesses of the others are written all the same, their renewals with them.
#[test]
fn a_frozen_master_does_not_hold_the_others_up() {
    let cluster = RedisCluster::with(3, false, &PATIENT);
    let server = start(&cluster);
    let users = users(&cluster);
    let tokens: Vec<_> = users.iter().map(|(user, _)| issue(&server, user)).collect();
    // Known and accessed, so that there is something to write for the frozen one in each round.
    (0..20).for_each(|_| tokens.iter().for_each(|token| await_passes(&server, token)));
    cluster.masters[0].freeze();
    wait_for("unavailable", || (status(&server, &tokens[0]) == 503).then_some(()));
    for (token, (user, _)) in tokens.iter().zip(&users).skip(1) {
        let fresh = issue(&server, user);
        for _ in 0..5 {
            assert_unavailable(&server.auth(&tokens[0]["token"]));
            assert_eq!([status(&server, token), status(&server, &fresh)], [200, 200]);
        }
        server.end(&fresh["id"]);
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
fn a_replica_takes_over_and_nobody_is_logged_out() {
    let mut cluster = RedisCluster::with(3, true, &HASTY);
    let server = start(&cluster);
    let users = users(&cluster);
    let live: Vec<_> = users.iter().map(|(user, _)| issue(&server, user)).collect();
    let ended = issue(&server, &users[0].0);
    assert_eq!(status(&server, &ended), 200);
    server.end(&ended["id"]);
    assert_eq!(cluster.masters[0].cli(&["WAIT", "1", "5000"]), "1");

    cluster.masters[0].kill();
    wait_for("the replica is the master", || {
        (cluster.replicas[0].info("replication", "role") == "master").then_some(())
    });
    live.iter().for_each(|token| await_passes(&server, token));
    await_ready(&server);
    assert_invalid_token(&server.auth(&ended["token"]));
    issue_soon(&server, &users[0].0);
    server.end(&live[0]["id"]);
    assert_invalid_token(&server.auth(&live[0]["token"]));
    // The former master comes back as a replica, and is not believed.
    cluster.masters[0].restart();
    wait_for("it follows", || (cluster.masters[0].info("replication", "role") == "slave").then_some(()));
    assert_invalid_token(&server.auth(&live[0]["token"]));
    await_passes(&server, &live[1]);
}

#[test]
fn slots_move_and_nobody_is_logged_out() {
    let mut cluster = RedisCluster::with(3, false, &PATIENT);
    let (first, second) = (start(&cluster), start(&cluster));
    let (user, slot) = users(&cluster).swap_remove(0);
    // A master that has no slots yet is in no list of theirs.
    cluster.add_master(&PATIENT);
    for (from, to) in [(0, 3), (3, 1), (1, 0)] {
        let live: Vec<_> = (0..10).map(|_| issue_soon(&first, &user)).collect();
        let ended = issue_soon(&first, &user);
        for server in [&first, &second] {
            live.iter().chain([&ended]).for_each(|token| await_passes(server, token));
        }
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            // Also when something panics: the scope waits for the threads.
            let _over = StopOnDrop(&is_over);
            for server in [&first, &second] {
                let (live, is_over) = (&live, &is_over);
                scope.spawn(move || {
                    while !is_over.load(Ordering::SeqCst) {
                        for token in live {
                            let status = status(server, token);
                            assert!([200, 503].contains(&status), "{status}\n{}", server.log());
                        }
                    }
                });
            }
            cluster.move_slot(slot, from, to, || {
                // Half here, half there: each is found.
                for server in [&first, &second] {
                    live.iter().for_each(|token| await_passes(server, token));
                }
                // No script runs on half of a user's keys: neither all of them end, nor some.
                assert_eq!(first.call("DELETE", &format!("/v1/users/{user}/tokens"), None).status, 503);
                assert_eq!(first.call("DELETE", &token_path(&ended["id"]), None).status, 503);
                await_passes(&first, &ended);
            });
        });
        end_soon(&first, &ended);
        assert_invalid_token(&first.auth(&ended["token"]));
        await_refused(&second, &ended);
        for server in [&first, &second] {
            live.iter().for_each(|token| await_passes(server, token));
        }
        // The new owner's changes are heard.
        end_soon(&second, &live[0]);
        await_refused(&first, &live[0]);
        await_ready(&first);
    }
}

/// The hints of an object are in one slot and its tokens in others: whichever of them is halfway, nobody is told of some
/// tokens as if they were all, and none is forgotten.
#[test]
fn related_objects_keep_their_tokens_while_slots_move() {
    let cluster = RedisCluster::with(3, false, &PATIENT);
    let server = start(&cluster);
    let (user, tokens_slot) = users(&cluster).swap_remove(0);
    let related = json!({"user": user, "related_objects": [{"content_type": "order", "object_id": "7"}]});
    let tokens: Vec<_> = (0..10).map(|_| server.issue(related.clone())).collect();
    let hints =
        cluster.masters.iter().flat_map(|master| master.keys()).find(|key| key.contains("r:{")).unwrap();
    let hints_slot = slot_of(&cluster.masters[0], &hints);
    let path = "/v1/related/order/7/tokens";
    let all_or_503 = || {
        let listed = server.call("GET", path, None);
        assert!([200, 503].contains(&listed.status), "{listed:?}");
        let is_answered = listed.status == 200;
        if is_answered {
            assert_eq!(listed.json()["tokens"].as_array().unwrap().len(), tokens.len());
        }
        is_answered.then_some(())
    };
    for slot in [tokens_slot, hints_slot] {
        let from = cluster.owner(slot).unwrap();
        cluster.move_slot(slot, from, (from + 1) % 3, || {
            for _ in 0..10 {
                all_or_503();
            }
        });
        wait_for("all are listed", all_or_503);
    }
    let mut ended = 0;
    wait_for("all have ended", || {
        let answer = server.call("DELETE", path, None);
        assert!([200, 503].contains(&answer.status), "{answer:?}");
        ended += if answer.status == 200 { answer.json()["revoked"].as_u64().unwrap() } else { 0 };
        (ended == 10).then_some(())
    });
    tokens.iter().for_each(|token| await_refused(&server, token));
}

struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// A slot's keys are here and there while it moves, and what needs both waits.
fn end_soon(server: &Server, token: &Value) {
    wait_for("ended", || {
        let status = server.call("DELETE", &token_path(&token["id"]), None).status;
        assert!([204, 503].contains(&status), "{status}");
        (status == 204).then_some(())
    });
}

/// A slot that changes hands without its keys being moved.
#[test]
fn a_slot_taken_away_voids_what_was_read_of_it() {
    let cluster = RedisCluster::with(3, false, &PATIENT);
    let (first, second) = (start(&cluster), start(&cluster));
    let (user, slot) = users(&cluster).swap_remove(0);
    let token = issue(&first, &user);
    [&first, &second].iter().for_each(|server| await_passes(server, &token));
    let ids = [0, 1].map(|n| node_id(&cluster.masters[n]));
    // The former owner hears of it from the others.
    for state in [["IMPORTING", &ids[0]], ["NODE", &ids[1]]] {
        cluster.masters[1].cli(&["CLUSTER", "SETSLOT", &slot.to_string(), state[0], state[1]]);
    }
    // The new owner has none of the keys, so the token is not there any more.
    await_refused(&first, &token);
    await_refused(&second, &token);
}
