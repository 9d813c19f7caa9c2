//! The command: exit codes, output, signals.

use rustix::process::Signal;
use serde_json::{Value, json};

use super::support::user_key;
use crate::common::redis::RedisServer;
use crate::common::server::{ADMIN_KEY, run};
use crate::common::store::TestStore;
use crate::process::outcome::outcome;

/// Runs `doorward verify` on this server. Returns the exit code and both outputs.
fn verify(redis: &RedisServer, args: &[&str]) -> (i32, String, String) {
    at(&redis.url(), args)
}

fn at(url: &str, args: &[&str]) -> (i32, String, String) {
    let settings = [("DOORWARD_REDIS_URL", url), ("DOORWARD_ADMIN_KEY", ADMIN_KEY)];
    outcome(&[&["verify"], args].concat(), &settings)
}

async fn damaged(redis: &RedisServer) -> TestStore {
    let on = TestStore::in_real_time(redis).await;
    on.issue("alice", doorward::system::Clock::system().now_ms()).await;
    redis.cli(&["PERSIST", &user_key(&on, 'u', "alice")]);
    on
}

#[tokio::test]
async fn the_exit_code_says_whether_there_is_damage() {
    let redis = RedisServer::start();
    let (code, text, stderr) = verify(&redis, &[]);
    assert_eq!((code, text.contains("No damage was found.")), (0, true), "{text}{stderr}");
    assert_eq!(redis.keys(), [] as [String; 0], "a dry run writes nothing, not even the schema");

    let _on = damaged(&redis).await;
    let (code, text, _) = verify(&redis, &[]);
    assert_eq!(code, 1, "{text}");
    for part in ["missing-ttl", "}:<user>", "With --repair, 1 can be repaired."] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let (code, text, _) = verify(&redis, &["--repair", "--json", "--show-users"]);
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (code, &report["damage_left"], &report["is_complete"]),
        (0, &json!(0), &json!(true)),
        "{text}"
    );
    assert_eq!(report["findings"][0]["kind"], "missing-ttl");
    assert!(report["findings"][0]["examples"][0].as_str().unwrap().ends_with("}:alice"), "{text}");
    assert_eq!(verify(&redis, &[]).0, 0);
}

#[tokio::test]
async fn a_store_that_cannot_be_verified_has_another_exit_code_than_damage() {
    let redis = RedisServer::start();
    let embedded = outcome(&["verify"], &[]);
    assert_eq!(embedded.0, 78, "{embedded:?}");
    assert!(embedded.2.contains("embedded store"), "{embedded:?}");
    for rate in ["0", "fast"] {
        let (code, _, stderr) = verify(&redis, &["--rate", rate]);
        assert_eq!((code, stderr.contains("rate")), (78, true), "{stderr}");
    }
    redis.cli(&["SET", "dw:m:schema", "another"]);
    let (code, stdout, stderr) = verify(&redis, &["--repair"]);
    assert_eq!((code, stdout.as_str()), (2, ""), "{stderr}");
    assert!(stderr.contains("fix:"), "{stderr}");
    let url = redis.url();
    drop(redis);
    let (code, _, stderr) = at(&url, &[]);
    assert_eq!((code, stderr.is_empty()), (2, false), "{stderr}");
}

#[tokio::test]
async fn an_interrupted_run_prints_what_it_has_seen() {
    let redis = RedisServer::start();
    let _on = damaged(&redis).await;
    let script = "for n = 1, 5000 do redis.call('SET', 'other:' .. n, 1) end";
    redis.cli(&["EVAL", script, "0"]);
    let settings = [("DOORWARD_REDIS_URL", redis.url()), ("DOORWARD_ADMIN_KEY", ADMIN_KEY.to_owned())];
    let settings = settings.each_ref().map(|(name, value)| (*name, value.as_str()));
    let mut process = run(&["verify", "--rate", "100"], &settings);
    process.wait_until("it reads", |_| redis.cli(&["INFO", "commandstats"]).contains("cmdstat_scan"));
    process.signal(Signal::INT);
    let code = process.wait().code();
    let text = process.stdout();
    assert!(matches!(code, Some(1 | 2)), "{code:?} {text}");
    assert!(text.contains("INCOMPLETE: the run was stopped."), "{text}{}", process.stderr());
    assert!(text.contains("Checked "), "{text}");
}
