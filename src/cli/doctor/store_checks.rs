//! The checks of the store.

use std::time::Duration;

use super::check::Check;
use crate::clock::Clock;
use crate::config::Config;
use crate::node::start_up::open_store;
use crate::store::check_up::{CheckUp, Trial};
use crate::store::report::{FaultKind, MasterReport, Report, Severity};
use crate::values::{RedisDeployment, RedisUrl, StoreUrl};

/// The longest that the checks of the store take, unless `redis-timeout` is long.
const DEADLINE: Duration = Duration::from_secs(10);
/// A check-up takes at most this many answers, one after the other.
const ANSWERS: u32 = 12;

/// All checks in their order, except the first ones, which the connection needs.
const AFTER_LOGIN: [&str; 12] = [
    VERSION,
    PERMISSIONS,
    SCHEMA,
    CLUSTER,
    WRITES,
    MEMORY,
    CLOCK,
    PERSISTENCE,
    REPLICATION,
    TRACKING,
    EVENTS,
    KEYS,
];
const STORE: &str = "store";
const NAMES: &str = "name resolution";
const CONNECTION: &str = "connection";
const TLS: &str = "tls";
const LOGIN: &str = "login";
const VERSION: &str = "version";
const PERMISSIONS: &str = "permissions";
const SCHEMA: &str = "schema";
const CLUSTER: &str = "cluster";
const WRITES: &str = "writes";
const MEMORY: &str = "memory";
const CLOCK: &str = "clock";
const PERSISTENCE: &str = "persistence";
const REPLICATION: &str = "replication";
const TRACKING: &str = "tracking";
const EVENTS: &str = "events";
const KEYS: &str = "key-prefix";

/// Checks the store that the settings name.
pub(super) async fn run(config: &Config, clock: &Clock) -> Vec<Check> {
    let StoreUrl::Redis(url) = &config.redis_url else {
        let (cause, fix) = ("the embedded store: every token is lost when the process ends", "set redis-url");
        return vec![Check::failed(STORE, Severity::Warning, "redis-url", cause, fix)];
    };
    let store = match open_store(config, clock) {
        Ok(store) => store,
        Err(error) => {
            let fix = "correct the file that the setting names";
            let failed = Check::failed(TLS, Severity::Fatal, "redis-ca-file", error.to_string(), fix);
            return [failed].into_iter().chain(unchecked(AFTER_LOGIN, "no connection without it")).collect();
        }
    };
    let deadline = DEADLINE.max(Duration::from_millis(config.redis_timeout_ms) * ANSWERS);
    match tokio::time::timeout(deadline, store.check_up(&url.deployment)).await {
        Ok(Some(found)) => StoreChecks { url, found: &found }.all(),
        Ok(None) => Vec::new(),
        Err(_) => {
            let cause = format!("no answer within {} s", deadline.as_secs());
            let fix = "look at the server, the name servers and the network";
            let failed = Check::failed(CONNECTION, Severity::Fatal, url.to_string(), cause, fix);
            [failed].into_iter().chain(unchecked(AFTER_LOGIN, "no connection")).collect()
        }
    }
}

fn unchecked(names: impl IntoIterator<Item = &'static str>, reason: &str) -> impl Iterator<Item = Check> {
    names.into_iter().map(move |name| Check::not_checked(name, reason))
}

/// Turns the findings of a check-up into checks.
struct StoreChecks<'a> {
    url: &'a RedisUrl,
    found: &'a CheckUp,
}

impl StoreChecks<'_> {
    fn report(&self) -> &Report {
        &self.found.report
    }

    fn has(&self, kinds: &[FaultKind]) -> bool {
        self.report().faults.iter().any(|fault| kinds.contains(&fault.kind))
    }

    /// The masters to which commands could be sent.
    fn reached(&self) -> Vec<&MasterReport> {
        let is_lost = |master: &&MasterReport| {
            let mut faults = self.report().faults.iter().filter(|fault| fault.server == master.address);
            // A server that cannot say what it is may be no Redis.
            let is_strange = |kind| master.version.is_empty() && kind == FaultKind::Other;
            faults.any(|fault| fault.kind.is_of_connection() || is_strange(fault.kind))
        };
        self.report().masters.iter().filter(|master| !is_lost(master)).collect()
    }

    fn all(&self) -> Vec<Check> {
        let mut checks = self.of_connection();
        let reached = self.reached();
        // The checks that a fault of these kinds keeps from being made.
        let is_old = self.has(&[FaultKind::Version]);
        let is_locked = is_old || self.has(&[FaultKind::Permission, FaultKind::Schema]);
        for name in AFTER_LOGIN {
            let kinds = kinds_of(name);
            let reason = match name {
                CLUSTER if !matches!(self.url.deployment, RedisDeployment::Cluster { .. }) => continue,
                _ if self.has(kinds) => None,
                _ if reached.is_empty() => Some("no connection"),
                VERSION => None,
                _ if is_old => Some("the server is too old"),
                WRITES | CLOCK if is_locked => Some("not before the faults above are gone"),
                _ => None,
            };
            match reason {
                Some(reason) => checks.push(Check::not_checked(name, reason)),
                None => checks.extend(self.one(name, kinds, &reached)),
            }
        }
        let others = self.report().faults.iter().filter(|fault| fault.kind == FaultKind::Other);
        checks.extend(others.map(|fault| Check::of_fault(STORE, fault)));
        checks
    }

    /// Checks name resolution, the connection, TLS and the login, each by itself.
    fn of_connection(&self) -> Vec<Check> {
        let is_reached = !self.reached().is_empty();
        let is_refused = self.has(&[FaultKind::Login, FaultKind::Database]);
        let has_answered = is_reached || is_refused || self.has(&[FaultKind::Tls, FaultKind::Loading]);
        let mut checks = vec![match &self.found.names {
            // Another host of the URL led to the masters.
            Trial::Failed { place, cause, fix, .. } if is_reached => {
                Check::failed(NAMES, Severity::Warning, place, cause, fix)
            }
            trial => of_trial(NAMES, trial),
        }];
        if !has_answered && matches!(self.found.names, Trial::Failed { .. }) {
            checks.extend(unchecked([CONNECTION, TLS, LOGIN], "no address"));
            return checks;
        }
        let addresses: Vec<_> = self.report().masters.iter().map(|master| master.address.as_str()).collect();
        let is_tls = matches!(self.url.deployment, RedisDeployment::Standalone { tls: true, .. });
        for (name, is_checked, found) in [
            (CONNECTION, has_answered, addresses.join(", ")),
            (TLS, has_answered, if is_tls { "the certificate is trusted" } else { "not used" }.to_owned()),
            (
                LOGIN,
                is_reached || is_refused,
                format!("as {}", self.url.username.as_deref().unwrap_or("default")),
            ),
        ] {
            let kinds = kinds_of(name);
            match is_checked || self.has(kinds) {
                true => checks.extend(self.faults_or(name, kinds, || found)),
                false => checks.push(Check::not_checked(name, "no connection")),
            }
        }
        checks
    }

    fn one(&self, name: &'static str, kinds: &[FaultKind], reached: &[&MasterReport]) -> Vec<Check> {
        let each = |text: fn(&MasterReport) -> String| {
            let mut texts: Vec<_> = reached.iter().map(|master| text(master)).collect();
            texts.sort();
            texts.dedup();
            texts.join(", ")
        };
        let trial = match name {
            SCHEMA => Some(&self.found.shared_keys),
            TRACKING => Some(&self.found.tracking),
            EVENTS => Some(&self.found.events),
            KEYS => Some(&self.found.foreign_keys),
            _ => None,
        };
        if let Some(trial) = trial.filter(|_| !self.has(kinds)) {
            return vec![of_trial(name, trial)];
        }
        self.faults_or(name, kinds, || match name {
            VERSION => each(|master| master.version.clone()),
            PERMISSIONS => {
                format!("the Redis user {} has all", self.url.username.as_deref().unwrap_or("default"))
            }
            CLUSTER => format!("{} masters, all slots have one", self.report().masters.len()),
            WRITES => "accepted".into(),
            MEMORY => each(memory),
            CLOCK => "at most 5 s from this machine's and from each other".into(),
            PERSISTENCE => each(|master| master.persistence.clone()),
            REPLICATION => each(|master| format!("connected replicas: {}", master.replicas)),
            _ => String::new(),
        })
    }

    /// Returns a check for each fault of these kinds, or one without a fault.
    fn faults_or(
        &self,
        name: &'static str,
        kinds: &[FaultKind],
        found: impl FnOnce() -> String,
    ) -> Vec<Check> {
        let faults = self.report().faults.iter().filter(|fault| kinds.contains(&fault.kind));
        let failed: Vec<_> = faults.map(|fault| Check::of_fault(name, fault)).collect();
        if failed.is_empty() { vec![Check::ok(name, found())] } else { failed }
    }
}

/// The faults that a check reports.
fn kinds_of(name: &str) -> &'static [FaultKind] {
    match name {
        CONNECTION => &[FaultKind::Unreachable, FaultKind::Loading],
        TLS => &[FaultKind::Tls],
        LOGIN => &[FaultKind::Login, FaultKind::Database],
        VERSION => &[FaultKind::Version],
        PERMISSIONS => &[FaultKind::Permission],
        SCHEMA => &[FaultKind::Schema],
        CLUSTER => &[FaultKind::ClusterDown],
        WRITES => &[FaultKind::Replica, FaultKind::WritesRefused],
        MEMORY => &[FaultKind::Eviction, FaultKind::MemoryFull, FaultKind::MemoryLow],
        CLOCK => &[FaultKind::MasterClock, FaultKind::SystemClock],
        PERSISTENCE => &[FaultKind::Persistence, FaultKind::NotDurable],
        REPLICATION => &[FaultKind::Replication, FaultKind::FailoverLag],
        STORE => &[FaultKind::CutoffsUnknown, FaultKind::CutoffsStale, FaultKind::Other],
        _ => &[],
    }
}

fn of_trial(name: &'static str, trial: &Trial) -> Check {
    match trial {
        Trial::Passed(found) => Check::ok(name, found),
        Trial::Failed { severity, place, cause, fix } => Check::failed(name, *severity, place, cause, fix),
        Trial::NotTried(reason) => Check::not_checked(name, reason),
    }
}

fn memory(master: &MasterReport) -> String {
    let policy = &master.memory_policy;
    match master.memory.limit {
        0 => format!("{policy}, no maxmemory"),
        limit => {
            let percent = master.memory.used.saturating_mul(100) / limit;
            format!("{policy}, {percent} % of {} MiB used", limit.div_ceil(1024 * 1024))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_fault_belongs_to_one_check() {
        let all = [&AFTER_LOGIN[..], &[CONNECTION, TLS, LOGIN, STORE]].concat();
        for kind in FaultKind::ALL {
            assert_eq!(all.iter().filter(|name| kinds_of(name).contains(&kind)).count(), 1, "{kind:?}");
        }
    }
}
