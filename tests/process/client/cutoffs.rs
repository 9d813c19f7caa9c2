//! `doorward cutoff`.

use serde_json::json;

use super::support::{failure, json, text};
use crate::common::process::wait_for;
use crate::common::server::Server;

#[test]
fn a_cutoff_is_set_listed_and_removed() {
    let server = Server::start(&[]);
    let set = ["cutoff", "set", "backend:a b", "--before"];
    let with = |end: &[&'static str]| [&set[..], end].concat();
    let told = failure(&server, &with(&["2026-01-01T00:00:00Z"]), 78);
    assert_eq!(told, "--yes (command line): is needed where no terminal can be asked\n");
    failure(&server, &with(&["yesterday", "--yes"]), 78);
    failure(&server, &["cutoff", "set", "user:alice", "--before=now", "--yes"], 78);
    assert_eq!(json(&server, &["cutoff", "list"]), json!([]));
    let cutoff = json(&server, &with(&["2026-01-01T00:00:00Z", "--yes"]));
    assert_eq!(
        (&cutoff["name"], &cutoff["before"]),
        (&json!("backend:a b"), &json!("2026-01-01T00:00:00.000Z"))
    );
    assert!(text(&server, &with(&["now", "--yes"])).starts_with("name         backend:a b\n"));
    let told = failure(&server, &with(&["2026-01-01T00:00:00Z", "--yes"]), 1);
    assert!(told.contains("later time"), "{told}");
    wait_for("the walk is finished", || {
        json(&server, &["cutoff", "list"])[0]["finished_at"].is_string().then_some(())
    });
    let table = text(&server, &["cutoff", "list"]);
    assert!(table.starts_with("NAME ") && table.contains("\nbackend:a b  "), "{table}");
    failure(&server, &["cutoff", "remove", "backend:a b"], 78);
    assert_eq!(text(&server, &["cutoff", "remove", "backend:a b", "--yes"]), "removed backend:a b\n");
    failure(&server, &["cutoff", "remove", "backend:a b", "--yes"], 1);
}
