//! Runs of the verification, and their findings.

use std::collections::BTreeMap;

use doorward::internals::store::redis::verification::damage::{Kind, Weight};
use doorward::internals::store::redis::verification::progress::{VerifyOptions, VerifyProgress};
use doorward::internals::store::redis::verification::report::VerificationReport;
use doorward::internals::token_string::{HashTag, TokenId};

use crate::common::store::TestStore;

/// So high that no run waits.
pub const FAST: u64 = 100_000_000;

pub const DRY: VerifyOptions = VerifyOptions { repairs: false, rate: FAST, shows_users: true };
pub const REPAIRING: VerifyOptions = VerifyOptions { repairs: true, ..DRY };

/// Runs a complete verification.
pub async fn verify(on: &TestStore, options: VerifyOptions, now_ms: u64) -> VerificationReport {
    let report = on.redis().verify(options, &VerifyProgress::default(), now_ms).await.unwrap();
    assert_eq!(report.incomplete, [] as [String; 0]);
    report
}

/// Returns how many of each kind were found, or are left.
pub fn counts(report: &VerificationReport, left: bool) -> BTreeMap<&'static str, u64> {
    let tallies = report.findings.iter();
    let counts = tallies.map(|(kind, tally)| (kind.name(), if left { tally.left() } else { tally.found }));
    counts.filter(|(_, count)| *count > 0).collect()
}

/// Asserts that a run finds no damage. Notes are allowed.
pub fn assert_healthy(report: &VerificationReport) {
    let damage: Vec<_> = report.findings.iter().filter(|(kind, _)| kind.weight() == Weight::Damage).collect();
    assert!(damage.is_empty(), "{damage:#?}");
}

/// Returns the name of a user's key.
pub fn user_key(on: &TestStore, kind: char, user: &str) -> String {
    format!("{}{kind}:{{{}}}:{user}", on.prefix(), HashTag::of_user(user))
}

/// Returns the name of a key that belongs to a token or a device key.
pub fn id_key(on: &TestStore, kind: char, id: TokenId) -> String {
    format!("{}{kind}:{{{}}}:{}", on.prefix(), id.hash_tag(), id.locator())
}

/// Whether a kind is one that a repair leaves.
pub fn is_only_reported(kind: &str) -> bool {
    Kind::ALL.iter().any(|known| known.name() == kind && known.repair().is_empty())
}
