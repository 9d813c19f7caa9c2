//! `doorward nodes`.

use serde_json::json;

use super::support::{json as json_of, text};
use crate::common::server::Server;

#[test]
fn the_nodes_are_a_table_and_json() {
    let server = Server::start(&[("DOORWARD_NODE_NAME", "door-1")]);
    let listed = json_of(&server, &["nodes"]);
    assert_eq!(
        (&listed["complete"], &listed["nodes"][0]["name"]),
        (&json!(true), &json!("door-1")),
        "{listed}"
    );
    let table = text(&server, &["nodes"]);
    assert!(table.starts_with("NODE ") && table.contains("\ndoor-1  ready  -"), "{table}");
}
