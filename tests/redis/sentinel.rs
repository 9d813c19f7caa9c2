//! The server on a Redis with Sentinels: it follows each new master by itself.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use super::nodes::all_faults;
use crate::common::fake_sentinel::FakeSentinel;
use crate::common::process::{DEADLINE_MS, wait_for, wait_within};
use crate::common::recovery::{
    await_heard, await_passes, await_ready, await_refused, issue_soon, ready, revoke_soon,
};
use crate::common::redis::RedisServer;
use crate::common::sentinel::Sentinels;
use crate::common::server::Server;

const SETTINGS: [(&str, &str); 2] = [("DOORWARD_LEASE", "500ms"), ("DOORWARD_REDIS_TIMEOUT", "250ms")];
/// Longer than the lease, as config/redis.conf demands, and than the pauses of a busy machine.
const DOWN_AFTER_MS: u64 = 3_000;
/// A Sentinel asks a former master for its role every 10 s, then waits 8 s before it reconfigures it. If its own timer
/// was late, it pauses for 30 s (redis.io, "High availability with Redis Sentinel", TILT mode); on a busy machine, more than once.
const FOLLOWS_AGAIN_MS: u64 = 180_000;

fn start(sentinels: &Sentinels) -> Server {
    let server = Server::start(&[&SETTINGS[..], &[("DOORWARD_REDIS_URL", &sentinels.url())]].concat());
    await_ready(&server);
    server
}

/// Starts two nodes; returns them, live tokens, and a revoked token that the second node had cached.
fn start_with_tokens(sentinels: &Sentinels) -> ([Server; 2], Vec<Value>, Value) {
    let nodes = [start(sentinels), start(sentinels)];
    let live: Vec<_> = (0..3).map(|_| issue_soon(&nodes[0], &json!({}))).collect();
    let revoked = issue_soon(&nodes[0], &json!({}));
    await_passes(&nodes[1], &revoked);
    revoke_soon(&nodes[0], &revoked["id"]);
    await_heard(&nodes[1], &revoked);
    sentinels.servers[0].await_replicated();
    (nodes, live, revoked)
}

/// Issues tokens until they are written to this master.
fn await_written_to(node: &Server, master: &RedisServer) {
    let tokens = || master.keys().iter().filter(|key| key.starts_with("dw:t:")).count();
    let before = tokens();
    wait_for("the new master is written to", || {
        node.call("POST", "/v1/tokens", Some(&json!({"user": "alice", "ip": "203.0.113.7"})));
        (tokens() > before).then_some(())
    });
}

/// Asserts that the nodes work on `to` after it has taken over.
fn assert_taken_over(nodes: &[Server; 2], to: &RedisServer, live: &[Value], revoked: &Value) {
    for node in nodes {
        live.iter().for_each(|token| await_passes(node, token));
        await_ready(node);
        await_refused(node, revoked);
    }
    let fresh = issue_soon(&nodes[0], &json!({}));
    assert!(to.keys().iter().any(|key| key.starts_with("dw:t:")));
    await_passes(&nodes[1], &fresh);
    // The nodes hear the new master's changes.
    revoke_soon(&nodes[0], &fresh["id"]);
    await_refused(&nodes[0], &fresh);
    await_heard(&nodes[1], &fresh);
}

#[test]
fn a_new_master_is_followed_after_the_old_one_died() {
    let mut sentinels = Sentinels::start(DOWN_AFTER_MS);
    let (nodes, live, revoked) = start_with_tokens(&sentinels);
    sentinels.servers[0].kill();
    sentinels.await_master(&sentinels.servers[1]);
    assert_taken_over(&nodes, &sentinels.servers[1], &live, &revoked);

    // The former master comes back as a replica. Then the master dies again, with one Sentinel less. On a busy machine,
    // the Sentinels may fail over once more by themselves before that.
    sentinels.servers[0].restart();
    let master = wait_within(FOLLOWS_AGAIN_MS, "one server follows the other", || {
        (0..2).find(|master| is_followed(&sentinels.servers, *master))
    });
    sentinels.servers[master].await_replicated();
    sentinels.sentinels[0].process.kill();
    sentinels.servers[master].kill();
    let next = &sentinels.servers[1 - master];
    sentinels.await_master(next);
    assert_taken_over(&nodes, next, &live, &revoked);
}

/// Returns whether this server of two is a master, and the other one its replica.
fn is_followed(servers: &[RedisServer], master: usize) -> bool {
    let tells = |server: &RedisServer, field, value| {
        server.info_unless_cut_off("replication", field).is_some_and(|told| told == value)
    };
    tells(&servers[master], "role", "master")
        && tells(&servers[1 - master], "role", "slave")
        && tells(&servers[1 - master], "master_link_status", "up")
}

/// The former master still answers with old data: no node uses it.
#[test]
fn a_demoted_master_is_abandoned() {
    let sentinels = Sentinels::start(DOWN_AFTER_MS);
    let (nodes, live, revoked) = start_with_tokens(&sentinels);
    assert_eq!(sentinels.sentinels[0].cli(&["SENTINEL", "FAILOVER", crate::common::sentinel::NAME]), "OK");
    sentinels.await_master(&sentinels.servers[1]);
    await_written_to(&nodes[0], &sentinels.servers[1]);
    assert_taken_over(&nodes, &sentinels.servers[1], &live, &revoked);
}

#[test]
fn a_silent_sentinel_delays_nothing() {
    let sentinels = Sentinels::start(DOWN_AFTER_MS);
    sentinels.sentinels[0].process.signal(Signal::STOP);
    let server = start(&sentinels);
    await_passes(&server, &issue_soon(&server, &json!({})));
    sentinels.sentinels[0].process.signal(Signal::CONT);
}

/// Three Sentinels that name a first server, and a second, empty server that is a master, too.
struct Fakes {
    sentinels: Vec<FakeSentinel>,
    first: RedisServer,
    second: RedisServer,
}

impl Fakes {
    fn start() -> Self {
        let [first, second] = [RedisServer::start(), RedisServer::start()];
        let sentinels = (0..3).map(|id| FakeSentinel::start(id, first.port())).collect::<Vec<_>>();
        sentinels.iter().for_each(|sentinel| sentinel.name("127.0.0.1", first.port(), 5));
        Self { sentinels, first, second }
    }

    fn node(&self) -> Server {
        Server::start(
            &[&SETTINGS[..], &[("DOORWARD_REDIS_URL", &FakeSentinel::url(&self.sentinels))]].concat(),
        )
    }

    /// Asserts that the node has asked the Sentinels several times and has not followed the second server.
    fn assert_kept(&self, node: &Server, token: &Value) {
        self.sentinels[2].await_asked(3);
        await_passes(node, token);
        let fresh = issue_soon(node, &json!({}));
        revoke_soon(node, &fresh["id"]);
        await_refused(node, &fresh);
        assert_eq!(self.second.keys(), [""; 0]);
    }
}

#[test]
fn a_minority_of_sentinels_is_not_followed() {
    let fakes = Fakes::start();
    let node = fakes.node();
    await_ready(&node);
    let token = issue_soon(&node, &json!({}));
    let [one, two, liar] = &fakes.sentinels[..] else { panic!("three") };
    // One Sentinel lies, in each possible way.
    for (host, port, epoch) in [
        ("127.0.0.1", fakes.second.port(), 1),
        ("127.0.0.1", fakes.second.port(), 900),
        ("no-such-host.invalid", 6379, 900),
        ("::1", fakes.second.port(), 900),
    ] {
        liar.name(host, port, epoch);
        fakes.assert_kept(&node, &token);
    }
    // The other Sentinels are slow, then silent.
    for (delay, is_silent) in [(Duration::from_millis(300), false), (Duration::ZERO, true)] {
        for sentinel in [one, two] {
            sentinel.set_delay(delay);
            sentinel.set_silent(is_silent);
        }
        liar.name("127.0.0.1", fakes.second.port(), 1);
        fakes.assert_kept(&node, &token);
    }
    node.wait_for_log("1 of 3 Sentinels answered");
}

#[test]
fn a_majority_with_an_older_epoch_is_not_followed() {
    let fakes = Fakes::start();
    let node = fakes.node();
    await_ready(&node);
    let token = issue_soon(&node, &json!({}));
    for sentinel in &fakes.sentinels[1..] {
        sentinel.name("127.0.0.1", fakes.second.port(), 4);
    }
    fakes.sentinels[0].set_silent(true);
    fakes.assert_kept(&node, &token);
    node.wait_for_log("which is older than");
    fakes.sentinels[2].name("127.0.0.1", fakes.second.port(), 6);
    // One Sentinel alone vouches for the newer epoch, which is no majority.
    fakes.assert_kept(&node, &token);
    fakes.sentinels[1].name("127.0.0.1", fakes.second.port(), 6);
    await_written_to(&node, &fakes.second);
}

#[test]
fn a_start_without_a_majority_waits_and_is_logged() {
    let fakes = Fakes::start();
    fakes.sentinels[0].set_silent(true);
    fakes.sentinels[1].name("127.0.0.1", fakes.second.port(), 5);
    let node = fakes.node();
    fakes.sentinels[2].await_asked(3);
    assert_eq!(ready(&node), 503);
    assert_eq!([fakes.first.keys(), fakes.second.keys()], [[""; 0]; 2]);
    node.wait_for_log("2 of 3 Sentinels answered, 1 of them agree on a master, 2 must");
    fakes.sentinels[0].set_silent(false);
    await_ready(&node);
    issue_soon(&node, &json!({}));
}

/// A node that only polled, every two seconds, could not follow so many switches before the deadline of `wait_for`.
#[test]
fn a_switch_message_is_followed_without_waiting_for_a_poll() {
    const POLL_MS: u64 = 2_000;
    const SWITCHES: u64 = DEADLINE_MS / POLL_MS + 5;
    let fakes = Fakes::start();
    let node = fakes.node();
    await_ready(&node);
    fakes.sentinels.iter().for_each(FakeSentinel::await_subscriber);
    let mut switches = 0;
    wait_for("all switches are followed", || {
        let master = if switches % 2 == 0 { &fakes.second } else { &fakes.first };
        fakes.sentinels[..2].iter().for_each(|sentinel| sentinel.switch_to(master.port(), 6 + switches));
        await_written_to(&node, master);
        switches += 1;
        (switches == SWITCHES).then_some(())
    });
}

/// If its user may read the settings, a node reports that a master which is cut off would acknowledge writes for too
/// long.
#[test]
fn failover_settings_that_lose_revocations_are_reported() {
    let sentinels = Sentinels::start(5_000);
    let master = &sentinels.servers[0];
    master.set_user(&["+config|get"]);
    master.cli(&["CONFIG", "SET", "min-replicas-to-write", "1"]);
    master.cli(&["CONFIG", "SET", "min-replicas-max-lag", "7"]);
    let server = start(&sentinels);
    let fault = || all_faults(&server).into_iter().find(|fault| fault["kind"] == "failover_lag");
    let found = wait_for("the fault is reported", fault);
    assert_eq!(found["fatal"], false);
    assert!(found["fix"].as_str().unwrap().contains("min-replicas-max-lag 4"), "{found}");
    server.wait_for_log("redis failover settings too slow");
    let log = server.log();
    let line = log.lines().find(|line| line.contains("redis failover settings too slow")).unwrap();
    assert!(line.contains("WARN"), "{line}");
    await_ready(&server);
    master.cli(&["CONFIG", "SET", "min-replicas-max-lag", "4"]);
    wait_for("the fault is gone", || fault().is_none().then_some(()));
}
