//! The check-up of `doorward doctor`: the inspection, and what it tries beyond. Nothing is changed in the store.

use std::convert::Infallible;

use futures_util::future::join_all;
use redis::{PushInfo, PushKind, RedisError, Value, cmd};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::store::check_up::{CheckUp, Trial};
use crate::store::redis::cluster::master::Master;
use crate::store::redis::errors::{describe, described};
use crate::store::redis::redis_store::RedisStore;
use crate::store::report::Severity;
use crate::token_string::check_token_key;
use crate::values::{HostPort, RedisDeployment};

/// The keys that SCAN visits on each master in search of foreign ones: a few round trips, however large the store.
const SCANNED_KEYS: u64 = 10_000;
const SCAN_STEP: u64 = 1_000;
/// Why a store with a fault is not asked further.
const FAULTS_FIRST: &str = "not before the faults above are gone";
/// Attempts to reach the store: on a busy machine the first answers may be late.
const MAX_ATTEMPTS: usize = 2;

impl RedisStore {
    /// Examines the store for a person.
    pub(crate) async fn check_up(&self, deployment: &RedisDeployment) -> CheckUp {
        let names = self.resolve_names(deployment).await;
        let mut report = self.examine_thoroughly().await;
        for _ in 1..MAX_ATTEMPTS {
            if !report.are_all_masters_unreachable() {
                break;
            }
            report = self.examine_thoroughly().await;
        }
        let is_usable = !report.masters.is_empty()
            && self.topology.gate.is_open()
            && !report.faults.iter().any(|fault| fault.kind.is_of_connection());
        if !is_usable {
            let after_faults = || Trial::NotTried(FAULTS_FIRST.into());
            let [shared_keys, tracking, events, foreign_keys] = std::array::from_fn(|_| after_faults());
            return CheckUp { names, report, shared_keys, tracking, events, foreign_keys };
        }
        let (shared_keys, tracking, events, foreign_keys) = tokio::join!(
            self.check_shared_keys(),
            self.try_tracking(),
            self.try_events(),
            self.look_for_foreign_keys()
        );
        CheckUp { names, report, shared_keys, tracking, events, foreign_keys }
    }

    /// Resolves the hosts of the URL.
    async fn resolve_names(&self, deployment: &RedisDeployment) -> Trial {
        let hosts: &[HostPort] = match deployment {
            RedisDeployment::Standalone { server, .. } => std::slice::from_ref(server),
            RedisDeployment::Cluster { servers } => servers,
            RedisDeployment::Sentinel { sentinels, .. } => sentinels,
            RedisDeployment::Unix { path } => {
                return Trial::Passed(format!("unix socket {}", path.display()));
            }
        };
        let resolver = &self.topology.connector.resolver;
        let resolved = join_all(hosts.iter().map(|host| resolver.addresses(&host.host, host.port))).await;
        let mut found = Vec::new();
        for (host, addresses) in hosts.iter().zip(resolved) {
            match addresses {
                Ok(addresses) => {
                    let addresses: Vec<_> = addresses.iter().map(ToString::to_string).collect();
                    let (name, addresses) = (host.to_string(), addresses.join(" "));
                    found.push(if name == addresses { name } else { format!("{name} is {addresses}") });
                }
                Err(error) => {
                    let cause = format!("the name is not resolved: {error}");
                    let fix = "correct the host in redis-url, or the name resolution of this machine";
                    return Trial::failed(Severity::Fatal, host.to_string(), cause, fix);
                }
            }
        }
        Trial::Passed(found.join(", "))
    }

    /// Reads the schema version and the token key. The inspection has already compared the version.
    async fn check_shared_keys(&self) -> Trial {
        let get_schema = cmd("GET").arg(self.keys.schema()).to_owned();
        let schema: Option<String> =
            match self.with_connection(async |c| get_schema.query_async(c).await).await {
                Ok(schema) => schema,
                Err(error) => return Trial::NotTried(error.to_string()),
            };
        let token_key = match self.stored_token_key().await {
            Ok(key) => key,
            Err(error) => return Trial::failed(Severity::Fatal, "redis", error.to_string(), PUT_KEY_BACK),
        };
        if let Some(Err(problem)) = token_key.as_deref().map(check_token_key) {
            let cause = format!("the shared token key {problem}");
            return Trial::failed(Severity::Fatal, self.keys.token_key(), cause, PUT_KEY_BACK);
        }
        let token_key = if token_key.is_some() { "a token key" } else { "no token key yet" };
        match schema {
            Some(version) => Trial::Passed(format!("version {version}, {token_key}")),
            None => Trial::Passed("none yet: the first node that starts writes it".into()),
        }
    }

    /// Turns tracking on at every master, over connections that end at once.
    async fn try_tracking(&self) -> Trial {
        if self.node_cache.cache.is_none() {
            return Trial::Passed("not used: cache-entries is 0".into());
        }
        let masters = self.masters_with_tokens();
        let tried = join_all(masters.iter().map(|master| self.try_tracking_at(master))).await;
        match masters.iter().zip(tried).find_map(|(master, tried)| Some((master, tried.err()?))) {
            None => Trial::Passed("works over RESP3".into()),
            Some((master, error)) => {
                let fix =
                    "give the Redis user HELLO and CLIENT TRACKING; without them every look-up reads Redis";
                Trial::failed(Severity::Warning, master.address.to_string(), describe(&error), fix)
            }
        }
    }

    async fn try_tracking_at(&self, master: &Master) -> Result<(), RedisError> {
        let connector = &self.topology.connector;
        let config = connector.config().set_push_sender(|_| Ok::<_, Infallible>(()));
        let mut connection = connector.connect_for_pushes(&master.address, &config).await?;
        let mut tracking = cmd("CLIENT");
        tracking.arg("TRACKING").arg("ON").arg("BCAST").arg("PREFIX").arg(self.keys.all_tokens_prefix());
        tracking.exec_async(&mut connection).await
    }

    /// Publishes a message on a channel beside the channel of events, to which no node listens, and receives it.
    async fn try_events(&self) -> Trial {
        let masters = self.masters_with_tokens();
        let Some(master) = masters.first() else { return Trial::NotTried("no master is known".into()) };
        let tried = timeout(self.timeout() * 2, self.send_message(master)).await;
        let cause = match tried {
            Ok(Ok(())) => return Trial::Passed(format!("a message on {} arrived", self.event_channel)),
            Ok(Err(reason)) => reason,
            Err(_) => "a published message did not arrive".to_owned(),
        };
        let fix = "give the Redis user PUBLISH and SUBSCRIBE on the channel; the live feed needs it";
        Trial::failed(Severity::Fault, master.address.to_string(), cause, fix)
    }

    async fn send_message(&self, master: &Master) -> Result<(), String> {
        let channel = format!("{}:probe:doctor", self.event_channel);
        let (sender, mut arrived) = mpsc::channel(1);
        let connector = &self.topology.connector;
        let config = connector.config().set_push_sender(move |push: PushInfo| {
            if push.kind == PushKind::Message {
                // A second message changes nothing.
                let _ = sender.try_send(());
            }
            Ok::<_, Infallible>(())
        });
        let subscribed = connector.connect_for_pushes(&master.address, &config).await;
        let mut subscribed = subscribed.map_err(described)?;
        subscribed.subscribe(&channel).await.map_err(described)?;
        let mut publisher = connector.connect(&master.address).await.map_err(described)?;
        cmd("PUBLISH").arg(&channel).arg("").exec_async(&mut publisher).await.map_err(described)?;
        arrived.recv().await.ok_or("the server closed the connection".into())
    }

    /// Looks at some keys of each master.
    async fn look_for_foreign_keys(&self) -> Trial {
        let masters = self.masters_with_tokens();
        let scanned = join_all(masters.iter().map(|master| self.count_keys(master))).await;
        let (mut seen, mut foreign) = (0, 0);
        for counted in scanned {
            match counted {
                Ok((seen_here, foreign_here)) => {
                    seen += seen_here;
                    foreign += foreign_here;
                }
                Err(error) => return Trial::NotTried(describe(&error)),
            }
        }
        let prefix = self.keys.prefix();
        if foreign == 0 {
            return Trial::Passed(format!("{seen} keys looked at, all of Doorward"));
        }
        let cause = format!("{foreign} of {seen} keys looked at begin with {prefix} and are not Doorward's");
        let fix = format!(
            "set another key-prefix, or rename the other program's keys (redis-cli --scan --pattern '{prefix}*')"
        );
        Trial::failed(Severity::Warning, "key-prefix", cause, fix)
    }

    /// Returns how many keys with the prefix were seen at a master, and how many of them are foreign.
    async fn count_keys(&self, master: &Master) -> Result<(usize, usize), RedisError> {
        let mut connection = self.topology.connector.connect(&master.address).await?;
        let (mut cursor, mut seen, mut foreign) = ("0".to_owned(), 0, 0);
        for _ in 0..SCANNED_KEYS / SCAN_STEP {
            let mut scan = cmd("SCAN");
            scan.arg(&cursor).arg("MATCH").arg(format!("{}*", glob_escaped(self.keys.prefix())));
            scan.arg("COUNT").arg(SCAN_STEP);
            let (next, keys): (String, Vec<Value>) = scan.query_async(&mut connection).await?;
            seen += keys.len();
            let is_own = |key: &&Value| matches!(key, Value::BulkString(key) if self.keys.is_of_a_kind(key));
            foreign += keys.len() - keys.iter().filter(is_own).count();
            cursor = next;
            if cursor == "0" {
                break;
            }
        }
        Ok((seen, foreign))
    }
}

const PUT_KEY_BACK: &str =
    "put the right token key back, or delete it for a new one (which logs every user out)";

/// Escapes what Redis's patterns give a meaning.
fn glob_escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '*' | '?' | '[' | ']' | '^' | '\\') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_searched_literally() {
        assert_eq!(glob_escaped("dw:"), "dw:");
        assert_eq!(glob_escaped("a*b[c]?\\"), "a\\*b\\[c\\]\\?\\\\");
    }
}
