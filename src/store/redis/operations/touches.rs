//! Accesses and renewals, written in batches.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use serde::Serialize;

use crate::model::token::Touch;
use crate::store::error::{StoreError, Unwritten};
use crate::store::redis::cluster::slots::slot_of_tag;
use crate::store::redis::redis_store::RedisStore;

/// Touches in one script call: few enough to hold the server for well under a millisecond.
const TOUCHES_PER_CALL: usize = 128;
/// Script calls to a master at once: on a cluster each is for one slot.
const CALLS_AT_ONCE: usize = 4;
/// A master that has failed so many calls is not asked for the rest of the batch. More than one: a slot on its way
/// refuses its calls, and the others must not suffer.
const FAILURES_PER_BATCH: usize = 4;

/// What touch.lua takes of each touch: shard tag, locator, user, access, since, the expiry it earned or 0.
type TouchArgs<'a> = (String, String, &'a str, u64, u64, u64);

/// The places in the batch of the touches of one call.
type Places = Vec<usize>;

impl RedisStore {
    pub(crate) async fn touch(&self, touches: &[Touch], now_ms: u64) -> Result<(), Unwritten> {
        let masters = self.calls_by_master(touches);
        let outcomes =
            join_all(masters.iter().map(|calls| self.touch_on_master(touches, calls, now_ms))).await;
        let failures = outcomes.into_iter().filter_map(Result::err);
        failures.reduce(Unwritten::and).map_or(Ok(()), Err)
    }

    /// One master's calls. That one is away does not keep the others from theirs.
    async fn touch_on_master(
        &self,
        touches: &[Touch],
        calls: &[Places],
        now_ms: u64,
    ) -> Result<(), Unwritten> {
        let (mut failure, mut failures): (Option<Unwritten>, _) = (None, 0);
        for group in calls.chunks(CALLS_AT_ONCE) {
            let calls = group.iter().map(async |places| {
                let is_given_up = failures >= FAILURES_PER_BATCH;
                let outcome = match &failure {
                    Some(known) if is_given_up => Err(known.error.clone()),
                    _ => self.touch_once(touches, places, now_ms).await,
                };
                outcome.map_err(|error| Unwritten::by(error, places))
            });
            for unwritten in join_all(calls).await.into_iter().filter_map(Result::err) {
                failures += 1;
                failure = Some(match failure {
                    Some(known) => known.and(unwritten),
                    None => unwritten,
                });
            }
        }
        failure.map_or(Ok(()), Err)
    }

    async fn touch_once(&self, touches: &[Touch], places: &Places, now_ms: u64) -> Result<(), StoreError> {
        #[derive(Serialize)]
        struct Args<'a> {
            touches: Vec<TouchArgs<'a>>,
        }
        let touches: Vec<_> = places.iter().filter_map(|place| touches.get(*place)).collect();
        let Some(first) = touches.first() else { return Ok(()) };
        let at = (self.keys.token(first.id), first.id.hash_tag());
        let args = Args { touches: touches.iter().map(|touch| touch_args(touch)).collect() };
        self.run(&self.scripts.touch, at, &now_ms.into(), &args, &[]).await
    }

    /// The calls for each master. The keys of a call are in one slot, where slots matter.
    fn calls_by_master(&self, touches: &[Touch]) -> Vec<Vec<Places>> {
        let map = self.topology.map();
        let mut by_slot: BTreeMap<u16, Places> = BTreeMap::new();
        for (place, touch) in touches.iter().enumerate() {
            let slot = if map.is_by_slot() { slot_of_tag(touch.id.hash_tag()) } else { 0 };
            by_slot.entry(slot).or_default().push(place);
        }
        let mut by_master: BTreeMap<_, Vec<Places>> = BTreeMap::new();
        for (slot, places) in &by_slot {
            let master = map.owner(*slot).map(|master| master.index().0);
            let calls = places.chunks(TOUCHES_PER_CALL).map(<[_]>::to_vec);
            by_master.entry(master).or_default().extend(calls);
        }
        by_master.into_values().collect()
    }
}

fn touch_args(touch: &Touch) -> TouchArgs<'_> {
    let (shard, locator) = (touch.id.hash_tag().to_string(), touch.id.locator());
    let renew_to_ms = touch.renewal.map_or(0, |renewal| renewal.to_ms);
    (shard, locator, &touch.user, touch.access_ms, touch.since_ms(), renew_to_ms)
}
