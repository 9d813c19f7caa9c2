//! The result of a run.

use std::collections::BTreeMap;
use std::time::Duration;

use super::damage::{Kind, Weight};
use crate::printable::printable;

/// The most example keys of each kind.
pub const MAX_EXAMPLES: usize = 10;
/// The most bytes shown of a key or member.
const MAX_SHOWN_BYTES: usize = 400;

/// The findings of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many were found.
    pub found: u64,
    /// How many of them were repaired.
    pub repaired: u64,
    /// The first keys, each with the member concerned, if there is one.
    pub examples: Vec<String>,
}

impl Tally {
    /// How many are left.
    pub fn left(&self) -> u64 {
        self.found - self.repaired
    }
}

/// The result of a run.
#[derive(Clone, Debug, Default)]
pub struct VerificationReport {
    /// The findings, by kind, worst first.
    pub findings: BTreeMap<Kind, Tally>,
    /// The masters whose keys were listed.
    pub masters: Vec<String>,
    /// The keys that were looked at, other programs' included.
    pub keys: u64,
    /// The members, fields and events that were looked at.
    pub members: u64,
    /// How long the run took.
    pub duration: Duration,
    /// Why keys may have been left out; empty if all were checked.
    pub incomplete: Vec<String>,
}

impl VerificationReport {
    /// The damage that is left, of all kinds.
    pub fn damage_left(&self) -> u64 {
        let damage = self.findings.iter().filter(|(kind, _)| kind.weight() == Weight::Damage);
        damage.map(|(_, tally)| tally.left()).sum()
    }

    pub(crate) fn add(&mut self, kind: Kind, is_repaired: bool, example: impl FnOnce() -> String) {
        let tally = self.findings.entry(kind).or_default();
        tally.found += 1;
        tally.repaired += u64::from(is_repaired);
        if tally.examples.len() < MAX_EXAMPLES {
            tally.examples.push(example());
        }
    }

    /// Notes why keys may have been left out, each reason once.
    pub(crate) fn add_incomplete(&mut self, reason: String) {
        if !self.incomplete.contains(&reason) && self.incomplete.len() < MAX_EXAMPLES {
            self.incomplete.push(reason);
        }
    }
}

/// Returns a key or member as the report shows it.
pub(crate) fn shown(bytes: &[u8]) -> String {
    printable(&bytes[..bytes.len().min(MAX_SHOWN_BYTES)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_are_few_and_repairs_are_subtracted() {
        let mut report = VerificationReport::default();
        (0..20).for_each(|n| report.add(Kind::MissingTtl, n % 2 == 0, || n.to_string()));
        report.add(Kind::UnknownKey, false, String::new);
        let tally = &report.findings[&Kind::MissingTtl];
        assert_eq!((tally.found, tally.repaired, tally.examples.len()), (20, 10, MAX_EXAMPLES));
        assert_eq!(report.damage_left(), 10);
    }
}
