//! Checks that a server can do what `durable-writes` demands.

use super::server_facts::ServerFacts;
use crate::store::redis::cluster::address::ServerAddress;
use crate::store::report::{Fault, FaultKind};
use crate::values::DurableWrites;

/// The first Redis with `WAITAOF` (Redis documentation, "WAITAOF"). Every Valkey has it.
const FIRST_WITH_WAITAOF: (u32, u32) = (7, 2);

/// How changes wait for a replica, and for the disk, as commands whose permission is checked.
pub(crate) const WAIT_FOR_REPLICAS: &str = "WAIT 1 0";
pub(crate) const WAIT_FOR_DISK: &str = "WAITAOF 1 0 0";

/// Returns the command that changes at this server send to wait, if the server has it.
pub(crate) fn wait_command(facts: &ServerFacts, writes: DurableWrites) -> Option<&'static str> {
    match writes {
        DurableWrites::None => None,
        DurableWrites::Replicas(_) => Some(WAIT_FOR_REPLICAS),
        DurableWrites::Disk => (!lacks_waitaof(facts)).then_some(WAIT_FOR_DISK),
    }
}

/// Returns the fault of a server at which changes cannot become durable.
pub(crate) fn fault(address: &ServerAddress, facts: &ServerFacts, writes: DurableWrites) -> Option<Fault> {
    let (cause, fix) = match writes {
        DurableWrites::None => return None,
        DurableWrites::Replicas(wanted) => {
            let online = facts.replicas.iter().filter(|replica| replica.state == "online").count();
            if online >= usize::from(wanted) || facts.replica_of.is_some() {
                return None;
            }
            let cause = format!("durable-writes is replicas:{wanted}, and {online} replicas are connected");
            (cause, "start replicas, or lower durable-writes")
        }
        DurableWrites::Disk if lacks_waitaof(facts) => {
            let cause =
                format!("durable-writes is disk, and the server is {}, without WAITAOF", facts.version);
            (cause, "run Redis 7.2 or newer, or Valkey, or set durable-writes to replicas:N")
        }
        DurableWrites::Disk if facts.persistence.is_aof_on == Some(false) => {
            let cause = "durable-writes is disk, and appendonly is no".to_owned();
            (cause, "CONFIG SET appendonly yes, also in redis.conf (see config/redis.conf)")
        }
        DurableWrites::Disk => return None,
    };
    Some(Fault::new(FaultKind::NotDurable, address.to_string(), cause, fix))
}

/// Returns whether the server is known to lack the command.
fn lacks_waitaof(facts: &ServerFacts) -> bool {
    let Some(version) = facts.version.strip_prefix("redis ") else { return false };
    let mut numbers = version.split('.').map(|number| number.parse().ok());
    match (numbers.next().flatten(), numbers.next().flatten()) {
        (Some(major), Some(minor)) => (major, minor) < FIRST_WITH_WAITAOF,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause(info: &str, writes: DurableWrites) -> String {
        let facts = ServerFacts::from_info(info);
        fault(&ServerAddress::tcp("a", 1), &facts, writes).map(|fault| fault.cause).unwrap_or_default()
    }

    #[test]
    fn too_few_replicas_are_reported() {
        let info = "role:master\r\nconnected_slaves:2\r\nslave0:ip=b,port=1,state=online,offset=1,lag=0\r\n\
                    slave1:ip=c,port=1,state=wait_bgsave,offset=0,lag=0\r\n";
        assert_eq!(cause(info, DurableWrites::Replicas(1)), "");
        assert_eq!(cause(info, DurableWrites::None), "");
        assert!(cause(info, DurableWrites::Replicas(2)).ends_with("and 1 replicas are connected"));
    }

    #[test]
    fn a_server_that_cannot_wait_for_its_disk_is_reported() {
        let disk = |info: &str| cause(info, DurableWrites::Disk);
        let old = "durable-writes is disk, and the server is redis 7.0.15, without WAITAOF";
        assert_eq!(disk("redis_version:7.0.15\r\naof_enabled:1\r\n"), old);
        assert!(disk("redis_version:7.2.4\r\naof_enabled:0\r\n").ends_with("appendonly is no"));
        assert_eq!(disk("redis_version:7.2.4\r\naof_enabled:1\r\n"), "");
        assert_eq!(disk("redis_version:7.2.4\r\nvalkey_version:8.1.1\r\naof_enabled:1\r\n"), "");
        assert_eq!(disk("redis_version:10.0.0\r\naof_enabled:1\r\n"), "");
    }
}
