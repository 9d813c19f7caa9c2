//! Look-ups of foreign token strings in Redis: how many, at which master, and while it is away.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use doorward::system::Clock;
use serde_json::json;

use crate::common::cluster::RedisCluster;
use crate::common::foreign::{drf_string, import, import_all, look_ups, metric};
use crate::common::http::Response;
use crate::common::near_cache::await_cached;
use crate::common::process::wait_for;
use crate::common::recovery::{await_answer, await_ready, await_unready};
use crate::common::redis::RedisServer;
use crate::common::server::{Server, assert_invalid_token, assert_unavailable, bearer, identity};
use crate::common::stop_on_drop::StopOnDrop;

const FORM: (&str, &str) = ("DOORWARD_FOREIGN", "old:scheme=drf");

fn auth(server: &Server, string: &str) -> Response {
    server.validation().get("/auth", &[("Authorization", &bearer(&json!(string)))])
}

fn gets(redis: &RedisServer) -> u64 {
    let stats = redis.cli(&["INFO", "commandstats"]);
    let line = stats.lines().find_map(|line| line.strip_prefix("cmdstat_get:calls=")).unwrap_or("0,");
    line.split(',').next().unwrap().parse().unwrap()
}

/// Sends this many made-up strings from one address, and returns the statuses other than 401 and 503.
fn flood(server: &Server, first: u64, count: u64) -> Vec<u16> {
    let mut client = server.validation();
    let mut others = Vec::new();
    for number in first..first + count {
        let token = bearer(&json!(drf_string(number)));
        let headers = [("Authorization", token.as_str()), ("X-Forwarded-For", "203.0.113.66")];
        let status = client.get("/auth", &headers).status;
        if ![401, 503].contains(&status) {
            others.push(status);
        }
    }
    others
}

#[test]
fn a_flood_of_made_up_strings_costs_a_bounded_number_of_look_ups_and_no_known_user_a_failure() {
    const FLOOD: u64 = 100_000;
    const THREADS: u64 = 4;
    const PER_SECOND: u64 = 200;
    const KNOWN: u64 = 2_000;
    let redis = RedisServer::start();
    let settings = [
        FORM,
        ("DOORWARD_FOREIGN_LOOKUPS", "200"),
        ("DOORWARD_TRUSTED_PROXIES", "127.0.0.1"),
        // A late heartbeat would empty the near cache, and the known strings would be looked up again.
        ("DOORWARD_LEASE", "60s"),
    ];
    let importer = Server::on(&redis, &settings);
    let strings: Vec<_> = (0..KNOWN).map(|number| drf_string(number << 32)).collect();
    import_all(&importer, "drf", strings.iter().map(|string| (string.clone(), format!("user {string}"))));
    // A node that has seen none of them.
    let server = Server::on(&redis, &settings);
    let (clock, gets_before) = (Clock::system(), gets(&redis));
    let began_ms = clock.boottime_ms();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let (server, is_over, strings) = (&server, &is_over, &strings);
        let _over = StopOnDrop(is_over);
        let floods: Vec<_> = (0..THREADS)
            .map(|n| scope.spawn(move || flood(server, 1 + n * (FLOOD / THREADS), FLOOD / THREADS)))
            .collect();
        // Each user comes for the first time during the flood, and then again and again.
        let users = scope.spawn(move || {
            let (mut client, mut failures, mut asked) = (server.validation(), Vec::new(), 0);
            for string in strings.iter().cycle() {
                if is_over.load(Ordering::SeqCst) && asked >= strings.len() {
                    break;
                }
                let token = bearer(&json!(string));
                let headers = [("Authorization", token.as_str()), ("X-Forwarded-For", "198.51.100.7")];
                failures.extend(Some(client.get("/auth", &headers).status).filter(|status| *status != 200));
                asked += 1;
            }
            failures
        });
        for flood in floods {
            assert_eq!(flood.join().unwrap(), [] as [u16; 0], "a made-up string was answered otherwise");
        }
        is_over.store(true, Ordering::SeqCst);
        assert_eq!(users.join().unwrap(), [] as [u16; 0], "{}", server.log());
    });
    let elapsed_s = (clock.boottime_ms() - began_ms) / 1000 + 1;
    let (unknown, refused) = (look_ups(&server, "unknown"), look_ups(&server, "refused"));
    let most = PER_SECOND * (elapsed_s + 1);
    assert!(unknown <= most, "{unknown} look-ups in {elapsed_s} s");
    assert_eq!(unknown + refused, FLOOD);
    assert_eq!(
        (look_ups(&server, "found"), metric(&server, "doorward_foreign_cache_entries")),
        (KNOWN, KNOWN)
    );
    // Besides, each node reads the shared token key now and then.
    let spent = gets(&redis) - gets_before;
    assert!(spent <= unknown + KNOWN + 20 * elapsed_s, "{spent} reads, {unknown} unknown, in {elapsed_s} s");
}

#[test]
fn an_unknown_string_costs_one_look_up_per_lease_and_is_found_after_an_import() {
    let redis = RedisServer::start();
    let settings = [FORM, ("DOORWARD_LEASE", "60s")];
    let (one, other) = (Server::on(&redis, &[FORM]), Server::on(&redis, &settings));
    let string = drf_string(1);
    for _ in 0..10 {
        assert_invalid_token(&auth(&other, &string));
    }
    assert_eq!(look_ups(&other, "unknown"), 1);
    assert_invalid_token(&auth(&one, &string));
    // Imported by another node: found at most one lease later.
    let importer = Server::on(&redis, &[FORM]);
    import(&importer, "drf", &string, "alice");
    wait_for("the lease has passed", || match auth(&one, &string).status {
        401 => None,
        status => {
            assert_eq!(status, 200);
            Some(())
        }
    });
    assert_invalid_token(&auth(&other, &string));
}

/// An alias expires after its token. Then the same string may be imported for another user.
#[test]
fn an_alias_of_another_user_is_noticed_at_most_a_lease_later() {
    let redis = RedisServer::start();
    let (server, importer) = (Server::on(&redis, &[FORM]), Server::on(&redis, &[FORM]));
    let string = drf_string(1);
    import(&importer, "drf", &string, "alice");
    assert_eq!(identity(&auth(&server, &string))[0], "alice");
    assert_eq!(importer.call("DELETE", "/v1/users/alice", None).status, 204);
    let aliases: Vec<_> = redis.keys().into_iter().filter(|key| key.starts_with("dw:f:")).collect();
    assert_eq!(aliases.len(), 1);
    redis.cli(&["DEL", &aliases[0]]);
    import(&importer, "drf", &string, "bob");
    assert_eq!(identity(&auth(&importer, &string))[0], "bob");
    wait_for("the new alias is known", || {
        let response = auth(&server, &string);
        (response.status == 200).then(|| assert_eq!(identity(&response)[0], "bob"))
    });
}

#[test]
fn known_strings_pass_during_an_outage_within_the_grace_and_others_get_503() {
    let mut redis = RedisServer::start_durable();
    let server = Server::on(&redis, &[FORM, ("DOORWARD_STALE_GRACE", "10m")]);
    let (known, unseen) = (drf_string(1), drf_string(2));
    import(&server, "drf", &known, "alice");
    import(&Server::on(&redis, &[FORM]), "drf", &unseen, "bob");
    await_cached(&server, &json!(known));
    redis.kill();
    await_unready(&server);
    for _ in 0..3 {
        identity(&auth(&server, &known));
        assert_unavailable(&auth(&server, &unseen));
        assert_unavailable(&auth(&server, &drf_string(3)));
    }
    redis.restart();
    // Each thread connects to Redis by itself.
    assert_eq!(await_answer(&server, || auth(&server, &unseen)).status, 200, "{}", server.log());
    assert_invalid_token(&await_answer(&server, || auth(&server, &drf_string(3))));
}

#[test]
fn aliases_are_found_at_every_master_of_a_cluster() {
    let cluster = RedisCluster::start();
    let settings = [FORM, ("DOORWARD_REDIS_URL", &*cluster.url())];
    let start = || {
        let server = Server::start(&settings);
        await_ready(&server);
        server
    };
    let (importer, server) = (start(), start());
    let strings: Vec<_> = (0..30).map(drf_string).collect();
    import_all(&importer, "drf", strings.iter().map(|string| (string.clone(), format!("user {string}"))));
    let with_aliases =
        cluster.masters.iter().filter(|master| master.keys().iter().any(|key| key.starts_with("dw:f:")));
    assert_eq!(with_aliases.count(), cluster.masters.len());
    for string in &strings {
        assert_eq!(identity(&auth(&server, string))[0], format!("user%20{string}"));
        assert_eq!(identity(&auth(&importer, string))[0], format!("user%20{string}"));
    }
    assert_invalid_token(&auth(&server, &drf_string(99)));
    assert_eq!((look_ups(&server, "found"), look_ups(&importer, "found")), (30, 0));
}
