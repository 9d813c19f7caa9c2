//! `GET /v1/nodes` of a node that is alone on its store.

use serde_json::{Value, json};

use crate::common::process::wait_for;
use crate::common::server::{bearer, pointers};
use crate::on_each_store;

fn only_node(server: &crate::common::server::Server) -> Value {
    let response = server.call("GET", "/v1/nodes", None);
    assert_eq!(response.status, 200, "{}", response.text());
    let listed = response.json();
    assert_eq!(
        (&listed["complete"], listed["nodes"].as_array().unwrap().len()),
        (&json!(true), 1),
        "{listed}"
    );
    listed["nodes"][0].clone()
}

#[test]
fn a_node_lists_itself_with_its_figures() {
    on_each_store(&[("DOORWARD_NODE_NAME", "door-1")], |server| {
        let token = server.issue(json!({}))["token"].clone();
        let node = wait_for("the rates count a validation and a login", || {
            assert_eq!(server.validation().get("/auth", &[("Authorization", &bearer(&token))]).status, 200);
            server.issue(json!({"user": "bob"}));
            let node = only_node(server);
            let rates = [&node["validations_per_second"]["valid"], &node["tokens_per_second"]["issued"]];
            rates.iter().all(|rate| rate.as_f64() > Some(0.0)).then_some(node)
        });
        assert_eq!((&node["name"], &node["answering"]), (&json!("door-1"), &json!(true)));
        assert_eq!(
            (&node["ready"], &node["stopping"], &node["silent"]),
            (&json!(true), &json!(false), &json!(false))
        );
        assert_eq!(
            (&node["version"], &node["age_seconds"]),
            (&json!(env!("CARGO_PKG_VERSION")), &json!(0.0))
        );
        assert!(node["started_at"].as_str() < node["reported_at"].as_str(), "{node}");
        let [median, p99] = ["median", "p99"].map(|name| node["validation_seconds"][name].as_f64().unwrap());
        assert!(median > 0.0 && median <= p99, "{node}");
        let stats = server.call("GET", "/v1/stats", None).json();
        let status = server.call("GET", "/v1/status", None).json();
        assert_eq!(node["cached_tokens"].is_null(), stats["cache"].is_null(), "{node}");
        let mut kinds: Vec<_> =
            status["faults"].as_array().unwrap().iter().map(|fault| fault["kind"].clone()).collect();
        kinds.dedup();
        assert_eq!(node["faults"], json!(kinds));
        assert_eq!(only_node(server)["id"], node["id"]);
    });
}

#[test]
fn the_list_takes_no_query() {
    on_each_store(&[], |server| {
        assert_eq!(pointers(&server.call("GET", "/v1/nodes?limit=1", None), 422), ["#/limit"]);
    });
}
