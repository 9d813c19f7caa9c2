//! A Redis user that lacks permissions.

use std::collections::BTreeSet;
use std::{fs, thread};

use doorward::internals::store::redis::schema::script_guard::{arguments_after_key, commands_in};
use serde_json::Value;

use super::nodes::*;
use crate::common::process::wait_for;
use crate::common::recovery::{await_ready, await_unready, ready};
use crate::common::redis::RedisServer;
use crate::common::server::{Server, text};

/// A permission taken from the user; what the log and the status then name; and whether sessions are still judged.
const RESTRICTED: [(&str, &str, &str, bool); 22] = [
    ("resetchannels", "command=PUBLISH,SUBSCRIBE channel=dw:events:0", "&dw:*", false),
    ("resetchannels &other:*", "channel=dw:events:0", "&dw:*", false),
    ("-publish", "command=PUBLISH", "+publish", false),
    ("-info", "command=INFO", "+info", false),
    ("-hmget", "command=HMGET", "+hmget", false),
    ("-client", "command=CLIENT|TRACKING", "+client|tracking", true),
    ("-client|tracking", "command=CLIENT|TRACKING", "+client|tracking", true),
    ("-subscribe", "command=SUBSCRIBE", "+subscribe", true),
    ("-scan", "command=SCAN", "+scan", true),
    ("-time", "command=TIME", "+time", false),
    ("-hset -zadd", "command=HSET,ZADD", "+hset +zadd", false),
    ("-zrevrange", "command=ZREVRANGE", "+zrevrange", false),
    ("-evalsha", "command=EVALSHA", "+evalsha", false),
    ("-unwatch", "command=UNWATCH", "+unwatch", false),
    ("-del", "command=DEL", "+del", false),
    ("-get", "command=GET", "+get", false),
    ("-@write", "HSET", "+hset", false),
    ("resetkeys %R~dw:*", "key=dw:*", "~dw:*", false),
    ("resetkeys %W~dw:*", "key=dw:*", "~dw:*", false),
    ("resetkeys ~other:*", "key=dw:*", "~dw:*", false),
    (
        "resetkeys ~dw:t:* ~dw:u:* ~dw:m:*",
        "key=dw:o:*,dw:a:*,dw:v:*,dw:e:*,dw:d:*,dw:k:*,dw:r:*",
        "~dw:*",
        false,
    ),
    ("resetkeys ~dw:[a-ln-z]:*", "key=dw:m:*", "~dw:*", false),
];

fn assert_restricted(redis: &RedisServer, number: usize) {
    let (rules, named, fix, is_judging) = RESTRICTED[number];
    let name = format!("restricted-{number}");
    let least = ["on", ">a-password", "~dw:*", "&dw:*", "+@all", "-@admin", "-@dangerous", "+info"];
    let rules: Vec<_> = least.into_iter().chain(rules.split(' ')).collect();
    redis.cli(&[&["ACL", "SETUSER", &name], &rules[..]].concat());
    let url = format!("redis://{name}:a-password@127.0.0.1:{}", redis.port());
    let server = start(&url);
    let message = "redis user lacks a permission";
    let line = wait_for(&format!("{rules:?} are logged"), || {
        server.log().lines().find(|line| line.contains(message)).map(str::to_owned)
    });
    let why = || format!("{rules:?}\n{}\n{}", status(&server), server.log());
    assert_eq!(ready(&server), 503, "{}", why());
    assert!(line.contains("ERROR") && line.contains(named) && line.contains(fix), "{line}");
    assert!(line.contains(&redis.port().to_string()) && !line.contains("a-password"), "{line}");
    let faults = faults_of(&server);
    assert!(faults.iter().any(|fault| text(&fault["fix"]).contains(fix)), "{faults:?}");
    assert_eq!(metric(&server, "doorward_store_fault{kind=\"permission\"}"), "1");
    let (answer, token) = issue(&server);
    assert_eq!(answer, if is_judging { 201 } else { 503 }, "{}", why());
    if is_judging {
        assert_eq!(server.auth(&token["token"]).status, 200);
    }
    redis.cli(&["ACL", "SETUSER", &name, "~dw:*", "&dw:*", "+@all"]);
    await_ready(&server);
    assert_eq!(faults_of(&server), [] as [Value; 0]);
    let (answer, token) = issue(&server);
    assert_eq!((answer, server.auth(&token["token"]).status), (201, 200));
}

#[test]
fn a_missing_permission_is_named_and_leaves_no_partial_write() {
    each_is_named(&RedisServer::start());
}

#[test]
fn a_missing_permission_is_named_and_leaves_no_partial_write_on_valkey() {
    each_is_named(&RedisServer::start_valkey());
}

#[test]
fn a_missing_permission_is_named_and_leaves_no_partial_write_on_valkey_8() {
    each_is_named(&RedisServer::start_valkey_8());
}

fn each_is_named(redis: &RedisServer) {
    let judging = RESTRICTED.iter().filter(|(.., is_judging)| *is_judging).count();
    let numbers: Vec<_> = (0..RESTRICTED.len()).collect();
    for some in numbers.chunks(4) {
        thread::scope(|scope| {
            some.iter().for_each(|number| drop(scope.spawn(move || assert_restricted(redis, *number))));
        });
    }
    // One token for each permission that was granted again, and one for each restriction under which logins work.
    let tokens = redis.keys().iter().filter(|key| key.starts_with("dw:t:")).count();
    assert_eq!(tokens, RESTRICTED.len() + judging);
}

#[test]
fn a_revoked_permission_is_reported() {
    let redis = RedisServer::start();
    let server = Server::on(&redis, &[]);
    await_ready(&server);
    let (_, token) = issue(&server);
    redis.set_user(&["resetchannels"]);
    assert_eq!(issue(&server).0, 503);
    await_unready(&server);
    assert_eq!(faults_of(&server)[0]["channel"], "dw:events:0");
    assert_eq!(redis.keys().iter().filter(|key| key.starts_with("dw:t:")).count(), 1);
    redis.set_user(&["&dw:*"]);
    await_ready(&server);
    wait_for("recovery is logged", || (lines(&server, "redis recovered") == 1).then_some(()));
    assert_eq!(server.auth(&token["token"]).status, 200);
}

/// Redis 8 refuses a permission check whose call has the wrong number of arguments. The Redis of the tests may be older and
/// accept it, but it knows the numbers, too.
#[test]
fn permission_checks_have_the_number_of_arguments_of_their_commands() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/store/redis/schema/lua");
    let files = [folder.to_owned(), format!("{folder}/shared")].map(|folder| fs::read_dir(folder).unwrap());
    let paths = files.into_iter().flatten().map(|file| file.unwrap().path()).filter(|path| path.is_file());
    let mut commands: BTreeSet<String> =
        paths.flat_map(|path| commands_in(&fs::read_to_string(path).unwrap())).collect();
    // These are checked with other arguments.
    for command in ["PUBLISH", "TIME", "UNLINK"] {
        assert!(commands.remove(command), "{command}");
    }
    assert!(commands.len() > 20, "{commands:?}");
    let redis = RedisServer::start();
    for command in &commands {
        let info = redis.cli(&["COMMAND", "INFO", command]);
        let arity: i64 = info.lines().nth(1).unwrap().parse().expect(&info);
        // Counts the command itself. A negative number is the least.
        let words = 2 + i64::try_from(arguments_after_key(command)).unwrap();
        assert!(words == arity || (arity < 0 && words >= -arity), "{command}: {words} words, arity {arity}");
    }
}
