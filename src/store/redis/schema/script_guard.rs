//! The permission check at the start of every script, derived from the script's source.
//!
//! Redis does not roll a failed script back, and permissions can be taken away at any time. A command that is denied
//! halfway would leave a token without its event, or an ended takeover without its successor. So a script checks that the
//! Redis user may run every command in it before it writes anything.

use std::collections::BTreeSet;

/// Finds the commands that a script's source calls. A test ensures that the source writes their names out.
pub fn commands_in(source: &str) -> BTreeSet<String> {
    let calls = source.split("redis.call('").chain(source.split("redis.pcall('"));
    let names = calls.filter_map(|rest| rest.split_once('\'')).map(|(name, _)| name);
    names
        .filter(|name| !name.is_empty() && name.bytes().all(|b| b.is_ascii_uppercase()))
        .map(String::from)
        .collect()
}

/// Finds the kinds of keys that a script's source names.
pub(crate) fn kinds_in(source: &str) -> BTreeSet<String> {
    let names = source.split("key('").filter_map(|rest| rest.split_once('\'')).map(|(kind, _)| kind);
    names.filter(|kind| kind.len() == 1).map(String::from).collect()
}

/// Returns Lua code that fails unless the Redis user may run all `commands`, and write to all `kinds` of keys.
///
/// The checks are unrolled, because a loop over a table takes twice as long.
pub(crate) fn guard(commands: &BTreeSet<String>, kinds: &BTreeSet<String>) -> String {
    let keys: String = kinds.iter().map(|kind| format!(", key('{kind}', '')")).collect();
    let each_command = checks(commands, ["probe", &keys[..], "ctx.channel"]);
    format!("local probe = key('m', 'probe')\n{each_command}{}", kind_checks(commands, kinds))
}

/// Returns Lua code that fails unless the Redis user may write to all `kinds` of keys. `UNLINK` takes many keys, so a script
/// that calls it has checked them all at once.
fn kind_checks(commands: &BTreeSet<String>, kinds: &BTreeSet<String>) -> String {
    let write = ["SET", "HSET", "ZADD", "ZREM"].into_iter().find(|name| commands.contains(*name));
    let Some(write) = write.filter(|_| !commands.contains("UNLINK")) else { return String::new() };
    let arguments = ", ''".repeat(arguments_after_key(write));
    let denied = "return redis.error_reply('NOPERM No permissions to access a key')";
    let check =
        |kind: &String| format!("if not may('{write}', key('{kind}', ''){arguments}) then {denied} end\n");
    kinds.iter().map(check).collect()
}

/// Returns the same code for a script that starts with lua/shared/short_context.lua, and removes only tokens.
pub(crate) fn short_guard(commands: &BTreeSet<String>) -> String {
    checks(commands, ["token", ", token", "ARGV[5]"])
}

/// Returns the code for a script in which a key, the keys that it removes, and the channel have these names.
fn checks(commands: &BTreeSet<String>, [probe, removed, channel]: [&str; 3]) -> String {
    let check = |command: &str| match command {
        "PUBLISH" => format!("may('PUBLISH', {channel}, '')"),
        "UNLINK" => format!("may('UNLINK'{removed})"),
        "TIME" => "may('TIME')".to_owned(),
        name => format!("may('{name}', {probe}{})", ", ''".repeat(arguments_after_key(name))),
    };
    let checks: Vec<_> = commands.iter().map(|name| (name, check(name))).collect();
    let all: Vec<_> = checks.iter().map(|(_, check)| check.as_str()).collect();
    let each: String = checks
        .iter()
        .map(|(name, check)| {
            format!("  if not {check} then return redis.error_reply('DWDENIED {name}') end\n")
        })
        .collect();
    format!("local may = redis.acl_check_cmd\nif not ({}) then\n{each}end\n", all.join(" and "))
}

/// Returns how many arguments a command needs after its key. Redis 8 checks permissions only of a call with the right number.
pub fn arguments_after_key(command: &str) -> usize {
    match command {
        "HDEL" | "HEXISTS" | "HGET" | "HMGET" | "LPUSH" | "LPUSHX" | "PEXPIRE" | "SET" | "ZMSCORE"
        | "ZREM" | "ZSCORE" => 1,
        "HSET" | "HSETNX" | "LRANGE" | "LTRIM" | "ZADD" | "ZCOUNT" | "ZRANGE" | "ZRANGEBYSCORE"
        | "ZREMRANGEBYRANK" | "ZREVRANGE" | "ZREVRANGEBYSCORE" => 2,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOLDERS: [&str; 2] = ["src/store/redis/schema/lua", "src/store/redis/schema/lua/shared"];

    #[test]
    fn commands_and_kinds_are_found_in_a_source() {
        let source = "redis.call('HSET', key('t', x)) redis.pcall('GET', key('u', y))";
        assert_eq!(commands_in(source), ["GET", "HSET"].map(String::from).into());
        assert_eq!(kinds_in(source), ["t", "u"].map(String::from).into());
    }

    /// The guard cannot check a command whose name is computed.
    #[test]
    fn scripts_write_their_commands_out() {
        let files = FOLDERS.iter().flat_map(|folder| std::fs::read_dir(folder).unwrap());
        let paths: Vec<_> = files.map(|file| file.unwrap().path()).filter(|path| path.is_file()).collect();
        assert!(paths.len() > 25, "{paths:?}");
        // check_permissions.lua takes the names of the commands as an argument.
        for path in paths.iter().filter(|path| !path.ends_with("check_permissions.lua")) {
            let source = std::fs::read_to_string(path).unwrap();
            let source: String = source.lines().filter(|line| !line.trim_start().starts_with("--")).collect();
            let all = source.matches("redis.call").count() + source.matches("redis.pcall").count();
            let named = source.matches("redis.call('").count() + source.matches("redis.pcall('").count();
            assert_eq!(all, named, "{source}");
        }
    }
}
