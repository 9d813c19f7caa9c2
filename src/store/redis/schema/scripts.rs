//! The Lua scripts, each with what it shares with others before it. What each is for stands at its top.
//!
//! Redis does not roll a failed script back. So a script first asks whether the Redis user may run every
//! command in it: permissions can be taken away at any time, and a denied command halfway would leave a token without its
//! event, or an ended takeover without its successor.

use std::collections::BTreeSet;

use redis::aio::ConnectionLike;
use redis::{ErrorKind, FromRedisValue, RedisError, RedisResult, ServerErrorKind, cmd};
use serde::Serialize;

/// Before every script.
const CONTEXT: &str = include_str!("lua/context.lua");
/// The beginning of the line in it that the guard takes the place of.
const GUARD_MARK: &str = "-- PERMISSIONS:";
/// Before every script that changes something of a user.
const PRELUDE: &str = include_str!("lua/prelude.lua");
const DEVICES: &str = include_str!("lua/devices.lua");
const SECRETS: &str = include_str!("lua/secrets.lua");
const HINTS: &str = include_str!("lua/hints.lua");
const RELATED: &str = include_str!("lua/related.lua");
const ISSUING: &str = include_str!("lua/issuing.lua");

/// Endings, and the renewals that keep people logged in, work when memory is full
/// (Redis documentation, "Script flags").
const ALLOW_OOM: &str = "#!lua flags=allow-oom\n";
/// Refused when memory is full.
const DENY_OOM: &str = "#!lua\n";
/// May run on a server that takes no writes.
const NO_WRITES: &str = "#!lua flags=no-writes\n";

/// What every script is told first: ARGV[1], explained in lua/context.lua.
#[derive(Serialize)]
pub(crate) struct Context<'a> {
    pub(crate) prefix: &'a str,
    pub(crate) shard: String,
    #[serde(rename = "now")]
    pub(crate) now_ms: u64,
    #[serde(rename = "tolerance", skip_serializing_if = "Option::is_none")]
    pub(crate) tolerance_ms: Option<u64>,
    pub(crate) actor: String,
    #[serde(rename = "retention")]
    pub(crate) retention_ms: u64,
    #[serde(rename = "grace")]
    pub(crate) grace_ms: u64,
    pub(crate) channel: &'a str,
    pub(crate) events: usize,
    #[serde(rename = "event_ttl")]
    pub(crate) event_ttl_ms: u64,
}

/// A script: its text, and the hash that servers know it by.
pub(crate) struct Script {
    text: String,
    hash: String,
}

impl Script {
    fn new(text: String) -> Self {
        let hash = redis::Script::new(&text).get_hash().to_owned();
        Self { text, hash }
    }

    /// Whether it changes nothing, so that it may be run twice.
    fn only_reads(&self) -> bool {
        self.text.starts_with(NO_WRITES)
    }

    /// Calls the script by its hash. A server that does not know the hash is sent the text, which runs the script and
    /// keeps it in one step: `SCRIPT FLUSH` cannot come in between. A script that only reads is called twice if need be.
    pub(crate) async fn run<T: FromRedisValue>(
        &self,
        connection: &mut impl ConnectionLike,
        keys: &[&str],
        args: &[&[u8]],
    ) -> RedisResult<T> {
        let call = |by: &str, name: &str| cmd(by).arg(name).arg(keys.len()).arg(keys).arg(args).to_owned();
        let mut answer = call("EVALSHA", &self.hash).query_async(connection).await;
        // Where the other side closed the connection, `connection` makes another.
        if self.only_reads() && answer.as_ref().is_err_and(RedisError::is_connection_dropped) {
            answer = call("EVALSHA", &self.hash).query_async(connection).await;
        }
        match answer {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                call("EVAL", &self.text).query_async(connection).await
            }
            outcome => outcome,
        }
    }
}

/// All scripts, ready to be called: by hash, and sent whole where the server does not know the hash.
pub struct Scripts {
    pub(crate) issue: Script,
    pub(crate) read: Script,
    pub(crate) change: Script,
    pub(crate) end_user: Script,
    pub(crate) reuse: Script,
    pub(crate) hint: Script,
    pub(crate) hint_takeover: Script,
    pub(crate) unhint: Script,
    pub(crate) relate: Script,
    pub(crate) unrelate: Script,
    pub(crate) related_end: Script,
    pub(crate) takeover_start: Script,
    pub(crate) takeover_end: Script,
    pub(crate) device_make: Script,
    pub(crate) device_change: Script,
    pub(crate) device_remove: Script,
    pub(crate) device_login: Script,
    pub(crate) touch: Script,
    /// Every command that a script calls, sorted.
    pub(crate) commands: Vec<String>,
}

impl Scripts {
    /// Hashes the scripts; asks no server.
    pub fn new() -> Self {
        let mut commands = BTreeSet::new();
        let mut small = |flags: &str, body: &str| {
            let used = commands_in(&[CONTEXT, body].concat());
            let context = CONTEXT.replacen(GUARD_MARK, &(guard(&used, &kinds_in(body)) + "--"), 1);
            commands.extend(used);
            Script::new([flags, &context, body].concat())
        };
        let mut script = |flags: &str, parts: &[&str]| small(flags, &[&[PRELUDE], parts].concat().concat());
        let issue = script(DENY_OOM, &[ISSUING, include_str!("lua/issue.lua")]);
        let change = script(ALLOW_OOM, &[SECRETS, include_str!("lua/change.lua")]);
        let end_user = script(ALLOW_OOM, &[include_str!("lua/end_user.lua")]);
        let reuse = script(ALLOW_OOM, &[SECRETS, include_str!("lua/reuse.lua")]);
        let relate = script(DENY_OOM, &[RELATED, include_str!("lua/relate.lua")]);
        let unrelate = script(ALLOW_OOM, &[RELATED, include_str!("lua/unrelate.lua")]);
        let related_end = script(ALLOW_OOM, &[RELATED, include_str!("lua/related_end.lua")]);
        let takeover_start = script(DENY_OOM, &[include_str!("lua/takeover_start.lua")]);
        let takeover_end = script(ALLOW_OOM, &[include_str!("lua/takeover_end.lua")]);
        let device_make = script(DENY_OOM, &[DEVICES, include_str!("lua/device_make.lua")]);
        let device_change = script(ALLOW_OOM, &[DEVICES, include_str!("lua/device_change.lua")]);
        let device_remove = script(ALLOW_OOM, &[DEVICES, include_str!("lua/device_remove.lua")]);
        let device_login = script(DENY_OOM, &[ISSUING, DEVICES, include_str!("lua/device_login.lua")]);
        let touch = script(ALLOW_OOM, &[include_str!("lua/touch.lua")]);
        Self {
            read: small(NO_WRITES, include_str!("lua/read.lua")),
            hint: small(DENY_OOM, &[HINTS, include_str!("lua/hint.lua")].concat()),
            hint_takeover: small(DENY_OOM, &[HINTS, include_str!("lua/hint_takeover.lua")].concat()),
            unhint: small(ALLOW_OOM, &[HINTS, include_str!("lua/unhint.lua")].concat()),
            issue,
            change,
            end_user,
            reuse,
            relate,
            unrelate,
            related_end,
            takeover_start,
            takeover_end,
            device_make,
            device_change,
            device_remove,
            device_login,
            touch,
            commands: commands.into_iter().collect(),
        }
    }
}

/// The script that asks for the user's permissions (inspection/permissions.rs).
pub(crate) fn permissions_script() -> Script {
    Script::new([NO_WRITES, include_str!("lua/permissions.lua")].concat())
}

/// The commands that a script's source calls, sorted. Their names are always written out: a test sees to it.
fn commands_in(source: &str) -> BTreeSet<String> {
    let calls = source.split("redis.call('").chain(source.split("redis.pcall('"));
    let names = calls.filter_map(|rest| rest.split_once('\'')).map(|(name, _)| name);
    names
        .filter(|name| !name.is_empty() && name.bytes().all(|b| b.is_ascii_uppercase()))
        .map(String::from)
        .collect()
}

/// The kinds of keys (keys.rs) that a script's source names.
fn kinds_in(source: &str) -> BTreeSet<String> {
    let names = source.split("key('").filter_map(|rest| rest.split_once('\'')).map(|(kind, _)| kind);
    names.filter(|kind| kind.len() == 1).map(String::from).collect()
}

/// Lua that returns an error, before anything is written, unless the Redis user may run all `commands`, and write to all
/// `kinds` of keys. Unrolled, because a loop over a table takes twice as long: some 0.4 µs a command.
fn guard(commands: &BTreeSet<String>, kinds: &BTreeSet<String>) -> String {
    let check = |command: &str| match command {
        "PUBLISH" => "may('PUBLISH', ctx.channel, '')".to_owned(),
        "UNLINK" => {
            let keys: Vec<_> = kinds.iter().map(|kind| format!(", key('{kind}', '')")).collect();
            format!("may('UNLINK'{})", keys.concat())
        }
        name => format!("may('{name}', probe)"),
    };
    let checks: Vec<_> = commands.iter().map(|name| (name, check(name))).collect();
    let all: Vec<_> = checks.iter().map(|(_, check)| check.as_str()).collect();
    let each: String = checks
        .iter()
        .map(|(name, check)| {
            format!("  if not {check} then return redis.error_reply('DWDENIED {name}') end\n")
        })
        .collect();
    format!(
        "local may, probe = redis.acl_check_cmd, key('m', 'probe')\nif not ({}) then\n{each}end\n",
        all.join(" and ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_script_is_guarded() {
        assert_eq!(CONTEXT.matches(GUARD_MARK).count(), 1);
        assert!(Scripts::new().commands.contains(&"ZREVRANGE".to_owned()));
    }

    #[test]
    fn commands_and_kinds_are_found_in_a_source() {
        let source = "redis.call('HSET', key('t', x)) redis.pcall('GET', key('u', y))";
        assert_eq!(commands_in(source), ["GET", "HSET"].map(String::from).into());
        assert_eq!(kinds_in(source), ["t", "u"].map(String::from).into());
    }

    /// A command whose name is computed would not be asked for.
    #[test]
    fn scripts_write_their_commands_out() {
        for file in std::fs::read_dir("src/store/redis/lua").unwrap() {
            let path = file.unwrap().path();
            // This one is about the names of all others.
            if path.ends_with("permissions.lua") {
                continue;
            }
            let source = std::fs::read_to_string(path).unwrap();
            let source: String = source.lines().filter(|line| !line.trim_start().starts_with("--")).collect();
            let all = source.matches("redis.call").count() + source.matches("redis.pcall").count();
            let named = source.matches("redis.call('").count() + source.matches("redis.pcall('").count();
            assert_eq!(all, named, "{source}");
        }
    }
}
