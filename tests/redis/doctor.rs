//! `doorward doctor` on broken and healthy installations. A node on the same store reports the same causes in its log and
//! in its status.

use std::os::unix::fs::PermissionsExt as _;
use std::thread;

use serde_json::Value;

use super::inspection::start_old_server;
use super::nodes::{lines, start, status};
use crate::common::cluster::RedisCluster;
use crate::common::ports::Port;
use crate::common::process::{Process, wait_for};
use crate::common::redis::{RedisServer, USER};
use crate::common::sentinel::Sentinels;
use crate::common::server::{ADMIN_KEY, Server, run, run_in_shell, text};
use crate::common::tls::Authority;

const WRONG_PASSWORD: &str = "hunter2-of-the-tests";
/// A busy machine must not count as an outage, and few connections need few files.
const SETTINGS: [(&str, &str); 5] = [
    ("DOORWARD_LISTEN", "127.0.0.1:0"),
    ("DOORWARD_ADMIN_LISTEN", "127.0.0.1:0"),
    ("DOORWARD_ADMIN_KEY", ADMIN_KEY),
    ("DOORWARD_MAX_CONNECTIONS", "100"),
    ("DOORWARD_REDIS_TIMEOUT", "3s"),
];

/// The output of a doctor.
struct Diagnosis {
    exit_code: i32,
    checks: Vec<Value>,
}

impl Diagnosis {
    fn of(mut process: Process) -> Self {
        let exit_code = process.wait().code().unwrap();
        for secret in [USER.1, WRONG_PASSWORD, ADMIN_KEY] {
            assert!(!process.log().contains(secret), "{}", process.log());
        }
        let report: Value = serde_json::from_str(&process.stdout())
            .unwrap_or_else(|error| panic!("{error}: {}", process.log()));
        let checks = report["checks"].as_array().unwrap().clone();
        let is_faulty = checks.iter().any(|check| check["result"] == "fault");
        assert_eq!((report["healthy"] == false, exit_code), (is_faulty, i32::from(is_faulty)), "{report}");
        Self { exit_code, checks }
    }

    /// Returns the checks with this name.
    fn named(&self, name: &str) -> Vec<&Value> {
        self.checks.iter().filter(|check| check["check"] == name).collect()
    }

    /// Returns the check with this name; panics unless there is exactly one.
    fn only(&self, name: &str) -> &Value {
        let [check] = self.named(name)[..] else { panic!("{name}: {:#?}", self.checks) };
        check
    }

    /// Returns the checks with a warning or a fault.
    fn problems(&self) -> Vec<&Value> {
        self.checks.iter().filter(|check| !check["fix"].is_null()).collect()
    }
}

fn doctor_with(settings: &[(&str, &str)]) -> Diagnosis {
    Diagnosis::of(run(&["doctor", "--json"], &[&SETTINGS[..], settings].concat()))
}

fn doctor(redis_url: &str) -> Diagnosis {
    doctor_with(&[("DOORWARD_REDIS_URL", redis_url)])
}

/// An expected report: the check, its result, the kind of fault, a part of the cause and a part of the fix.
type Expected<'a> = (&'a str, &'a str, &'a str, &'a str, &'a str);

/// The doctor and a node report the same cause and the same fix.
fn assert_reported(redis_url: &str, message: &str, (name, result, kind, cause, fix): Expected<'_>) {
    let diagnosis = doctor(redis_url);
    let is_it = |check: &&&Value| check["kind"] == kind;
    let named = diagnosis.named(name);
    let check = named.iter().find(is_it).unwrap_or_else(|| panic!("{kind}: {:#?}", diagnosis.checks));
    assert_eq!(check["result"], result, "{check}");
    assert!(text(&check["found"]).contains(cause) && text(&check["fix"]).contains(fix), "{check}");

    let plain = run(&["doctor"], &[&SETTINGS[..], &[("DOORWARD_REDIS_URL", redis_url)]].concat());
    let mut plain = plain;
    assert_eq!(plain.wait().code(), Some(diagnosis.exit_code));
    let printed = plain.stdout();
    assert!(
        printed.contains(cause) && printed.contains(&format!("fix: {}", text(&check["fix"]))),
        "{printed}"
    );
    assert!(!printed.contains(WRONG_PASSWORD) && !printed.contains(USER.1), "{printed}");

    let server = start(redis_url);
    let fault = wait_for(&format!("the node reports {kind}"), || {
        let status = status(&server);
        status["faults"].as_array().unwrap().iter().find(|fault| fault["kind"] == kind).cloned()
    });
    assert_eq!(fault["fix"], check["fix"]);
    assert!(text(&fault["cause"]).contains(cause), "{fault}");
    wait_for("the node logs it", || (lines(&server, message) > 0).then_some(()));
    let log = server.log();
    let line = log.lines().find(|line| line.contains(message)).unwrap();
    assert!(line.contains(cause) && line.contains("fix="), "{line}");
    assert!(!log.contains(WRONG_PASSWORD) && !log.contains(USER.1), "{log}");
    // The status and the log agree on how bad it is.
    assert_eq!(fault["severity"] == "warning", line.contains("WARN"), "{line}");
    assert_eq!(fault["fatal"] == true, status(&server)["ready"] == false, "{line}");
}

#[test]
fn a_refused_password_is_reported() {
    let redis = RedisServer::start_durable();
    let url = format!("redis://{}:{WRONG_PASSWORD}@127.0.0.1:{}", USER.0, redis.port());
    let expected = ("login", "fault", "login", "refuses user or password", "redis-url");
    assert_reported(&url, "redis login refused", expected);
    let diagnosis = doctor(&url);
    assert_eq!(diagnosis.only("connection")["result"], "ok");
    assert_eq!(diagnosis.only("schema")["result"], "not_checked");
}

#[test]
fn a_missing_permission_is_reported() {
    let redis = RedisServer::start_durable();
    redis.set_user(&["-hmget"]);
    let expected = ("permissions", "fault", "permission", "may not run HMGET", "ACL SETUSER doorward +hmget");
    assert_reported(&redis.url(), "redis user lacks a permission", expected);
}

#[test]
fn an_evicting_store_is_reported() {
    let redis = RedisServer::start_durable();
    redis.cli(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    let expected = ("memory", "fault", "eviction", "maxmemory-policy is allkeys-lru", "noeviction");
    assert_reported(&redis.url(), "redis evicts keys", expected);
}

#[test]
fn a_read_only_replica_is_reported() {
    let master = RedisServer::start_durable();
    let port = master.port().to_string();
    let replica = RedisServer::with_args(&["--replicaof", "127.0.0.1", &port]);
    let cause = format!("a replica of 127.0.0.1:{port}");
    let expected = ("writes", "fault", "replica", cause.as_str(), "must name the master");
    assert_reported(&replica.url(), "redis is a replica", expected);
}

#[test]
fn a_full_store_is_reported() {
    let redis = RedisServer::start_durable();
    // A node must have written the schema before.
    drop(Server::on(&redis, &[]));
    redis.cli(&["CONFIG", "SET", "maxmemory", "1"]);
    let expected = ("memory", "fault", "memory_full", "new tokens are refused", "CONFIG SET maxmemory");
    assert_reported(&redis.url(), "redis memory full", expected);
    let used: u64 = redis.info("memory", "used_memory").parse().unwrap();
    redis.cli(&["CONFIG", "SET", "maxmemory", &(used + used / 20).to_string()]);
    assert_eq!(doctor(&redis.url()).only("memory")["kind"], "memory_low");
}

#[test]
fn another_schema_is_reported() {
    let redis = RedisServer::start_durable();
    redis.cli(&["SET", "dw:m:schema", "4"]);
    let expected = ("schema", "fault", "schema", "dw:m:schema is", "version of Doorward");
    assert_reported(&redis.url(), "redis schema version not supported", expected);
    assert_eq!(redis.keys(), ["dw:m:schema"]);
}

#[cfg(target_os = "linux")] // libfaketime
#[test]
fn a_far_clock_is_reported() {
    let clock = crate::common::fake_time::FakeTime::new("+3d");
    let redis = RedisServer::with_clock(&["--appendonly", "yes"], &clock);
    let expected = ("clock", "fault", "system_clock", "ms ahead of this machine's", "NTP");
    assert_reported(&redis.url(), "redis clock differs from this machine's", expected);
}

#[test]
fn missing_persistence_is_a_warning() {
    let redis = RedisServer::start();
    let expected = ("persistence", "warning", "persistence", "appendonly is no", "CONFIG SET appendonly yes");
    assert_reported(&redis.url(), "redis persistence insufficient", expected);
    assert_eq!(doctor(&redis.url()).exit_code, 0);
    // With a user that may read the settings, the cause is exact.
    redis.set_user(&["+config|get"]);
    assert!(text(&doctor(&redis.url()).only("persistence")["found"]).contains("loses every token"));
    redis.cli(&["CONFIG", "SET", "appendonly", "yes", "appendfsync", "no"]);
    assert!(text(&doctor(&redis.url()).only("persistence")["found"]).contains("appendfsync is no"));
}

#[test]
fn a_failed_snapshot_is_a_warning() {
    let redis = RedisServer::start_durable();
    std::fs::create_dir(redis.socket().with_file_name("dump.rdb")).unwrap();
    redis.cli(&["BGSAVE"]);
    wait_for("the snapshot fails", || {
        (redis.info("persistence", "rdb_last_bgsave_status") == "err").then_some(())
    });
    let diagnosis = doctor(&redis.url());
    assert!(text(&diagnosis.only("persistence")["found"]).contains("the last snapshot failed"));
    redis.cli(&["CONFIG", "SET", "stop-writes-on-bgsave-error", "yes", "save", "3600 1"]);
    let diagnosis = doctor(&redis.url());
    assert_eq!(diagnosis.only("writes")["kind"], "writes_refused");
    assert!(text(&diagnosis.only("writes")["fix"]).contains("disk space"));
}

#[test]
fn an_old_version_is_reported() {
    let expected = ("version", "fault", "version", "redis 6.2.14", "Redis 7.0");
    assert_reported(&start_old_server(), "redis version not supported", expected);
}

#[test]
fn an_unreachable_store_is_reported_and_the_rest_is_not_checked() {
    let unused = Port::reserve();
    let url = format!("redis://{}:{WRONG_PASSWORD}@127.0.0.1:{}", USER.0, unused.number());
    let expected = ("connection", "fault", "unreachable", "Connection refused", "redis-url");
    assert_reported(&url, "redis unreachable", expected);
    let diagnosis = doctor(&url);
    for name in ["login", "version", "permissions", "schema", "clock", "persistence", "tracking", "events"] {
        assert_eq!(diagnosis.only(name)["result"], "not_checked", "{name}");
    }
    let unknown = doctor(&format!("redis://{}:{WRONG_PASSWORD}@no-such-host.invalid", USER.0));
    assert_eq!(unknown.only("name resolution")["result"], "fault");
    assert_eq!(unknown.only("connection")["result"], "not_checked");
}

#[test]
fn a_silent_store_is_reported() {
    let redis = RedisServer::start();
    redis.freeze();
    let diagnosis = doctor_with(&[("DOORWARD_REDIS_URL", &redis.url()), ("DOORWARD_REDIS_TIMEOUT", "100ms")]);
    assert_eq!(diagnosis.only("connection")["kind"], "unreachable");
    redis.thaw();
}

/// Everything is well, and the doctor leaves nothing behind, whether or not a node runs.
#[test]
fn a_healthy_installation_has_no_problem() {
    let redis = RedisServer::start_durable();
    let authority = Authority::new();
    let identity = authority.issue_for_days("node", 100);
    std::fs::set_permissions(&identity.key, std::fs::Permissions::from_mode(0o600)).unwrap();
    let url = redis.url();
    let settings = [
        ("DOORWARD_REDIS_URL", url.as_str()),
        ("DOORWARD_TLS_CERT", identity.cert()),
        ("DOORWARD_TLS_KEY", identity.key()),
    ];
    let diagnosis = doctor_with(&settings);
    assert_eq!((diagnosis.problems(), diagnosis.exit_code), (Vec::new(), 0));
    assert!(diagnosis.checks.iter().all(|check| check["result"] == "ok"), "{:#?}", diagnosis.checks);
    assert_eq!(redis.keys(), [""; 0]);

    let server = Server::start(&[&settings[..], &SETTINGS[3..]].concat());
    server.issue(serde_json::json!({}));
    let kept = redis.keys();
    let beside = doctor_with(
        &[
            &settings[..],
            &[("DOORWARD_LISTEN", server.listen()), ("DOORWARD_ADMIN_LISTEN", server.admin_listen())],
        ]
        .concat(),
    );
    assert_eq!((beside.problems(), beside.exit_code), (Vec::new(), 0));
    let in_use = beside.named("listen addresses");
    assert!(
        in_use.iter().all(|check| text(&check["found"]).contains("in use by a running Doorward")),
        "{in_use:?}"
    );
    assert!(text(&beside.only("schema")["found"]).contains("a token key"));
    assert_eq!(redis.keys(), kept);
}

#[test]
fn certificates_and_key_files_are_checked() {
    let authority = Authority::new();
    let check = |days: i32| {
        let identity = authority.issue_for_days("node", days);
        std::fs::set_permissions(&identity.key, std::fs::Permissions::from_mode(0o604)).unwrap();
        doctor_with(&[("DOORWARD_TLS_CERT", identity.cert()), ("DOORWARD_TLS_KEY", identity.key())])
    };
    for (days, result, found) in
        [(-1, "fault", "expired on"), (13, "warning", "expires in"), (15, "ok", "valid until")]
    {
        let diagnosis = check(days);
        let certificate = diagnosis.only("certificates");
        assert_eq!(certificate["result"], result, "{certificate}");
        assert!(text(&certificate["found"]).contains(found), "{certificate}");
        assert_eq!(diagnosis.only("key files")["result"], "warning");
    }
    let [one, other] = ["one", "other"].map(|name| authority.issue(name));
    let swapped = doctor_with(&[("DOORWARD_TLS_CERT", one.cert()), ("DOORWARD_TLS_KEY", other.key())]);
    assert!(text(&swapped.only("certificates")["found"]).contains("not the key of the certificate"));
    assert_eq!(swapped.exit_code, 1);
}

#[test]
fn files_with_secrets_are_checked() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, "0123456789abcdef".repeat(4)).unwrap();
    for (mode, result) in [(0o600, "ok"), (0o640, "ok"), (0o644, "warning")] {
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        let diagnosis = doctor_with(&[("DOORWARD_TOKEN_KEYS_FILE", file.path().to_str().unwrap())]);
        let check = diagnosis.only("key files");
        assert_eq!(check["result"], result, "{check}");
        assert!(check.to_string().contains("token-keys-file"), "{check}");
    }
}

#[test]
fn a_low_limit_on_open_files_is_reported() {
    for (limit, result) in [(150, "warning"), (40, "fault")] {
        let line = format!("ulimit -n {limit}; exec \"$0\" doctor --json");
        let diagnosis = Diagnosis::of(run_in_shell(&line, &SETTINGS));
        let check = diagnosis.only("open files");
        assert_eq!(check["result"], result, "{check}");
        assert!(text(&check["fix"]).contains("LimitNOFILE"), "{check}");
    }
}

#[test]
fn taken_addresses_and_foreign_keys_are_reported() {
    let redis = RedisServer::start_durable();
    redis.cli(&["SET", "dw:of-another-program", "1"]);
    // Redis does not answer HTTP.
    let taken = format!("127.0.0.1:{}", redis.port());
    let diagnosis = doctor_with(&[("DOORWARD_REDIS_URL", &redis.url()), ("DOORWARD_LISTEN", &taken)]);
    let keys = diagnosis.only("key-prefix");
    assert!(keys["result"] == "warning" && text(&keys["found"]).starts_with("1 of 1 keys"), "{keys}");
    let listeners = diagnosis.named("listen addresses");
    assert!(text(&listeners[0]["found"]).contains("another program"), "{listeners:?}");
    assert_eq!(diagnosis.exit_code, 1);
}

#[test]
fn wrong_settings_have_their_own_exit_code() {
    let mut process = run(&["doctor", "--json", "--lease", "1"], &SETTINGS);
    assert_eq!(process.wait().code(), Some(78), "{}", process.log());
    assert!(process.stderr().contains("lease"), "{}", process.log());
}

#[test]
fn an_expired_api_key_is_a_warning() {
    let key = format!("old:metrics:{}:expires=2020-01-01T00:00:00Z", "0".repeat(64));
    let diagnosis = doctor_with(&[("DOORWARD_API_KEYS", &key)]);
    let check = diagnosis.only("api keys");
    assert!(check["where"] == "old" && text(&check["found"]).contains("has expired"), "{check}");
}

#[test]
fn the_embedded_store_is_a_warning() {
    let diagnosis = doctor_with(&[]);
    assert_eq!((diagnosis.only("store")["result"].clone(), diagnosis.exit_code), ("warning".into(), 0));
}

#[test]
fn sentinels_and_replicas_are_checked() {
    let sentinels = Sentinels::start(5_000);
    let diagnosis = doctor(&sentinels.url());
    let port = sentinels.servers[0].port();
    assert_eq!(diagnosis.only("connection")["found"], format!("127.0.0.1:{port}"));
    assert_eq!(diagnosis.only("replication")["result"], "ok", "{:#?}", diagnosis.checks);
    assert_eq!(diagnosis.exit_code, 0);
    let [master, replica] = &sentinels.servers[..] else { panic!() };
    replica.cli(&["REPLICAOF", "127.0.0.1", "1"]);
    wait_for("the replica is gone", || (master.info("replication", "connected_slaves") == "0").then_some(()));
    let alone = doctor(&sentinels.url());
    assert_eq!(
        (&alone.only("replication")["result"], &alone.only("replication")["kind"]),
        (&"warning".into(), &"replication".into())
    );
}

#[test]
fn a_cluster_is_checked() {
    let cluster = RedisCluster::start();
    let diagnosis = doctor(&cluster.url());
    let found = &diagnosis.only("cluster")["found"];
    assert_eq!(found, "3 masters, all slots have one", "{:#?}", diagnosis.checks);
    assert_eq!(diagnosis.named("persistence").len(), 3);
    assert_eq!(diagnosis.exit_code, 0);
    thread::scope(|scope| {
        for master in &cluster.masters {
            scope.spawn(|| master.cli(&["CLUSTER", "DELSLOTS", "100"]));
        }
    });
    let incomplete = doctor(&cluster.url());
    let found = text(&incomplete.only("cluster")["found"]);
    assert!(found.contains("1 of 16384 slots"), "{:#?}", incomplete.checks);
    assert_eq!(incomplete.exit_code, 1);
}
