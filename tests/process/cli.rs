//! The command line: outputs, exit codes, configuration errors and sockets.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::Signal;
use serde_json::{Value, json};

use super::outcome::outcome;
use crate::common::http::Client;
use crate::common::http2::Http2;
use crate::common::process::{Process, wait_for};
use crate::common::server::{
    ADMIN_KEY, Server, assert_invalid_token, assert_no_token, binary, command, identity, key, run,
    run_in_shell, wait_ready,
};

const PORTS: [(&str, &str); 2] =
    [("DOORWARD_LISTEN", "127.0.0.1:0"), ("DOORWARD_ADMIN_LISTEN", "127.0.0.1:0")];

fn hash_key(key: &str) -> (Option<i32>, String, String) {
    let mut child = Command::new(binary())
        .arg("hash-key")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(key.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn help_and_version_are_printed() {
    let (code, help, stderr) = outcome(&["--help"], &[]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    for word in [
        "check-config",
        "healthcheck",
        "hash-key",
        "--listen",
        "--admin-listen",
        "--redis-url",
        "DOORWARD_ADMIN_KEY",
    ] {
        assert!(help.contains(word), "{word}: {help}");
    }
    assert!(!help.contains("--admin-key"), "secrets have no flag");
    let (code, version, _) = outcome(&["--version"], &[]);
    assert_eq!((code, version.trim()), (0, concat!("doorward ", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn all_configuration_errors_are_reported_at_once() {
    let secret = "short-secret";
    let settings = [
        ("DOORWARD_LISTEN", "nonsense"),
        ("DOORWARD_LEASE", "fast"),
        ("DOORWARD_COOKIE_NAME", "a b"),
        ("DOORWARD_ADMIN_KEY", secret),
        ("DOORWARD_REDIS_URL", "redis://user:hunter2hunter2@host:notaport"),
        ("DOORWARD_NO_SUCH_SETTING", "1"),
    ];
    for args in [&["check-config", "--drain-timeout", "soon"][..], &["--drain-timeout", "soon"]] {
        let (code, stdout, stderr) = outcome(args, &settings);
        assert_eq!((code, stdout.as_str()), (78, ""), "{stderr}");
        for name in
            ["listen", "lease", "cookie-name", "admin-key", "redis-url", "drain-timeout", "NO_SUCH_SETTING"]
        {
            assert!(stderr.contains(name), "{name}: {stderr}");
        }
        assert!(!stderr.contains(secret) && !stderr.contains("hunter2"), "{stderr}");
    }
    // A value that may be a misplaced secret is not repeated.
    for args in
        [&["--no-such-flag"][..], &["serve-me"], &["--admin-key", ADMIN_KEY], &["--config", "/nonexistent"]]
    {
        let (code, _, stderr) = outcome(args, &PORTS);
        assert_eq!(code, 78, "{args:?}: {stderr}");
        assert!(!stderr.is_empty() && !stderr.contains(ADMIN_KEY), "{args:?}: {stderr}");
    }
}

#[test]
fn redis_without_an_admin_key_is_an_error() {
    let (code, _, stderr) =
        outcome(&[], &[&PORTS[..], &[("DOORWARD_REDIS_URL", "redis://127.0.0.1:1")]].concat());
    assert_eq!(code, 78);
    assert!(stderr.contains("admin-key") && stderr.contains("DOORWARD_ADMIN_KEY"), "{stderr}");
}

#[test]
fn a_retention_within_the_replay_window_is_an_error() {
    let settings = [
        ("DOORWARD_ADMIN_KEY", ADMIN_KEY),
        ("DOORWARD_REDIS_URL", "redis://127.0.0.1:1"),
        ("DOORWARD_REVOKED_RETENTION", "1m"),
    ];
    for args in [&["check-config"][..], &[]] {
        let (code, _, stderr) = outcome(args, &[&PORTS[..], &settings].concat());
        assert_eq!(code, 78, "{stderr}");
        assert!(stderr.contains("revoked-retention") && stderr.contains("replay-window"), "{stderr}");
    }
}

#[test]
fn check_config_prints_all_settings_without_secrets() {
    let dir = tempfile::tempdir().unwrap();
    let (file, key_file) = (dir.path().join("doorward.toml"), dir.path().join("key"));
    std::fs::write(&file, "cookie-name = \"from-file\"\nlease = \"3s\"\nflush-queue = 7\n").unwrap();
    std::fs::write(&key_file, format!("{ADMIN_KEY}\n")).unwrap();
    let settings = [
        ("DOORWARD_CONFIG", file.to_str().unwrap()),
        ("DOORWARD_ADMIN_KEY_FILE", key_file.to_str().unwrap()),
        ("DOORWARD_REDIS_URL", "redis://default:hunter2hunter2@redis.example:7000/2"),
        ("DOORWARD_TOKEN_KEYS", "a-check-key-of-the-tests-0123456789"),
        ("DOORWARD_LEASE", "4s"),
        ("DOORWARD_FLUSH_QUEUE", "8"),
    ];
    let (code, report, stderr) = outcome(&["check-config", "--flush-queue", "9"], &settings);
    assert_eq!((code, stderr.as_str()), (0, ""));
    for (name, value) in
        [("cookie-name", "from-file"), ("lease", "4s"), ("flush-queue", "9"), ("redis-url", "redis.example")]
    {
        let line = report
            .lines()
            .find(|line| line.trim_start().starts_with(name))
            .unwrap_or_else(|| panic!("{name}: {report}"));
        assert!(line.contains(value), "{line}");
    }
    for secret in [ADMIN_KEY, "hunter2", "a-check-key"] {
        assert!(!report.contains(secret), "{report}");
    }
}

#[test]
fn a_hashed_key_authenticates() {
    let key = "some-key-of-somebody-0123456789-abcd";
    let (code, hash, _) = hash_key(&format!("{key}\n"));
    let hash = hash.trim();
    assert_eq!(code, Some(0));
    let server = Server::start(&[("DOORWARD_API_KEYS", &format!("login:tokens:{hash}"))]);
    let bearer = format!("Bearer {key}");
    let body = json!({"user": "alice", "ip": "10.0.0.1"});
    let mut client = server.admin();
    assert_eq!(client.request("POST", "/v1/tokens", &[("Authorization", &bearer)], Some(&body)).status, 201);
    assert_eq!(client.get("/metrics", &[("Authorization", &bearer)]).status, 403);
    for bad in ["", "too few", "with a space in it 0123456789 0123456789"] {
        let (code, stdout, stderr) = hash_key(bad);
        assert_eq!((code, stdout.as_str()), (Some(78), ""), "{bad}");
        assert!(!stderr.is_empty() && (bad.is_empty() || !stderr.contains(bad)), "{stderr}");
    }
}

fn assert_key_works(admin_listen: &str, key: &str) {
    assert!(
        key.len() >= 32 && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_'),
        "{key}"
    );
    let mut client = Client::new(admin_listen);
    assert_eq!(client.get("/metrics", &[("Authorization", &format!("Bearer {key}"))]).status, 200);
    assert_eq!(client.get("/metrics", &[("Authorization", &format!("Bearer {ADMIN_KEY}"))]).status, 401);
}

#[test]
fn the_embedded_store_warns_and_prints_a_generated_key() {
    let mut process = run(&[], &PORTS);
    let (_, admin_listen) = wait_ready(&mut process);
    process.wait_until("printed", |process| process.stdout().contains("admin key"));
    let stdout = process.stdout();
    assert!(stdout.lines().next().unwrap().ends_with(" store=memory"), "{stdout}");
    assert!(stdout.contains("EMBEDDED STORE"), "{stdout}");
    let key = stdout.lines().find_map(|line| line.strip_prefix("admin key for this run: ")).unwrap();
    assert_key_works(&admin_listen, key);
    assert!(!process.stderr().contains(key), "shown once, not logged");
    let given = Server::start(&[]);
    assert!(!given.log().contains("admin key for this run") && !given.log().contains(ADMIN_KEY));
}

#[test]
fn with_json_logs_the_ready_line_is_json() {
    let mut process = run(&["--log-format", "json"], &PORTS);
    process.wait_until("ready", |process| process.stdout().contains('\n'));
    let stdout = process.stdout();
    let lines: Vec<Value> = stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ready = &lines[0];
    assert_eq!((&ready["message"], &ready["store"]), (&json!("ready"), &json!("memory")));
    assert!(ready["warning"].as_str().unwrap().contains("EMBEDDED STORE"), "{ready}");
    let address = |name: &str| ready[name].as_str().unwrap().to_owned();
    assert_eq!(Client::new(&address("listen")).get("/readyz", &[]).status, 200);
    assert_key_works(&address("admin-listen"), &address("admin-key"));
    for line in process.stderr().lines() {
        serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    }
}

#[test]
fn both_planes_can_listen_on_unix_sockets() {
    let dir = tempfile::tempdir().unwrap();
    let (listen, admin_listen) = (dir.path().join("validation.sock"), dir.path().join("admin.sock"));
    let unix = |path: &std::path::Path| format!("unix:{}", path.display());
    let (listen_setting, admin_setting) = (unix(&listen), unix(&admin_listen));
    let settings = [("DOORWARD_LISTEN", &*listen_setting), ("DOORWARD_ADMIN_LISTEN", &*admin_setting)];
    let mut server = Server::start(&settings);
    assert_eq!([server.listen(), server.admin_listen()], [&*listen_setting, &*admin_setting]);
    identity(&server.auth(&server.issue(json!({}))["token"]));
    assert_invalid_token(&server.auth(&json!("dw_x")));
    assert_eq!(outcome(&["healthcheck"], &settings).0, 0);

    // A socket in use is not removed.
    let (code, _, stderr) = outcome(&[], &settings);
    assert!(code == 1 && stderr.contains("listen"), "{code} {stderr}");
    assert_eq!(server.validation().get("/livez", &[]).status, 200);
    // A socket left behind by a crash is replaced.
    server.kill9();
    assert!(listen.exists() && admin_listen.exists());
    server.restart();
    assert_eq!(server.validation().get("/livez", &[]).status, 200);
    // A clean shutdown removes the socket.
    assert_eq!(server.terminate().code(), Some(0));
    assert!(!listen.exists() && !admin_listen.exists());
    // A file that is not a socket is not removed.
    std::fs::write(&listen, "precious").unwrap();
    let (code, _, stderr) = outcome(&[], &settings);
    assert!(code != 0 && stderr.contains("listen"), "{code} {stderr}");
    assert_eq!(std::fs::read_to_string(&listen).unwrap(), "precious");
}

#[test]
fn an_address_in_use_is_named() {
    let server = Server::start(&[]);
    for name in ["DOORWARD_LISTEN", "DOORWARD_ADMIN_LISTEN"] {
        let mut settings = PORTS.to_vec();
        settings.retain(|(other, _)| *other != name);
        settings.push((name, server.listen()));
        let mut process = run(&[], &settings);
        // Exit code 78 is for configuration errors.
        assert_eq!(process.wait().code(), Some(1));
        let setting = if name == "DOORWARD_LISTEN" { "listen:" } else { "admin-listen:" };
        let stderr = process.stderr();
        assert!(stderr.contains(setting) && stderr.contains(server.listen()), "{}", process.log());
    }
}

/// The permissions of a socket are set. A stopping server does not remove a file that another server put in its place.
#[test]
fn unix_sockets_have_a_mode_and_an_owner() {
    let dir = tempfile::tempdir().unwrap();
    let (listen, admin_listen) = (dir.path().join("validation.sock"), dir.path().join("admin.sock"));
    let unix = |path: &Path| format!("unix:{}", path.display());
    let (listen_setting, admin_setting) = (unix(&listen), unix(&admin_listen));
    let settings = [
        ("DOORWARD_LISTEN", &*listen_setting),
        ("DOORWARD_ADMIN_LISTEN", &*admin_setting),
        ("DOORWARD_UNIX_SOCKET_MODE", "660"),
    ];
    let mut old = Server::start(&settings);
    for path in [&listen, &admin_listen] {
        assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o660);
        std::fs::remove_file(path).unwrap();
    }
    let new = Server::start(&settings);
    assert_eq!(old.terminate().code(), Some(0));
    assert_eq!(new.validation().get("/livez", &[]).status, 200);
    assert_eq!(new.admin().get("/livez", &[]).status, 200);
    for bad in ["8", "66", "668", "rw-", "1777", "0o660"] {
        let (code, _, stderr) = outcome(&["check-config"], &[("DOORWARD_UNIX_SOCKET_MODE", bad)]);
        assert!(code == 78 && stderr.contains("unix-socket-mode"), "{bad}: {code} {stderr}");
    }
}

/// Returns how many lost log lines the server reports.
fn lost_lines(server: &str) -> u64 {
    let (name, key) = crate::common::server::key();
    let metrics = Client::new(server).get("/metrics", &[(name, key)]).text();
    let line = metrics.lines().find_map(|line| line.strip_prefix("doorward_log_lines_lost_total "));
    line.unwrap_or_else(|| panic!("{metrics}")).parse().unwrap()
}

/// Three unwritable logs: the disk is full, the reader has gone, the reader is stuck. Only log lines are lost.
#[test]
fn an_unwritable_log_loses_only_its_lines() {
    let full = || File::options().write(true).open("/dev/full").unwrap();
    let of_log = [
        ("DOORWARD_ADMIN_KEY", ADMIN_KEY),
        ("DOORWARD_LOG_LEVEL", "trace"),
        ("DOORWARD_ACCESS_LOG", "1/1"),
        ("DOORWARD_ACCESS_LOG_RATE", "100000"),
    ];
    let settings = [&PORTS[..], &of_log].concat();
    let (reader, gone) = std::io::pipe().unwrap();
    drop(reader);
    let (unread, full_pipe) = std::io::pipe().unwrap();
    for (what, stderr) in [("full", Stdio::from(full())), ("gone", gone.into()), ("unread", full_pipe.into())]
    {
        let mut command = command(binary(), &settings);
        let mut process = Process::spawn_with("doorward", &mut command, |stdout, _| (stdout.into(), stderr));
        drop(command);
        let (listen, admin_listen) = wait_ready(&mut process);
        // HTTP/2 logs the most at this level.
        let mut client = Http2::connect(&listen);
        wait_for(what, || {
            assert_no_token(&client.request("GET", "/auth", &[]));
            (lost_lines(&admin_listen) > 0).then_some(())
        });
        assert_no_token(&Client::new(&listen).get("/auth", &[]));
        // Lines of the access log and of the audit log do not wait, either.
        let body = json!({"user": "alice", "ip": "192.0.2.1"});
        let issued = Client::new(&admin_listen).request("POST", "/v1/tokens", &[key()], Some(&body));
        assert_eq!(issued.status, 201, "{}", issued.text());
        process.signal(Signal::TERM);
        assert_eq!(process.wait().code(), Some(0), "{what}");
    }
    drop(unread);
}

/// An unwritable standard output loses only the ready line.
#[test]
fn an_unwritable_ready_line_does_not_stop_the_server() {
    let dir = tempfile::tempdir().unwrap();
    let paths = ["validation", "admin"].map(|name| format!("unix:{}", dir.path().join(name).display()));
    let settings = [("DOORWARD_LISTEN", &*paths[0]), ("DOORWARD_ADMIN_LISTEN", &*paths[1])];
    let mut process = run_in_shell("exec \"$0\" > /dev/full 2> /dev/full", &settings);
    for path in &paths {
        wait_for("an answer", || Client::new(path).try_send("GET /livez HTTP/1.1\r\nHost: a\r\n\r\n").ok());
    }
    process.signal(Signal::TERM);
    assert_eq!(process.wait().code(), Some(0));
}

#[test]
fn sighup_does_not_stop_the_server() {
    let mut server = Server::start(&[]);
    for _ in 0..3 {
        server.process().signal(Signal::HUP);
        assert_eq!(server.validation().get("/readyz", &[]).status, 200);
    }
    assert_eq!(server.terminate().code(), Some(0));
}

#[test]
fn an_unread_standard_output_delays_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let listen = format!("unix:{}", directory.path().join("socket").display());
    let settings = [("DOORWARD_LISTEN", &*listen), ("DOORWARD_ADMIN_LISTEN", "127.0.0.1:0")];
    let (_reader, mut writer) = std::io::pipe().unwrap();
    // Fills the pipe (pipe(7)), so that the ready line cannot be written.
    writer.write_all(&[b'a'; 64 * 1024]).unwrap();
    let mut command = command(binary(), &settings);
    let mut process =
        Process::spawn_with("doorward", &mut command, |_, stderr| (writer.into(), stderr.into()));
    wait_for("an answer", || {
        let mut client = directory.path().join("socket").exists().then(|| Client::new(&listen))?;
        (client.try_send("GET /livez HTTP/1.1\r\nHost: a\r\n\r\n").ok()?.status == 200).then_some(())
    });
    process.signal(Signal::TERM);
    assert_eq!(process.wait().code(), Some(0), "{}", process.log());
}
