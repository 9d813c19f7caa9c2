//! How soon a revocation reaches the other node when nothing fails.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::common::process::wait_for;
use crate::judge::Validation;
use crate::load::{Ledger, validation};
use crate::timing::now_us;
use crate::world::{Addresses, DIRECT, PROXIED};

const REVOCATIONS: usize = 200;
/// Polls that pass before the revocation, so that the node has cached the token.
const POLLS_BEFORE: usize = 3;

/// Times from the acknowledgement of a revocation until the start of the first request that the other node refused. The
/// other node is polled without pause. Zero if that request had already been sent.
pub struct Lags {
    pub median_us: u64,
    pub p99_us: u64,
    pub worst_us: u64,
}

/// Revokes tokens on one node, one by one, while the other node is polled about nothing else.
pub fn measure(ledger: &Ledger, nodes: &[Addresses]) -> Lags {
    let mut lags_us: Vec<u64> = (0..REVOCATIONS).map(|_| lag_us(ledger, nodes)).collect();
    lags_us.sort_unstable();
    let rank = |percent: usize| lags_us[(REVOCATIONS * percent).div_ceil(100) - 1];
    Lags { median_us: rank(50), p99_us: rank(99), worst_us: rank(100) }
}

fn lag_us(ledger: &Ledger, nodes: &[Addresses]) -> u64 {
    let (mut admin, mut gate) = (nodes[DIRECT].admin(), nodes[PROXIED].gate());
    let started_us = now_us();
    let issued = admin.issue("clean").expect("nothing fails");
    let token = ledger.issued(DIRECT, started_us);
    let polls = AtomicUsize::new(0);
    thread::scope(|scope| {
        let poller = scope.spawn(|| {
            let mut seen: Vec<Validation> = Vec::new();
            while seen.last().is_none_or(|last| last.status == 200) {
                seen.push(validation(PROXIED, token, || gate.validate(&issued.token_string)));
                polls.fetch_add(1, Ordering::SeqCst);
            }
            seen
        });
        wait_for("the other node knows it", || (polls.load(Ordering::SeqCst) > POLLS_BEFORE).then_some(()));
        ledger.revoking(token);
        assert_eq!(admin.revoke(&issued.id), 204);
        let revoked_us = now_us();
        ledger.revoked(token);
        let seen = poller.join().unwrap();
        let first_refused = *seen.last().unwrap();
        ledger.record(seen);
        first_refused.start_us.saturating_sub(revoked_us)
    })
}
