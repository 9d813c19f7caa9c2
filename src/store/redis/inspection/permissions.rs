//! The permissions that the Redis user needs, and the faults for those it lacks.

use redis::aio::MultiplexedConnection;
use serde::Serialize;

use crate::store::redis::cluster::address::ServerAddress;
use crate::store::redis::cluster::topology::Topology;
use crate::store::redis::schema::codec::primitives::pack_named;
use crate::store::redis::schema::keys::Keys;
use crate::store::redis::schema::script::Script;
use crate::store::redis::schema::scripts::permissions_script;
use crate::store::report::{DeniedTo, Fault, FaultKind};

/// Commands with a key that are sent outside scripts.
const WITH_KEY: [&str; 12] = [
    "DEL",
    "GET",
    "SET",
    "HGETALL",
    "HMGET",
    "HVALS",
    "LRANGE",
    "ZRANDMEMBER",
    "ZRANGE",
    "ZRANGEBYSCORE",
    "ZSCAN",
    "ZSCORE",
];
/// Further commands. The pool sends UNWATCH and PING; each connection for pushes sends HELLO.
const OTHERS: [&str; 8] = ["EVAL - 0", "EVALSHA - 0", "HELLO 3", "INFO", "PING", "SCAN 0", "TIME", "UNWATCH"];
const ON_A_CLUSTER: [&str; 6] =
    ["ASKING", "CLIENT|ID", "CLUSTER|INFO", "CLUSTER|LINKS", "CLUSTER|MYID", "CLUSTER|SLOTS"];
const WITH_TRACKING: &str = "CLIENT|TRACKING ON";
/// Validation works without these: only the near cache, the live feed, the worker that revokes the tokens of cut-offs for
/// good, and changes that wait to be durable do not.
const HARMLESS: [&str; 5] = ["CLIENT|TRACKING", "SUBSCRIBE", "SCAN", "WAIT", "WAITAOF"];

/// The needed permissions.
pub(crate) struct RequiredPermissions {
    prefix: String,
    channel: String,
    user: String,
    commands: Vec<String>,
    keys: Vec<String>,
    /// For each command, the name as ACLs write it, then the words.
    others: Vec<Vec<String>>,
    script: Script,
}

impl RequiredPermissions {
    /// Collects what the scripts, with their `commands`, and the rest of the store need.
    pub(crate) fn new(keys: &Keys, commands: &[String], topology: &Topology, is_tracking: bool) -> Self {
        let login = topology.connector.login();
        let has_key = |name: &&String| !matches!(name.as_str(), "PUBLISH" | "TIME");
        let mut all: Vec<_> = commands.iter().filter(has_key).cloned().collect();
        all.extend(WITH_KEY.iter().map(|name| (*name).to_owned()));
        all.sort_unstable();
        all.dedup();
        let keys_of_kinds = keys.of_each_kind();
        let mut others: Vec<_> = OTHERS.iter().map(|command| words(command)).collect();
        others.extend(is_tracking.then(|| words(WITH_TRACKING)));
        others.extend((login.db() != 0).then(|| words(&format!("SELECT {}", login.db()))));
        if topology.is_cluster() {
            others.extend(ON_A_CLUSTER.iter().map(|command| words(command)));
        }
        Self {
            prefix: keys.prefix().to_owned(),
            channel: keys.event_channel(login.db()),
            user: login.username().unwrap_or("default").to_owned(),
            commands: all,
            others,
            keys: keys_of_kinds,
            script: permissions_script(),
        }
    }

    /// Checks the permissions at a server, and that for `wait`, the command by which changes wait to be durable. Returns up to
    /// three faults: for commands, for keys and for the channel.
    pub(crate) async fn missing(
        &self,
        address: &ServerAddress,
        wait: Option<&str>,
        connection: &mut MultiplexedConnection,
    ) -> Result<Vec<Fault>, redis::RedisError> {
        #[derive(Serialize)]
        struct Args<'a> {
            commands: &'a [String],
            keys: &'a [String],
            others: Vec<Vec<String>>,
            channel: &'a str,
        }
        let Self { commands, keys, channel, .. } = self;
        let others = self.others.iter().cloned().chain(wait.map(words)).collect();
        let args = pack_named(&Args { commands, keys, others, channel });
        let missing: Vec<(String, String)> = self.script.run(connection, &[], &[&args]).await?;
        Ok(self.faults(address, &missing))
    }

    /// Returns the faults for missing permissions: a command, and `command`, `channel` or a key.
    fn faults(&self, address: &ServerAddress, missing: &[(String, String)]) -> Vec<Fault> {
        let list = |wanted: &dyn Fn(&str) -> bool| {
            let mut names: Vec<_> =
                missing.iter().filter(|(_, what)| wanted(what)).map(|(name, _)| name.clone()).collect();
            names.dedup();
            names
        };
        let (commands, by_channel) = (list(&|what| what == "command"), list(&|what| what == "channel"));
        let by_key = list(&|what| what != "command" && what != "channel");
        let mut found = Vec::new();
        if !commands.is_empty() {
            let rules: Vec<_> =
                commands.iter().map(|name| format!("+{}", name.to_ascii_lowercase())).collect();
            let denied = DeniedTo { command: commands.join(","), ..DeniedTo::default() };
            found.push(self.fault(address, &rules.join(" "), denied));
        }
        if !by_key.is_empty() {
            let denied =
                DeniedTo { command: by_key.join(","), key: self.patterns(missing), ..DeniedTo::default() };
            found.push(self.fault(address, &format!("~{}*", self.prefix), denied));
        }
        if !by_channel.is_empty() {
            let (command, channel) = (by_channel.join(","), self.channel.clone());
            let denied = DeniedTo { command, channel, ..DeniedTo::default() };
            found.push(self.fault(address, &format!("&{}*", self.prefix), denied));
        }
        found
    }

    /// Returns the patterns of the denied kinds of keys, or the pattern of all keys if all are denied.
    fn patterns(&self, missing: &[(String, String)]) -> String {
        let is_missing = |key: &&String| missing.iter().any(|(_, what)| what == *key);
        let kinds: Vec<_> = self.keys.iter().filter(is_missing).collect();
        if kinds.len() == self.keys.len() {
            return format!("{}*", self.prefix);
        }
        let pattern = |key: &&String| {
            let kind = key.strip_prefix(&self.prefix).and_then(|rest| rest.split(':').next());
            format!("{}{}:*", self.prefix, kind.unwrap_or_default())
        };
        let mut patterns: Vec<_> = kinds.iter().map(pattern).collect();
        patterns.dedup();
        patterns.join(",")
    }

    /// Returns the fault for denied keys, if it is not known which.
    pub(crate) fn all_keys(&self, address: &ServerAddress) -> Fault {
        let pattern = format!("{}*", self.prefix);
        let denied = DeniedTo { command: "EVALSHA".into(), key: pattern.clone(), ..DeniedTo::default() };
        self.fault(address, &format!("~{pattern}"), denied)
    }

    /// Returns the fault for the denied channel.
    pub(crate) fn channel(&self, address: &ServerAddress) -> Fault {
        let denied =
            DeniedTo { command: "PUBLISH".into(), channel: self.channel.clone(), ..DeniedTo::default() };
        self.fault(address, &format!("&{}*", self.prefix), denied)
    }

    /// Returns the fault for a missing permission. `rule` is the ACL rule that grants it.
    pub(crate) fn fault(&self, address: &ServerAddress, rule: &str, denied: DeniedTo) -> Fault {
        let on = match (denied.key.as_str(), denied.channel.as_str()) {
            ("", "") => String::new(),
            (key, "") => format!(" on the keys {key}"),
            (_, channel) => format!(" on the channel {channel}"),
        };
        let cause = format!("the redis user {} may not run {}{on}", self.user, denied.command);
        let fix = format!("ACL SETUSER {} {rule}", self.user);
        Fault { denied: Some(denied), ..Fault::new(FaultKind::Permission, address.to_string(), cause, fix) }
    }

    /// Returns whether using the store with this fault would do harm.
    pub(crate) fn closes_gate(&self, fault: &Fault) -> bool {
        match (fault.kind, &fault.denied) {
            (FaultKind::Version | FaultKind::Schema, _) => true,
            (FaultKind::Permission, Some(denied)) => {
                !denied.command.split(',').all(|command| HARMLESS.contains(&command))
            }
            _ => false,
        }
    }
}

/// Splits a command into its words, preceded by its name as ACLs write it.
fn words(command: &str) -> Vec<String> {
    let name = command.split(' ').next().unwrap_or_default();
    [name].into_iter().chain(command.split(['|', ' '])).map(String::from).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::store::redis::inspection::durability::{WAIT_FOR_DISK, WAIT_FOR_REPLICAS};

    /// Collects the texts between `before` and `after` in all files below a folder.
    fn found(folder: &Path, before: &str, after: char, names: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                // No node runs it: `doorward verify` reports itself what its user may not run.
                if !path.ends_with("verification") {
                    found(&path, before, after, names);
                }
                continue;
            }
            let source = fs::read_to_string(&path).unwrap();
            let source = source.split("#[cfg(test)]").next().unwrap_or_default();
            names.extend(
                source.split(before).skip(1).filter_map(|rest| Some(rest.split_once(after)?.0.to_owned())),
            );
        }
    }

    /// A new command needs its permission checked, too.
    #[test]
    fn the_permission_of_every_command_is_checked() {
        let (mut sent, folder) = (BTreeSet::new(), Path::new("src/store/redis"));
        for (before, after) in [("cmd(\"", '"'), ("[b\"", '"')] {
            found(folder, before, after, &mut sent);
        }
        let is_command =
            |name: &&String| name.len() > 2 && name.bytes().all(|byte| byte.is_ascii_uppercase());
        // Sent at a login, sent to Sentinels, and those that may be denied.
        let other = ["AUTH", "SENTINEL", "CONFIG", "DBSIZE", "RANDOMKEY", "PUBSUB"];
        let asked: BTreeSet<_> = WITH_KEY
            .iter()
            .chain(&OTHERS)
            .chain(&ON_A_CLUSTER)
            .chain(&[WITH_TRACKING, WAIT_FOR_REPLICAS, WAIT_FOR_DISK, "SUBSCRIBE", "PUBLISH", "SELECT"])
            .filter_map(|command| command.split(['|', ' ']).next())
            .chain(other)
            .collect();
        let forgotten: Vec<_> =
            sent.iter().filter(is_command).filter(|name| !asked.contains(name.as_str())).collect();
        assert_eq!(forgotten, [""; 0], "in WITH_KEY or OTHERS");
    }

    #[test]
    fn the_permission_of_every_kind_of_key_is_checked() {
        let mut kinds = BTreeSet::new();
        found(Path::new("src/store/redis/schema/lua"), "key('", '\'', &mut kinds);
        let keys = Keys::new("dw:").of_each_kind();
        for kind in kinds.iter().filter(|kind| kind.len() == 1) {
            assert!(keys.iter().any(|key| key.starts_with(&format!("dw:{kind}:"))), "{kind}");
        }
    }
}
