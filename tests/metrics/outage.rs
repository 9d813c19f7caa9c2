//! The metrics of the connections to Redis during an outage and after it.

use serde_json::{Value, json};

use crate::common::http::Client;
use crate::common::process::wait_for;
use crate::common::redis::RedisServer;
use crate::common::server::Server;

const SETTINGS: &[(&str, &str)] = &[
    ("DOORWARD_METRICS_LISTEN", "127.0.0.1:0"),
    ("DOORWARD_CACHE_ENTRIES", "1000"),
    ("DOORWARD_LEASE", "500ms"),
];

/// Returns the value of a sample, if there is one.
fn sample(server: &Server, name: &str) -> Option<f64> {
    let text = Client::new(server.metrics_listen()).get("/metrics", &[]).text();
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ').map(str::to_owned));
    Some(value?.parse().unwrap())
}

fn wait_until(server: &Server, name: &str, is_so: impl Fn(f64) -> bool) {
    wait_for(name, || sample(server, name).filter(|value| is_so(*value)));
}

fn master(stats: &Value) -> Value {
    stats["masters"][0].clone()
}

#[test]
fn an_outage_shows_in_leases_errors_and_reconnects() {
    let mut redis = RedisServer::start_durable();
    let server = Server::on(&redis, SETTINGS);
    let token = server.issue(json!({}))["token"].clone();
    assert_eq!(server.auth(&token).status, 200);
    let address = format!("127.0.0.1:{}", redis.port());
    let of_master = |name: &str| format!("{name}{{master=\"{address}\"}}");
    wait_until(&server, &of_master("doorward_tracking_live"), |live| live == 1.0);
    wait_until(&server, "doorward_redis_round_trips_total{use=\"lookup\"}", |trips| trips >= 1.0);
    wait_until(&server, "doorward_redis_round_trips_total{use=\"tracking\"}", |trips| trips >= 1.0);
    wait_until(&server, "doorward_redis_pool_wait_seconds_count", |waits| waits >= 1.0);

    redis.kill();
    wait_until(&server, &of_master("doorward_tracking_live"), |live| live == 0.0);
    wait_until(&server, &of_master("doorward_lease_age_seconds"), |age| age > 1.0);
    wait_until(&server, "doorward_store_fault{kind=\"unreachable\"}", |fault| fault == 1.0);
    wait_until(&server, "doorward_redis_errors_total{use=\"tracking\",kind=\"connection\"}", |count| {
        count >= 2.0
    });
    wait_until(&server, "doorward_redis_errors_total{use=\"operation\",kind=\"connection\"}", |count| {
        count >= 1.0
    });
    assert_eq!(server.auth(&token).status, 503);
    let unavailable = "doorward_validations_total{result=\"unavailable\",source=\"store\"}";
    wait_until(&server, unavailable, |count| count >= 1.0);
    let stats = server.call("GET", "/v1/stats", None).json();
    assert_eq!((&stats["ready"], &master(&stats)["tracking"]), (&json!(false), &json!(false)));

    redis.restart();
    wait_until(&server, "doorward_ready", |ready| ready == 1.0);
    wait_until(&server, &of_master("doorward_tracking_live"), |live| live == 1.0);
    for of in ["lookup", "operation", "tracking", "events"] {
        wait_until(&server, &format!("doorward_redis_reconnects_total{{use=\"{of}\"}}"), |count| {
            count >= 1.0
        });
    }
    let stats = server.call("GET", "/v1/stats", None).json();
    assert!(master(&stats)["lease_age_seconds"].as_f64().unwrap() < 60.0, "{stats}");
}
