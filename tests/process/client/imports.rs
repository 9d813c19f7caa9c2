//! `doorward import`.

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use rustix::process::Signal;
use serde_json::{Value, json};

use super::support::url;
use crate::common::server::{ADMIN_KEY, Server, run_in_shell};

/// Runs `doorward import` with these arguments on a file; returns the exit code and both outputs.
fn import(server: &Server, args: &str, export: &Path) -> (i32, String, String) {
    let line = format!("\"$0\" import {args} < '{}'", export.display());
    let settings = [("DOORWARD_ADMIN_URL", url(server)), ("DOORWARD_ADMIN_KEY", ADMIN_KEY.to_owned())];
    let mut process = run_in_shell(&line, &settings.each_ref().map(|(name, value)| (*name, value.as_str())));
    let status = process.wait();
    (status.code().expect("not killed"), process.stdout(), process.stderr())
}

/// Writes an export; returns its file.
fn export(lines: &[Value]) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    fs::write(file.path(), text).unwrap();
    file
}

#[test]
fn an_export_is_imported_and_importing_it_again_changes_nothing() {
    let server = Server::start(&[]);
    let line = |n| json!({"token": format!("{n:040x}"), "user": format!("user {}", n % 700)});
    let file = export(&(0..2500).map(line).collect::<Vec<_>>());
    let (code, stdout, stderr) = import(&server, "--format drf --dry-run", file.path());
    assert_eq!((code, stderr.as_str()), (0, ""), "{stdout}");
    assert_eq!(stdout, "2500 would be imported, 0 imported before, 0 skipped\n");
    let (code, stdout, stderr) = import(&server, "--format drf", file.path());
    assert_eq!((code, stdout.as_str()), (0, "2500 imported, 0 imported before, 0 skipped\n"), "{stderr}");
    let (code, stdout, _) = import(&server, "--format drf --json --from-line 2000", file.path());
    let summary: Value = serde_json::from_str(&stdout).unwrap();
    let expected = json!({"dry_run": false, "last_line": 2500, "imported": 0, "exists": 501, "skipped": 0,
        "reasons": []});
    assert_eq!((code, summary), (0, expected));
    let tokens = server.call("GET", "/v1/users/user%2069/tokens", None).json();
    assert_eq!(tokens["tokens"].as_array().unwrap().len(), 4);
    assert_eq!(tokens["tokens"][0]["origin"], "drf");
}

#[test]
fn skipped_lines_are_named_by_number_and_reason_without_secrets() {
    let server = Server::start(&[]);
    let file = tempfile::NamedTempFile::new().unwrap();
    let past = json!({"token": "x".repeat(40), "user": "u", "expires_at": "2020-01-01T00:00:00Z"});
    let text = format!(
        "{}\n\nhunter2\n{}\n{}\n{past}\n{past}\n",
        json!({"token": "hunter2-0123456789", "user": "u"}),
        json!({"token": "hunter2 ", "user": "u"}),
        json!({"token": "hunter2-01234567890", "user": "-"}),
    );
    fs::write(file.path(), text).unwrap();
    let (code, stdout, stderr) = import(&server, "--format sha256", file.path());
    assert_eq!((code, stderr.as_str()), (1, "5 lines were skipped\n"));
    assert_eq!(
        stdout,
        "1 imported, 0 imported before, 5 skipped\n  \
         2 skipped: expires_at: is past (lines 6, 7)\n  \
         1 skipped: is not a JSON object (line 3)\n  \
         1 skipped: token: must be 1 to 512 visible ASCII characters (line 4)\n  \
         1 skipped: user: must not be \"-\", which stands for none (line 5)\n"
    );
    assert!(!server.log().contains("hunter2"));
}

/// The digest that the server would compute with the secret of a form.
#[test]
fn plaintext_tokens_are_hashed_here() {
    let secret = tempfile::NamedTempFile::new().unwrap();
    fs::write(secret.path(), "s3cret\n").unwrap();
    let secret = secret.path().display();
    let forms = format!("old:scheme=django-auth-token+secret-file={secret}");
    let server = Server::start(&[("DOORWARD_FOREIGN", &forms)]);
    let token = "Az09".repeat(10);
    let file = export(&[json!({"token": token, "user": "alice"})]);
    let (code, stdout, _) = import(&server, "--format django-auth-token", file.path());
    assert_eq!(code, 1);
    assert!(stdout.contains("token: needs the secret of the system: see --secret-file"), "{stdout}");
    let args = format!("--format django-auth-token --secret-file '{secret}'");
    let (code, stdout, stderr) = import(&server, &args, file.path());
    assert_eq!((code, stdout.as_str()), (0, "1 imported, 0 imported before, 0 skipped\n"), "{stderr}");
    let auth = server.validation().get("/auth", &[("Authorization", &format!("Bearer {token}"))]);
    assert_eq!(auth.header("x-auth-user"), Some("alice"));
    let (code, _, stderr) = import(&server, &args.replace("auth-token ", "auth-token-plain "), file.path());
    assert_eq!(code, 78);
    assert!(stderr.contains("--secret-file"), "{stderr}");
}

#[test]
fn a_node_that_is_away_is_asked_again_and_a_refusal_is_not_repeated() {
    let mut server = Server::start(&[]);
    let file = export(&[json!({"token": "x".repeat(40), "user": "u"})]);
    let other = [
        ("DOORWARD_ADMIN_URL", url(&server)),
        ("DOORWARD_ADMIN_KEY", "another-key-0123456789-0123456789".into()),
    ];
    let settings = other.each_ref().map(|(name, value): &(&str, String)| (*name, value.as_str()));
    let line = format!("\"$0\" import --format sha256 < '{}'", file.path().display());
    let mut refused = run_in_shell(&line, &settings);
    assert_eq!(refused.wait().code(), Some(1));
    assert!(refused.stderr().starts_with("refused: 401 "), "{}", refused.stderr());
    assert!(refused.stderr().contains("go on with --from-line 1"), "{}", refused.stderr());

    let settings = [("DOORWARD_ADMIN_URL", url(&server)), ("DOORWARD_ADMIN_KEY", ADMIN_KEY.into())];
    let settings = settings.each_ref().map(|(name, value): &(&str, String)| (*name, value.as_str()));
    server.kill9();
    let mut away = run_in_shell(&line, &settings);
    away.wait_until("repetitions", |process| process.stderr().matches("trying again in ").count() >= 2);
    assert!(away.stderr().contains("trying again in 500 ms: unreachable: "), "{}", away.stderr());
}

/// Even if as many calls as allowed are under way, and none of them ends.
#[test]
fn a_signal_stops_an_import_and_a_second_one_ends_it_at_once() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let node = format!("http://{}", silent.local_addr().unwrap());
    let settings = [("DOORWARD_ADMIN_URL", node.as_str()), ("DOORWARD_ADMIN_KEY", ADMIN_KEY)];
    let file = export(&vec![json!({"token": "x".repeat(40), "user": "u"}); 6000]);
    let line = format!("exec \"$0\" import --timeout 1m --format sha256 < '{}'", file.path().display());
    let mut process = run_in_shell(&line, &settings);
    let _calls: Vec<_> = (0..4).map(|_| silent.accept().unwrap()).collect();
    process.signal(Signal::INT);
    process.wait_until("the stop", |process| process.stderr().contains("a second signal ends at once"));
    process.signal(Signal::INT);
    assert_eq!(process.wait().code(), Some(1));
}

#[test]
fn device_keys_are_imported_from_their_export() {
    let server = Server::start(&[]);
    let hash = "pbkdf2_sha256$1000$seasalt$CxUyHE/3OkofOOWxLqzkoA3DYPV4bs6cnGcS8DdWSq4=";
    let line = |user: &str, hash: &str| json!({"user": user, "uuid": "phone", "hash": hash});
    let file = export(&[line("alice", hash), line("bob", hash), line("carol", "hunter2")]);
    let (code, stdout, stderr) = import(&server, "--format django-auth-token-devices", file.path());
    assert_eq!(code, 1, "{stderr}");
    assert!(stdout.starts_with("2 imported, 0 imported before, 1 skipped\n"), "{stdout}");
    assert!(stdout.contains("hash: must be of the form") && !stdout.contains("hunter2"), "{stdout}");
    let devices = server.call("GET", "/v1/users/bob/devices", None).json();
    assert_eq!(devices["devices"][0]["origin"], "django-auth-token");
}
