//! `doorward events`.

use rustix::process::Signal;
use serde_json::{Value, json};

use super::support::url;
use crate::common::process::Process;
use crate::common::server::{ADMIN_KEY, Server, run, run_in_shell};

fn follow(server: &Server, args: &[&str]) -> Process {
    let url = url(server);
    run(&[&["events"], args].concat(), &[("DOORWARD_ADMIN_URL", &url), ("DOORWARD_ADMIN_KEY", ADMIN_KEY)])
}

fn lines(process: &Process) -> Vec<Value> {
    let stdout = process.stdout();
    let complete = stdout.rsplit_once('\n').map_or("", |(complete, _)| complete);
    complete.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Issues tokens until the feed shows one, which says that the command is connected.
fn wait_until_connected(server: &Server, process: &mut Process) {
    process.wait_until("connected", |process| {
        server.issue(json!({"user": "first"}));
        process.stdout().contains("first")
    });
}

#[test]
fn events_are_lines_until_ctrl_c() {
    let server = Server::start(&[]);
    let (mut json_lines, mut text) = (follow(&server, &["--json"]), follow(&server, &[]));
    wait_until_connected(&server, &mut json_lines);
    wait_until_connected(&server, &mut text);
    let id = server.issue(json!({"user": "carol"}))["id"].clone();
    server.revoke(&id);
    let is_end =
        |line: &Value| line["type"] == "token.revoked" && line["token"] == id && line["reason"] == "ended";
    json_lines.wait_until("shown", |process| lines(process).iter().any(is_end));
    let words =
        [" token.revoked ", " actor=key:admin ", " reason=ended ", " user=carol", id.as_str().unwrap()];
    let is_whole = |line: &str| words.iter().all(|word| line.contains(word));
    text.wait_until("shown", |process| process.stdout().lines().any(is_whole));
    for mut process in [json_lines, text] {
        process.signal(Signal::INT);
        assert_eq!(process.wait().code(), Some(0), "{}", process.log());
        assert_eq!(process.stderr(), "");
    }
}

#[test]
fn events_are_filtered_by_user_and_type() {
    let server = Server::start(&[]);
    let mut process = follow(&server, &["--json", "--user=first", "--type", "token.issued,token.rotated"]);
    wait_until_connected(&server, &mut process);
    let (first, other) = (server.issue(json!({"user": "first"})), server.issue(json!({"user": "other"})));
    for token in [&other, &first] {
        server.revoke(&token["id"]);
    }
    let last = server.issue(json!({"user": "first"}))["id"].clone();
    process.wait_until("shown", |process| lines(process).iter().any(|line| line["token"] == last));
    for line in lines(&process) {
        assert_eq!((&line["user"], &line["type"]), (&json!("first"), &json!("token.issued")), "{line}");
    }
    process.signal(Signal::TERM);
    assert_eq!(process.wait().code(), Some(0));
}

/// The command notices without a further event that its reader has gone.
#[test]
fn a_closed_pipe_ends_the_command() {
    let server = Server::start(&[]);
    let url = url(&server);
    let settings = [("DOORWARD_ADMIN_URL", &*url), ("DOORWARD_ADMIN_KEY", ADMIN_KEY)];
    let mut process = run_in_shell("{ \"$0\" events --json; echo $? >&2; } | head -n 1", &settings);
    wait_until_connected(&server, &mut process);
    assert_eq!(process.wait().code(), Some(0), "{}", process.log());
    assert_eq!((process.stderr().as_str(), lines(&process).len()), ("0\n", 1), "{}", process.log());
}

#[test]
fn the_feed_is_resumed_after_a_restart_with_a_gap() {
    let dir = tempfile::tempdir().unwrap();
    let admin_listen = format!("unix:{}", dir.path().join("admin.sock").display());
    let mut server = Server::start(&[("DOORWARD_ADMIN_LISTEN", &admin_listen)]);
    let mut process = follow(&server, &["--json", "--user=first"]);
    wait_until_connected(&server, &mut process);
    server.restart();
    process.wait_until("gap", |process| lines(process).iter().any(|line| line["type"] == "gap"));
    let id = server.issue(json!({"user": "first"}))["id"].clone();
    process.wait_until("resumed", |process| lines(process).iter().any(|line| line["token"] == id));
    assert_eq!(process.stderr(), "feed lost, reconnecting\nfeed resumed\n");
    process.signal(Signal::INT);
    assert_eq!(process.wait().code(), Some(0));
}
