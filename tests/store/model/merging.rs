//! Merges after lost data: whatever the order in which nodes merge what they remember, the result is the same, and it is what
//! was acknowledged.
//!
//! Three nodes run a random history on one store, beside the model. At a random point of it the data is copied. Some nodes are
//! deaf: they hear nothing of what the others do. First the deaf nodes merge into the data as it is: they must undo nothing. Then
//! the copy replaces the data, and the nodes merge, each once or more, in a random order.
//!
//! `PROPTEST_CASES=500 cargo test --test integration store::model::merging` searches for new histories.

use std::collections::BTreeMap;

use doorward::TokenChange;
use doorward::internals::model::revoke_reason::RevokeReason;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{FileFailurePersistence, RngSeed};
use redis::Value;

use super::lost_data::{Copy, subscribe, take_messages};
use super::ops::{CutoffOp, Op, op};
use super::values::*;
use super::world::World;
use crate::common::store::{RawKey, StoreKind, TestStore, raw_connection};

const CASES: u32 = 24;
const SEED: u64 = 1;
const NODES: usize = 3;
const FAILED_CASES: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/proptest-regressions/store_merging.txt");

/// A history: operations, each by a node; when the data is copied; and two orders of merging.
#[derive(Clone, Debug)]
struct Case {
    ops: Vec<(usize, Op)>,
    copied: Index,
    deaf: Vec<usize>,
    orders: [Vec<usize>; 2],
    /// Operations of a node that has merged, while the others have not.
    later: Vec<(usize, Op)>,
}

fn case() -> impl Strategy<Value = Case> {
    let ops = |count| prop::collection::vec((0..NODES, prop_oneof![op(), token_op()]), count);
    let deaf = prop::sample::subsequence((0..NODES).collect::<Vec<_>>(), 0..NODES);
    let order = || {
        let each_once = Just((0..NODES).collect::<Vec<_>>()).prop_shuffle();
        (each_once, prop::collection::vec(0..NODES, 0..NODES)).prop_map(|(mut order, repeats)| {
            order.extend(repeats);
            order
        })
    };
    (ops(1..30), any::<Index>(), deaf, order(), order(), ops(0..6)).prop_map(
        |(ops, copied, deaf, one, other, later)| {
            let known = |ops: Vec<(usize, Op)>| {
                ops.into_iter().filter_map(|(node, op)| Some((node, replayed(op)?))).collect()
            };
            Case { ops: known(ops), copied, deaf, orders: [one, other], later: known(later) }
        },
    )
}

/// Operations on few tokens that live long: each of them is changed often.
fn token_op() -> impl Strategy<Value = Op> {
    let token = || 1..3_usize;
    let issue = |user| Op::Issue {
        user,
        idle_min: 100,
        lifetime_min: 150,
        is_authenticated: true,
        objects: Vec::new(),
    };
    let slug = |(token, slug): (usize, String)| {
        let change = TokenChange { auth_slug: Some(Some(slug)), ..TokenChange::default() };
        Op::Change { token, change }
    };
    let revoke = |token| Op::Change { token, change: TokenChange::revoking(RevokeReason::Ended) };
    prop_oneof![
        3 => (0..2_usize).prop_map(issue),
        4 => token().prop_map(|token| Op::Rotate { token, grace_min: 0, tabs: 1 }),
        2 => (token(), "[a-c]").prop_map(slug),
        2 => token().prop_map(revoke),
        1 => (0..2_usize, any::<bool>()).prop_map(|(user, is_locked)| Op::Lock { user, is_locked }),
        1 => (token(), 1..3_usize).prop_map(|(token, user)| Op::TakeOver { token, user, minutes: 100 }),
        1 => token().prop_map(|token| Op::EndTakeover { token }),
    ]
}

/// Returns the operation, if its effect is remembered; with a shorter advance of time, because nodes remember minutes.
fn replayed(op: Op) -> Option<Op> {
    match op {
        Op::Touch(_) | Op::Cutoff(CutoffOp::Step { .. }) => None,
        Op::AdvanceMin(minutes) => Some(Op::AdvanceMin(minutes.min(3))),
        op => Some(op),
    }
}

/// The nodes: `world.redis` is the one that acts.
pub struct Nodes {
    pub world: World,
    others: Vec<TestStore>,
}

impl Nodes {
    async fn start(kind: StoreKind) -> Self {
        let world = World::new(kind, [false, false]).await;
        let mut others = Vec::new();
        for _ in 1..NODES {
            others.push(world.redis.sibling(LIMITS).await);
        }
        Self { world, others }
    }

    pub fn node(&self, number: usize) -> &TestStore {
        number.checked_sub(1).map_or(&self.world.redis, |number| &self.others[number])
    }

    async fn apply(&mut self, number: usize, op: &Op) -> Result<(), TestCaseError> {
        // Two changes of one thing are never at the same time.
        self.world.now_ms += 1;
        let other = number.checked_sub(1);
        if let Some(other) = other {
            std::mem::swap(&mut self.world.redis, &mut self.others[other]);
        }
        let outcome = self.world.apply(op).await;
        if let Some(other) = other {
            std::mem::swap(&mut self.world.redis, &mut self.others[other]);
        }
        outcome
    }

    fn hear(&self, messages: &[Value], deaf: &[usize]) {
        for number in (0..NODES).filter(|number| !deaf.contains(number)) {
            messages.iter().for_each(|message| self.node(number).redis().hear_message(message));
        }
    }

    pub async fn merge(&self, number: usize) -> Result<(), TestCaseError> {
        let counts = self.node(number).redis().merge_everywhere(self.world.now_ms).await.unwrap();
        prop_assert_eq!(counts.failed + counts.moved, 0);
        Ok(())
    }

    /// Restores the copy, merges in this order, and returns the content of the store.
    async fn merge_all(&self, copy: &Copy, order: &[usize]) -> Result<Content, TestCaseError> {
        copy.restore(&self.world.redis);
        for number in order {
            self.merge(*number).await?;
        }
        Ok(content(&self.world.redis))
    }
}

/// The content of a store without TTLs, events and traces: who merged first decides how many traces there are.
pub type Content = BTreeMap<String, BTreeMap<Vec<u8>, Vec<u8>>>;

pub fn content(store: &TestStore) -> Content {
    let is_compared = |key: &RawKey| !matches!(key.name.as_bytes()[0], b'q' | b'y' | b'e');
    let keys = store.dump().into_iter().filter(is_compared);
    keys.map(|key| (key.name, key.entries.into_iter().collect())).collect()
}

async fn run(kind: StoreKind, case: &Case) -> Result<(), TestCaseError> {
    let mut nodes = Nodes::start(kind).await;
    let first = nodes.world.redis.masters().next().unwrap();
    let mut connection = raw_connection(first);
    let mut messages = subscribe(&mut connection, &nodes.world.redis);
    let copied = case.copied.index(case.ops.len() + 1);
    let mut copy = None;
    for (step, (number, op)) in case.ops.iter().enumerate() {
        if step == copied {
            copy = Some(Copy::of(&nodes.world.redis));
        }
        let outcome = nodes.apply(*number, op).await;
        outcome.map_err(|error| TestCaseError::fail(format!("step {step}, {op:?}: {error}")))?;
    }
    let copy = copy.unwrap_or_else(|| Copy::of(&nodes.world.redis));
    nodes.world.now_ms += 1;
    nodes.hear(&take_messages(&mut messages, &nodes.world.redis), &case.deaf);

    // Whatever ended while a node was cut off, its merge does not undo.
    for number in &case.deaf {
        nodes.merge(*number).await?;
        nodes.check_against_model().await?;
        nodes.audit()?;
    }

    let [one, other] = &case.orders;
    let merged = nodes.merge_all(&copy, one).await?;
    nodes.check_against_model().await?;
    nodes.audit()?;
    let merged_otherwise = nodes.merge_all(&copy, other).await?;
    nodes.check_against_model().await?;
    nodes.audit()?;
    if case.deaf.is_empty() {
        // A deaf node may write a token that the others revoke. If they are first, it does not write it.
        prop_assert_eq!(&merged, &merged_otherwise, "the order of merging");
    }

    copy.restore(&nodes.world.redis);
    nodes.check_interleaved(one, &case.later).await
}

fn merge_in_any_order(kind: StoreKind, cases: u32) {
    let mut config = match std::env::var_os("PROPTEST_CASES") {
        Some(_) => ProptestConfig::default(),
        None => ProptestConfig { rng_seed: RngSeed::Fixed(SEED), ..ProptestConfig::with_cases(cases) },
    };
    config.failure_persistence = Some(Box::new(FileFailurePersistence::Direct(FAILED_CASES)));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    // Keeps the shared server running between cases.
    let _server = runtime.block_on(TestStore::open(kind));
    proptest!(config, |(case in case())| {
        runtime.block_on(run(kind, &case))?;
    });
}

#[test]
fn nodes_merge_in_any_order() {
    merge_in_any_order(StoreKind::RedisTcp, CASES);
}

#[test]
fn nodes_merge_in_any_order_on_a_cluster() {
    merge_in_any_order(StoreKind::Cluster, CASES / 3);
}
