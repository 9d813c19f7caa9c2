//! Checks the memory of a server: may it evict tokens, and is there room for new ones?

use super::server_facts::ServerFacts;
use crate::store::redis::cluster::address::ServerAddress;
use crate::store::report::{Fault, FaultKind, MemoryUse, is_evicting};

/// From this share of `maxmemory` on, the memory counts as nearly full.
const NEARLY_FULL_PERCENT: u64 = 90;

/// Returns the fault of the server's memory policy and fill, if there is one. A server that may evict is never full.
pub(crate) fn fault(address: &ServerAddress, facts: &ServerFacts, accepts_eviction: bool) -> Option<Fault> {
    if is_evicting(&facts.memory_policy) {
        return (!accepts_eviction).then(|| eviction(address, &facts.memory_policy));
    }
    let MemoryUse { used, limit } = facts.memory;
    let (kind, effect) = match used {
        _ if limit == 0 => return None,
        used if used >= limit => (FaultKind::MemoryFull, "new tokens are refused, revocations work"),
        used if used.saturating_mul(100) >= limit.saturating_mul(NEARLY_FULL_PERCENT) => {
            (FaultKind::MemoryLow, "new tokens are refused once it is full")
        }
        _ => return None,
    };
    let cause = format!("{used} bytes of maxmemory {limit} are used: {effect}");
    let fix = "CONFIG SET maxmemory to what the machine can spare, also in redis.conf";
    Some(Fault::new(kind, address.to_string(), cause, fix))
}

fn eviction(address: &ServerAddress, policy: &str) -> Fault {
    let cause = format!(
        "maxmemory-policy is {policy}: evicting a token logs its user out, evicting an index hides tokens"
    );
    let fix = "CONFIG SET maxmemory-policy noeviction, also in redis.conf; or set accept-eviction";
    Fault::new(FaultKind::Eviction, address.to_string(), cause, fix)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(policy: &str, used: u64, limit: u64, accepts_eviction: bool) -> Option<FaultKind> {
        let memory = MemoryUse { used, limit };
        let facts = ServerFacts { memory_policy: policy.into(), memory, ..ServerFacts::default() };
        fault(&ServerAddress::tcp("a", 1), &facts, accepts_eviction).map(|fault| fault.kind)
    }

    #[test]
    fn a_full_memory_is_another_fault_than_a_nearly_full_one() {
        for (used, limit, expected) in [
            (5, 0, None),
            (899, 1000, None),
            (900, 1000, Some(FaultKind::MemoryLow)),
            (999, 1000, Some(FaultKind::MemoryLow)),
            (1000, 1000, Some(FaultKind::MemoryFull)),
            (u64::MAX, 1, Some(FaultKind::MemoryFull)),
        ] {
            assert_eq!(kind("noeviction", used, limit, false), expected, "{used} of {limit}");
        }
    }

    #[test]
    fn an_accepted_eviction_is_no_fault() {
        assert_eq!(kind("allkeys-lru", 5, 1, false), Some(FaultKind::Eviction));
        assert_eq!(kind("allkeys-lru", 5, 1, true), None);
    }
}
