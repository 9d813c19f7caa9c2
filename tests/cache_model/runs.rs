//! The number of schedules that each model runs in.

use shuttle::scheduler::{DfsScheduler, PctScheduler, RandomScheduler, Scheduler};
use shuttle::{Config, Runner};

use crate::sync::leave_out;

const SHORT_ITERATIONS: usize = 3_000;
/// The limit of the search. The absence of each protection shows within a few hundred schedules.
const TEETH_ITERATIONS: usize = 20_000;
/// No failure here needs more preemptions.
const PCT_DEPTH: usize = 4;
const SEED: u64 = 2026;

/// Runs a model in many schedules, half of them uniformly random and half with few preemptions.
pub fn check(model: fn()) {
    match std::env::var("CACHE_MODEL_ITERATIONS").ok().map(|n| n.parse::<usize>().unwrap()) {
        None => {
            run(RandomScheduler::new_from_seed(SEED, SHORT_ITERATIONS / 2), model);
            run(PctScheduler::new_from_seed(SEED, PCT_DEPTH, SHORT_ITERATIONS / 2), model);
        }
        Some(iterations) => {
            run(RandomScheduler::new(iterations / 2), model);
            run(PctScheduler::new(PCT_DEPTH, iterations / 2), model);
        }
    }
}

/// Runs a model in every possible schedule.
pub fn check_exhaustively(model: fn()) {
    let schedules = run(DfsScheduler::new(None, false), model);
    assert!(schedules > 1, "there was a race to search: {schedules}");
}

/// Runs a model without one of the protections, and asserts that it fails.
pub fn check_without(protection: &'static str, model: fn()) {
    leave_out(protection);
    run(PctScheduler::new_from_seed(SEED, PCT_DEPTH, TEETH_ITERATIONS), model);
    run(RandomScheduler::new_from_seed(SEED, TEETH_ITERATIONS), model);
}

fn run(scheduler: impl Scheduler + 'static, model: fn()) -> usize {
    Runner::new(scheduler, Config::new()).run(model)
}
