//! The reports by which the nodes of a store know one another.

use serde_json::{Value, json};

use crate::common::cluster::RedisCluster;
use crate::common::process::wait_for;
use crate::common::redis::RedisServer;
use crate::common::server::Server;

fn start(redis_url: &str, name: &str) -> Server {
    Server::start(&[("DOORWARD_REDIS_URL", redis_url), ("DOORWARD_NODE_NAME", name)])
}

/// Returns the list of the nodes as a node shows it.
fn listed(server: &Server) -> Value {
    let response = server.call("GET", "/v1/nodes", None);
    assert_eq!(response.status, 200, "{}", response.text());
    response.json()
}

fn node(list: &Value, name: &str) -> Option<Value> {
    list["nodes"].as_array().unwrap().iter().find(|node| node["name"] == name).cloned()
}

/// Waits until a node shows another one that is as it should be.
fn await_node(server: &Server, name: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    wait_for(&format!("{name} in {}\n{}", listed(server), server.log()), || {
        node(&listed(server), name).filter(&is_so)
    })
}

fn await_gone(server: &Server, name: &str) {
    wait_for(&format!("{name} is gone"), || node(&listed(server), name).is_none().then_some(()));
}

#[test]
fn nodes_see_each_other_until_they_stop() {
    let redis = RedisServer::start_durable();
    let one = start(&redis.url(), "one");
    let mut two = start(&redis.url(), "two");
    let seen = await_node(&one, "two", |node| node["ready"] == true);
    assert_eq!(
        (&seen["answering"], &seen["silent"], &seen["faults"]),
        (&json!(false), &json!(false), &json!([]))
    );
    await_node(&two, "one", |node| node["answering"] == false);
    let names: Vec<_> =
        listed(&two)["nodes"].as_array().unwrap().iter().map(|node| node["name"].clone()).collect();
    assert_eq!(names, ["one", "two"]);
    two.issue(json!({}));
    await_node(&one, "two", |node| node["tokens_per_second"]["issued"].as_f64() > Some(0.0));

    assert!(two.terminate().success());
    assert!(node(&listed(&one), "two").is_none(), "it has removed its report");
    let mut two = start(&redis.url(), "two");
    let again = await_node(&one, "two", |_| true);
    assert_ne!(again["id"], seen["id"]);
    two.kill9();
    let silent = await_node(&one, "two", |node| node["silent"] == true);
    assert_eq!(silent["ready"], true, "what it last said");
    redis.cli(&["HDEL", "dw:m:{703f}:nodes", silent["id"].as_str().unwrap()]);
    await_gone(&one, "two");
}

#[test]
fn a_node_that_stops_says_so_while_it_drains() {
    let redis = RedisServer::start_durable();
    let one = start(&redis.url(), "one");
    let url = redis.url();
    let mut two = Server::start(&[
        ("DOORWARD_REDIS_URL", &url),
        ("DOORWARD_NODE_NAME", "two"),
        ("DOORWARD_SHUTDOWN_DELAY", "1h"),
    ]);
    await_node(&one, "two", |node| node["stopping"] == false);
    two.process().signal(rustix::process::Signal::TERM);
    await_node(&one, "two", |node| node["stopping"] == true && node["ready"] == false);
}

#[test]
fn an_outage_leaves_a_node_its_own_figures() {
    let mut redis = RedisServer::start_durable();
    let one = start(&redis.url(), "one");
    let _two = start(&redis.url(), "two");
    await_node(&one, "two", |_| true);
    redis.kill();
    let alone = wait_for("the own report has the fault", || {
        let list = listed(&one);
        let own = node(&list, "one").unwrap();
        (own["faults"] == json!(["unreachable"]) && list["complete"] == false).then_some(list)
    });
    assert_eq!(alone["nodes"].as_array().unwrap().len(), 1, "{alone}");
    assert_eq!(node(&alone, "one").unwrap()["ready"], false);
    redis.restart();
    await_node(&one, "two", |node| node["ready"] == true && node["silent"] == false);
    assert!(!one.log().contains("report"), "an outage is logged once, by the monitor: {}", one.log());
}

#[test]
fn nodes_of_a_cluster_see_each_other() {
    let cluster = RedisCluster::start();
    let (one, mut two) = (start(&cluster.url(), "one"), start(&cluster.url(), "two"));
    await_node(&one, "two", |node| node["ready"] == true);
    assert!(two.terminate().success());
    await_gone(&one, "two");
}
