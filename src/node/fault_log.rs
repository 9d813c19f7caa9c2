//! Logs the faults of the store: when a fault is first seen, once a minute while it lasts, and when it is over. A warning is
//! repeated once an hour.

use std::collections::HashMap;

use crate::store::report::{DeniedTo, Fault, FaultKind, MasterReport, Report, Severity};

/// A fault that lasts is logged again after this time.
const REPEAT_MS: u64 = 60_000;
/// A warning is logged again after this time: it may last for as long as its operator likes.
const REPEAT_WARNING_MS: u64 = 3_600_000;
/// The number of consecutive probes that must find a master untracked before it is logged. A reconnect takes one or two.
const UNTRACKED_PROBES: u32 = 4;

/// The identity of a fault: kind, server and fix. Without the cause, which may contain a number that changes with each probe.
type FaultKey = (FaultKind, String, String);

fn key(fault: &Fault) -> FaultKey {
    (fault.kind, fault.server.clone(), fault.fix.clone())
}

/// The faults that were logged.
#[derive(Default)]
pub(crate) struct FaultLog {
    /// When each present fault was last logged.
    faults: HashMap<FaultKey, u64>,
    /// The number of consecutive probes that found a master untracked, by its address.
    untracked: HashMap<String, u32>,
}

impl FaultLog {
    /// Logs the changes since the last probe.
    pub(crate) fn update(&mut self, report: &Report, now_ms: u64) {
        self.faults.retain(|known, _| {
            let lasts = report.faults.iter().any(|fault| key(fault) == *known);
            let (kind, server, _) = known;
            let is_faulty =
                |other: &Fault| other.server == *server && other.kind.severity() != Severity::Warning;
            // A server that has another fault now has not recovered.
            if !lasts && !report.faults.iter().any(is_faulty) {
                tracing::info!(%server, fault = %kind.name(), "redis recovered");
            }
            lasts
        });
        for fault in &report.faults {
            let key = key(fault);
            let repeat_ms = match fault.kind.severity() {
                Severity::Fatal | Severity::Fault => REPEAT_MS,
                Severity::Warning => REPEAT_WARNING_MS,
            };
            let is_due = self.faults.get(&key).is_none_or(|logged_ms| now_ms >= logged_ms + repeat_ms);
            if is_due {
                log(fault);
                self.faults.insert(key, now_ms);
            }
        }
    }

    /// Logs when the tracking of a master is lost and when it is restored.
    pub(crate) fn update_tracking(&mut self, masters: &[MasterReport]) {
        self.untracked.retain(|address, _| masters.iter().any(|master| master.address == *address));
        for MasterReport { address, is_tracked, .. } in masters {
            let Some(is_tracked) = is_tracked else { continue };
            let probes = self.untracked.entry(address.clone()).or_default();
            if *is_tracked {
                if *probes >= UNTRACKED_PROBES {
                    tracing::info!(master = %address, "redis tracking restored");
                }
                *probes = 0;
            } else {
                *probes = probes.saturating_add(1);
                if *probes == UNTRACKED_PROBES {
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
    match kind.severity() {
        Severity::Fatal | Severity::Fault => {
            tracing::error!(%server, command, key, channel, cause, fix, "{message}");
        }
        Severity::Warning => tracing::warn!(%server, cause, fix, "{message}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_logged_at_first_and_then_once_a_minute() {
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

    #[test]
    fn a_warning_is_repeated_once_an_hour() {
        let mut log = FaultLog::default();
        let warning = Fault::new(FaultKind::Persistence, "a:1", "appendonly is no", "correct it");
        let mut logged_at = |now_ms: u64| {
            log.update(&Report::of_fault(warning.clone()), now_ms);
            log.faults[&key(&warning)]
        };
        assert_eq!([0, 60_000, 3_599_999, 3_600_000].map(&mut logged_at), [0, 0, 0, 3_600_000]);
    }
}
