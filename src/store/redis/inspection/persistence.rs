//! Checks what a server writes to the disk: what does a restart lose?

use super::server_facts::{ServerFacts, ServerSettings};
use crate::store::redis::cluster::address::ServerAddress;
use crate::store::report::{Fault, FaultKind};

const TURN_ON: &str = "CONFIG SET appendonly yes, also in redis.conf (see config/redis.conf)";

/// Returns the warnings. `settings` is `None` if the Redis user may not read them.
pub(crate) fn faults(
    address: &ServerAddress,
    facts: &ServerFacts,
    settings: Option<&ServerSettings>,
) -> Vec<Fault> {
    let setting = |name: &str| settings.and_then(|settings| settings.text(name));
    let facts = &facts.persistence;
    let mut found = Vec::new();
    match (facts.is_aof_on, setting("save")) {
        (Some(false), Some("")) => {
            found.push(("appendonly is no and there are no snapshots: a restart of the server loses every token", TURN_ON));
        }
        (Some(false), _) => found.push((
            "appendonly is no: a restart of the server loses the tokens and revocations since its last snapshot, if it \
             makes any",
            TURN_ON,
        )),
        (Some(true), _) if setting("appendfsync") == Some("no") => found.push((
            "appendfsync is no: a crash of the machine loses the tokens and revocations of half a minute",
            "CONFIG SET appendfsync everysec (or always), also in redis.conf",
        )),
        _ => {}
    }
    if facts.has_rewrite_failed {
        found.push((
            "the last rewrite of the append-only file failed: the file grows until the disk is full",
            "look at the server's log, free disk space, and run BGREWRITEAOF",
        ));
    }
    if facts.has_snapshot_failed {
        found.push(("the last snapshot failed", "look at the server's log, free disk space, and run BGSAVE"));
    }
    let fault = |(cause, fix)| Fault::new(FaultKind::Persistence, address.to_string(), cause, fix);
    found.into_iter().map(fault).collect()
}

/// Returns what the server writes to the disk, in words; an empty string if it does not tell.
pub(crate) fn described(facts: &ServerFacts, settings: Option<&ServerSettings>) -> String {
    let setting = |name: &str| settings.and_then(|settings| settings.text(name));
    match (facts.persistence.is_aof_on, setting("appendfsync"), setting("save")) {
        (None, ..) => String::new(),
        (Some(true), Some(fsync), _) => format!("append-only file, appendfsync {fsync}"),
        (Some(true), None, _) => "append-only file".into(),
        (Some(false), _, Some("")) => "none".into(),
        (Some(false), _, Some(save)) => format!("snapshots, save {save}"),
        (Some(false), _, None) => "no append-only file".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::server_facts::PersistenceFacts;
    use super::*;

    #[test]
    fn the_losses_of_a_restart_are_reported() {
        let with = |appendonly: bool, settings: Option<&[(&str, &str)]>| {
            let persistence = PersistenceFacts { is_aof_on: Some(appendonly), ..PersistenceFacts::default() };
            let facts = ServerFacts { persistence, ..ServerFacts::default() };
            let settings = settings.map(ServerSettings::of);
            let faults = faults(&ServerAddress::tcp("a", 1), &facts, settings.as_ref());
            let causes: Vec<_> = faults.into_iter().map(|fault| fault.cause).collect();
            (causes.join(", "), described(&facts, settings.as_ref()))
        };
        let (cause, text) = with(true, None);
        assert_eq!((cause.as_str(), text.as_str()), ("", "append-only file"));
        let (cause, text) = with(true, Some(&[("appendfsync", "everysec"), ("save", "")]));
        assert_eq!((cause.as_str(), text.as_str()), ("", "append-only file, appendfsync everysec"));
        assert!(with(true, Some(&[("appendfsync", "no")])).0.contains("appendfsync is no"));
        assert!(with(false, Some(&[("save", "")])).0.contains("loses every token"));
        let (cause, text) = with(false, Some(&[("save", "3600 1")]));
        assert!(cause.contains("last snapshot") && text == "snapshots, save 3600 1", "{cause} {text}");
        assert!(with(false, None).0.contains("if it makes any"));
    }
}
