//! `doorward stats`.

use rustix::process::Signal;
use serde_json::{Value, json};

use super::support::{json as json_of, text, url};
use crate::common::server::{ADMIN_KEY, Server, bearer, run};

#[test]
fn the_figures_of_a_node_are_text_and_json() {
    let server = Server::start(&[]);
    let token = server.issue(json!({}));
    server.validation().get("/auth", &[("Authorization", &bearer(&token["token"]))]);
    server.revoke(&token["id"]);
    let figures = json_of(&server, &["stats"]);
    assert_eq!((&figures["ready"], &figures["store"]), (&json!(true), &json!("memory")));
    assert_eq!((&figures["tokens"]["issued"], &figures["faults"]), (&json!(1), &json!([])), "{figures}");
    let screen = text(&server, &["stats"]);
    let line = |name: &str| {
        let line = screen.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{screen}"));
        line.split_whitespace().skip(1).collect::<Vec<_>>().join(" ")
    };
    assert_eq!((line("ready").as_str(), line("store").as_str()), ("true", "memory"));
    assert!(line("tokens").contains("issued=1") && line("tokens").contains("revoked.ended=1"), "{screen}");
    assert!(screen.lines().count() < 24, "one screen: {screen}");
}

#[test]
fn watched_figures_are_lines_until_ctrl_c() {
    let mut server = Server::start(&[]);
    let url = url(&server);
    let settings = [("DOORWARD_ADMIN_URL", &*url), ("DOORWARD_ADMIN_KEY", ADMIN_KEY)];
    let mut process = run(&["stats", "--watch", "--interval=1s", "--json"], &settings);
    process.wait_until("refreshed", |process| process.stdout().lines().count() >= 2);
    for line in process.stdout().lines() {
        assert_eq!(serde_json::from_str::<Value>(line).unwrap()["store"], "memory");
    }
    // A node that is away is waited for.
    server.kill9();
    process.wait_until("noticed", |process| process.stderr().contains("unreachable: "));
    process.signal(Signal::INT);
    assert_eq!(process.wait().code(), Some(0), "{}", process.log());
}
