//! Outages that last longer than the idle time of tokens in use.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use doorward::system::Clock;
use serde_json::{Value, json};

use crate::common::near_cache::await_cached;
use crate::common::process::wait_for;
use crate::common::recovery::{
    await_answer, await_heard, await_passes, await_ready, await_refused, await_unready, issue_soon,
};
use crate::common::redis::RedisServer;
use crate::common::relay::Relay;
use crate::common::server::{Server, bearer, token_path};
use crate::common::stop_on_drop::StopOnDrop;

/// How often an active user sends a request.
const EVERY: Duration = Duration::from_millis(400);
/// Much longer than that, so that a busy machine logs no user out, and much shorter than the outages.
const IDLE_MS: u64 = 4_000;
const OUTAGE_MS: u64 = 9_000;
const GRACE: (&str, &str) = ("DOORWARD_STALE_GRACE", "30s");
/// For a frozen Redis: much shorter than the tokens' idle time.
const TIMEOUT: (&str, &str) = ("DOORWARD_REDIS_TIMEOUT", "1s");

fn issue(server: &Server) -> Value {
    server.issue(json!({"idle_seconds": IDLE_MS / 1000}))
}

fn status(server: &Server, token: &Value) -> u16 {
    server.auth(&token["token"]).status
}

/// Simulates an active user for this time; returns the statuses of the answers in order.
fn ask_for(server: &Server, token: &Value, for_ms: u64) -> Vec<u16> {
    let clock = Clock::system();
    let from_ms = clock.boottime_ms();
    let mut statuses = Vec::new();
    while clock.boottime_ms() - from_ms < for_ms {
        statuses.push(status(server, token));
        thread::sleep(EVERY);
    }
    statuses
}

/// As [`ask_for`], while `work` is done.
fn ask_while(server: &Server, token: &Value, work: impl FnOnce()) -> Vec<u16> {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let _over = StopOnDrop(&is_over);
        let asking = scope.spawn(|| {
            let mut statuses = Vec::new();
            while !is_over.load(Ordering::SeqCst) {
                statuses.push(status(server, token));
                thread::sleep(EVERY);
            }
            statuses
        });
        work();
        is_over.store(true, Ordering::SeqCst);
        asking.join().unwrap()
    })
}

fn assert_all(expected: u16, statuses: &[u16], server: &Server) {
    assert!(statuses.iter().all(|status| *status == expected), "{statuses:?}\n{}", server.log());
}

/// Asks every endpoint that accepts a token string.
fn statuses_everywhere(server: &Server, token: &Value) -> Vec<u16> {
    let authorization = bearer(&token["token"]);
    let headers = [("Authorization", authorization.as_str())];
    let mut statuses: Vec<_> = ["/auth", "/auth-optional", "/session"]
        .iter()
        .map(|path| server.validation().get(path, &headers).status)
        .collect();
    statuses.push(server.validation().request("POST", "/logout", &headers, None).status);
    let strings = json!({"tokens": [token["token"]]});
    statuses.push(server.call("POST", "/v1/validate", Some(&strings)).status);
    statuses
}

fn outlives_an_outage(
    settings: &[(&str, &str)],
    begin: impl FnOnce(&mut RedisServer),
    end: impl FnOnce(&mut RedisServer),
) {
    let mut redis = RedisServer::start_durable();
    let [first, second] = [(); 2].map(|()| Server::on(&redis, settings));
    let [active, left] = [(); 2].map(|()| issue(&first));
    for server in [&first, &second] {
        assert_eq!([status(server, &active), status(server, &left)], [200, 200]);
    }
    await_cached(&first, &active["token"]);

    begin(&mut redis);
    assert_all(200, &ask_for(&first, &active, OUTAGE_MS), &first);
    let statuses = ask_while(&first, &active, || {
        // This node cannot know whether the user was active on another node, so it answers 503 instead of 401.
        assert_eq!(statuses_everywhere(&first, &left), [503; 5]);
        assert_eq!(statuses_everywhere(&second, &active), [503; 5]);
    });
    assert_all(200, &statuses, &first);

    end(&mut redis);
    for server in [&second, &first] {
        await_passes(server, &active);
    }
    assert_all(200, &ask_for(&first, &active, 1_000), &first);
    let authorization = bearer(&active["token"]);
    let session = || first.validation().get("/session", &[("Authorization", &authorization)]);
    assert_eq!(await_answer(&first, session).status, 200);
    // The active token is valid on all nodes; the idle one has expired.
    for server in [&second, &first] {
        await_refused(server, &left);
        assert_all(200, &ask_for(server, &active, IDLE_MS + 1_000), server);
    }
}

#[test]
fn an_active_user_stays_logged_in_while_redis_is_down() {
    outlives_an_outage(&[GRACE], RedisServer::kill, RedisServer::restart);
}

#[test]
fn an_active_user_stays_logged_in_while_redis_is_frozen() {
    outlives_an_outage(&[GRACE, TIMEOUT], |redis| redis.freeze(), |redis| redis.thaw());
}

/// Once Redis is back, the node reads the store instead of serving stale entries; no request falls in between.
#[test]
fn with_a_stale_grace_no_request_is_refused_after_the_outage() {
    let mut redis = RedisServer::start_durable();
    let server = Server::on(&redis, &[GRACE]);
    let token = server.issue(json!({}));
    for _ in 0..5 {
        await_cached(&server, &token["token"]);
        await_ready(&server);
        // Requests without pause, from before the outage until after it.
        let is_over = AtomicBool::new(false);
        let statuses = thread::scope(|scope| {
            let _over = StopOnDrop(&is_over);
            let asking = scope.spawn(|| {
                let mut statuses = Vec::new();
                while !is_over.load(Ordering::SeqCst) {
                    statuses.push(status(&server, &token));
                }
                statuses
            });
            redis.kill();
            await_unready(&server);
            redis.restart();
            await_ready(&server);
            is_over.store(true, Ordering::SeqCst);
            asking.join().unwrap()
        });
        assert_all(200, &statuses, &server);
    }
}

#[test]
fn without_a_stale_grace_an_outage_never_answers_401() {
    let mut redis = RedisServer::start_durable();
    let [first, second] = [(); 2].map(|()| Server::on(&redis, &[TIMEOUT]));
    for is_killed in [true, false] {
        let token = issue_soon(&first, &json!({"idle_seconds": IDLE_MS / 1000}));
        await_passes(&first, &token);
        await_passes(&second, &token);
        match is_killed {
            true => redis.kill(),
            false => redis.freeze(),
        }
        // Cached tokens pass for at most one lease.
        let statuses = ask_for(&first, &token, OUTAGE_MS);
        assert!(!statuses.contains(&401), "{statuses:?}\n{}", first.log());
        assert_eq!(statuses.last(), Some(&503));
        for server in [&first, &second] {
            assert_eq!(statuses_everywhere(server, &token), [503; 5]);
        }
        match is_killed {
            true => redis.restart(),
            false => redis.thaw(),
        }
        await_refused(&first, &token);
        issue_soon(&first, &json!({}));
    }
}

/// The outage has not been noticed yet.
#[test]
fn an_unwritten_renewal_counts_within_the_lease() {
    let redis = RedisServer::start();
    // No access renews the token before the outage, because a renewal would invalidate its entry.
    let server = Server::on(&redis, &[("DOORWARD_LEASE", "1m"), ("DOORWARD_RENEWAL_STEP", "50%")]);
    let issued = issue(&server);
    await_cached(&server, &issued["token"]);
    let token = issue(&server);
    assert_eq!(status(&server, &token), 200);
    redis.freeze();
    assert_all(200, &ask_for(&server, &token, IDLE_MS + 2_000), &server);
}

/// A revocation that this node could not hear of.
#[test]
fn a_revocation_during_an_outage_overrides_every_renewal() {
    let redis = RedisServer::start();
    let relay = Relay::start(&format!("127.0.0.1:{}", redis.port()));
    let url = format!("redis://{}", relay.addr());
    let cut_off = Server::start(&[GRACE, ("DOORWARD_REDIS_URL", &url)]);
    let other = Server::on(&redis, &[GRACE]);
    // One token is revoked before its expiry in Redis, one after it, and one is not revoked.
    let [early, late, kept] = [(); 3].map(|()| issue(&cut_off));
    for token in [&early, &late, &kept] {
        await_cached(&cut_off, &token["token"]);
    }
    relay.cut();
    other.revoke(&early["id"]);
    let clock = Clock::system();
    let from_ms = clock.boottime_ms();
    while clock.boottime_ms() - from_ms < IDLE_MS + 1_000 {
        for token in [&early, &late, &kept] {
            assert_eq!(status(&cut_off, token), 200, "{}", cut_off.log());
        }
        thread::sleep(EVERY);
    }
    assert_eq!(other.call("DELETE", &token_path(&late["id"]), None).status, 404, "it has expired");
    relay.mend();
    for token in [&early, &late] {
        await_heard(&cut_off, token);
        await_refused(&other, token);
    }
    wait_for("the renewal is written", || (status(&other, &kept) == 200).then_some(()));
    for server in [&cut_off, &other] {
        assert_eq!([status(server, &early), status(server, &late), status(server, &kept)], [401, 401, 200]);
    }
}
