//! The log of the store's faults: each when it is first seen, again once a minute while it lasts, and when it is over.

use std::collections::HashMap;

use crate::store::report::{DeniedTo, Fault, FaultKind, MasterReport, Report};

/// The same fault is logged again after this.
const REPEAT_MS: u64 = 60_000;
/// So many looks in a row must find a master untracked before that is a warning: a reconnect takes one or two.
const UNTRACKED_LOOKS: u32 = 4;

/// What makes two faults the same one. Not the cause: it may have a figure in it that changes with each look.
type Key = (FaultKind, String, Option<DeniedTo>);

fn key(fault: &Fault) -> Key {
    (fault.kind, fault.server.clone(), fault.denied.clone())
}

/// See the module.
#[derive(Default)]
pub(crate) struct FaultLog {
    /// When each was last logged.
    faults: HashMap<Key, u64>,
    /// By address: how many looks in a row a master was not tracked.
    untracked: HashMap<String, u32>,
}

impl FaultLog {
    /// Logs what changed since the last look.
    pub(crate) fn update(&mut self, report: &Report, now_ms: u64) {
        self.faults.retain(|known, _| {
            let lasts = report.faults.iter().any(|fault| key(fault) == *known);
            let (kind, server, _) = known;
            // A server that is at fault in another way now has not recovered.
            if !lasts && !report.faults.iter().any(|other| other.server == *server) {
                tracing::info!(%server, fault = %kind.name(), "redis recovered");
            }
            lasts
        });
        for fault in &report.faults {
            let key = key(fault);
            let is_due = self.faults.get(&key).is_none_or(|logged_ms| now_ms >= logged_ms + REPEAT_MS);
            if is_due {
                log(fault);
                self.faults.insert(key, now_ms);
            }
        }
    }

    /// Warns of masters whose changes are not heard, when that begins and when it is over.
    pub(crate) fn update_tracking(&mut self, masters: &[MasterReport]) {
        self.untracked.retain(|address, _| masters.iter().any(|master| master.address == *address));
        for MasterReport { address, is_tracked, .. } in masters {
            let Some(is_tracked) = is_tracked else { continue };
            let looks = self.untracked.entry(address.clone()).or_default();
            if *is_tracked {
                if *looks >= UNTRACKED_LOOKS {
                    tracing::info!(master = %address, "redis tracking restored");
                }
                *looks = 0;
            } else {
                *looks = looks.saturating_add(1);
                if *looks == UNTRACKED_LOOKS {
                    tracing::warn!(master = %address, "redis tracking lost: the near cache is not used");
                }
            }
        }
    }
}

fn log(fault: &Fault) {
    let Fault { kind, server, cause, fix, denied } = fault;
    let message = kind.message();
    let of = |part: fn(&DeniedTo) -> &String| {
        denied.as_ref().map(part).filter(|text| !text.is_empty()).map(tracing::field::display)
    };
    let (command, key, channel) = (of(|d| &d.command), of(|d| &d.key), of(|d| &d.channel));
    if kind.is_fatal() {
        tracing::error!(%server, command, key, channel, cause, fix, "{message}");
    } else {
        tracing::warn!(%server, cause, fix, "{message}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn a_fault_is_due_at_first_and_once_a_minute() {
        let mut log = FaultLog::default();
        let mut logged_at = |now_ms: u64| {
            let cause = format!("the clock of a:1 is {now_ms} ms ahead of this node's");
            let fault = Fault::new(FaultKind::Other, "a:1", cause, "correct it");
            let key = key(&fault);
            log.update(&Report::of_fault(fault), now_ms);
            log.faults[&key]
        };
        assert_eq!([0, 500, 59_999].map(&mut logged_at), [0, 0, 0]);
        assert_eq!([60_000, 60_500, 120_000].map(&mut logged_at), [60_000, 60_000, 120_000]);
        log.update(&Report::default(), 120_500);
        assert!(log.faults.is_empty());
    }
}
