//! How soon an ending reaches another node when nothing fails.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::common::process::wait_for;
use crate::judge::Validation;
use crate::load::{Ledger, validation};
use crate::timing::now_us;
use crate::world::{Addresses, DIRECT, PROXIED};

const ENDINGS: usize = 200;
/// Polls that were admitted before the ending: the node has it in its cache.
const POLLS_BEFORE: usize = 3;

/// From the acknowledgement of an ending until the start of the first request that the other node refused, which
/// polls without pause; zero when that was under way already. Microseconds.
pub struct Lags {
    pub median_us: u64,
    pub p99_us: u64,
    pub worst_us: u64,
}

/// Ends tokens on one node, one by one, while the other is asked about nothing else.
pub fn measure(ledger: &Ledger, nodes: &[Addresses]) -> Lags {
    let mut lags_us: Vec<u64> = (0..ENDINGS).map(|_| lag_us(ledger, nodes)).collect();
    lags_us.sort_unstable();
    let rank = |percent: usize| lags_us[(ENDINGS * percent).div_ceil(100) - 1];
    Lags { median_us: rank(50), p99_us: rank(99), worst_us: rank(100) }
}

fn lag_us(ledger: &Ledger, nodes: &[Addresses]) -> u64 {
    let (mut admin, mut gate) = (nodes[DIRECT].admin(), nodes[PROXIED].gate());
    let started_us = now_us();
    let issued = admin.issue("clean").expect("nothing fails");
    let token = ledger.issued(started_us);
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
        ledger.ending(token);
        assert_eq!(admin.end(&issued.id), 204);
        let ended_us = now_us();
        ledger.ended(token);
        let seen = poller.join().unwrap();
        let first_refused = *seen.last().unwrap();
        ledger.record(seen);
        first_refused.start_us.saturating_sub(ended_us)
    })
}
