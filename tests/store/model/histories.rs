//! The histories, and the pairs of stores to compare.
//!
//! Every run tests the same histories, so that a change is judged by what it changed. `PROPTEST_CASES=5000 cargo test
//! --test integration store::model` searches for new ones, at random.

use proptest::prelude::*;
use proptest::test_runner::{FileFailurePersistence, RngSeed};

use super::ops::{Op, op};
use super::world::World;
use crate::common::store::{MINUTE_MS, NOW_MS, StoreKind, TestStore};

const CASES: u32 = 64;
const SEED: u64 = 1;
const FAILED_CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/proptest-regressions/store_model.txt");

async fn run(kind: StoreKind, ways: [bool; 2], ops: &[Op]) -> Result<(), TestCaseError> {
    let mut world = World::new(kind, ways).await;
    for (step, op) in ops.iter().enumerate() {
        let outcome = world.apply(op).await;
        let minute = (world.now_ms - NOW_MS) / MINUTE_MS;
        outcome.map_err(|e| TestCaseError::fail(format!("step {step}, minute {minute}, {op:?}: {e}")))?;
    }
    world.verify().await?;
    world.compare_objects().await
}

fn tell_the_same_story(kind: StoreKind) {
    let mut config = match std::env::var_os("PROPTEST_CASES") {
        Some(_) => ProptestConfig::default(),
        None => ProptestConfig { rng_seed: RngSeed::Fixed(SEED), ..ProptestConfig::with_cases(CASES) },
    };
    // Cases that once failed run first.
    config.failure_persistence = Some(Box::new(FileFailurePersistence::Direct(FAILED_CASES)));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    // Keeps the shared server running between cases.
    let _server = runtime.block_on(TestStore::open(kind));
    proptest!(config, |(ways in any::<[bool; 2]>(), ops in prop::collection::vec(op(), 1..40))| {
        runtime.block_on(run(kind, ways, &ops))?;
    });
}

#[test]
fn memory_and_redis_agree() {
    tell_the_same_story(StoreKind::RedisTcp);
}

#[test]
fn memory_and_valkey_agree() {
    tell_the_same_story(StoreKind::Valkey);
}

#[test]
fn memory_and_a_cluster_agree() {
    tell_the_same_story(StoreKind::Cluster);
}
