//! Runs one fault on one deployment and checks the verdict.

use std::sync::{Mutex, PoisonError};
use std::thread;

use doorward::system::Entropy;
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use crate::fault::Fault;
use crate::judge::{Guarantee, Verdict};
use crate::load::Ledger;
use crate::timing::{AFTERWARDS, CALM, FAULTY_US, LEASE_MS, PROMPT_US, SETTLED, SLACK_US, now_us};
use crate::world::NODES;
use crate::{lag, load};

const FAULTS: u64 = 23;

pub fn setting(name: &str) -> Option<u64> {
    std::env::var(name)
        .ok()
        .map(|text| text.parse().unwrap_or_else(|_| panic!("{name}={text}: not a number")))
}

pub fn check(fault: Fault) {
    // Two deployments at once would overload a small machine.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);

    let seed =
        setting("HISTORY_SEED").unwrap_or_else(|| u64::from_ne_bytes(Entropy::system().bytes().unwrap()));
    let faulty_us = setting("HISTORY_SECONDS").map_or(FAULTY_US, |seconds| seconds * 1_000_000 / FAULTS);
    let mut rng = StdRng::seed_from_u64(seed);
    let mut world = fault.world();
    let (ledger, afterwards) = match fault {
        Fault::Lossy(_) => (Ledger::watching_for(2 * SETTLED.as_micros() as u64), SETTLED),
        _ => (Ledger::default(), AFTERWARDS),
    };
    let nodes = world.addresses();
    let mut recovery_us = 0;
    load::run(&ledger, &nodes, seed, || {
        thread::sleep(CALM);
        fault.happen(&mut world, &ledger, &mut rng, now_us() + faulty_us);
        recovery_us = world.await_service();
        thread::sleep(afterwards);
    });
    let lags = (fault == Fault::Nothing).then(|| lag::measure(&ledger, &nodes));

    let guarantee = Guarantee { nodes: NODES, lease_us: LEASE_MS * 1000, slack_us: SLACK_US };
    let verdict = ledger.into_history().judge(guarantee);
    report(&format!("{fault:?}"), seed, &verdict, recovery_us);
    if let Some(lags) = lags {
        let ms = |us: u64| us as f64 / 1000.0;
        let (median, p99, worst) = (ms(lags.median_us), ms(lags.p99_us), ms(lags.worst_us));
        println!(
            "  a revocation on the other node: median {median:.2} ms, p99 {p99:.2} ms, worst {worst:.2} ms"
        );
        assert!(lags.median_us <= PROMPT_US, "revocations are slow although nothing fails");
    }
    let first: Vec<_> = verdict.violations.iter().take(5).collect();
    let count = verdict.violations.len();
    assert!(count == 0, "{fault:?}, HISTORY_SEED={seed}: {count} violations, the first: {first:#?}");
    // Otherwise nothing was checked.
    assert!(verdict.revocations_judged > 0 && verdict.live > 0, "HISTORY_SEED={seed}: {verdict:?}");
}

pub fn report(what: &str, seed: u64, verdict: &Verdict, recovery_us: u64) {
    let Verdict { revocations, revocations_judged, judged, live, admitted, refused, unavailable, .. } =
        verdict;
    let (passed, wronged) = verdict.wronged();
    println!(
        "{what} (HISTORY_SEED={seed}): {} violations ({passed} tokens passed after their revocation, {wronged} live ones \
         were refused); last pass {:.1} ms after a revocation (lease {LEASE_MS} ms)\n  \
         {revocations} revocations, {revocations_judged} of them judged on every node; {} validations ({admitted} admitted, \
         {refused} refused, {unavailable} unavailable), {judged} judged after a revocation and {live} of live tokens; \
         service {:.0} ms after the fault",
        verdict.violations.len(),
        verdict.worst_lag_us as f64 / 1000.0,
        admitted + refused + unavailable,
        recovery_us as f64 / 1000.0,
    );
}
