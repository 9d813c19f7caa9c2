//! Last accesses and renewals, written in batches.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use serde::Serialize;

use super::script_call::ScriptCall;
use crate::model::token::Touch;
use crate::store::error::{StoreError, Unwritten};
use crate::store::redis::cluster::slots::slot_of_tag;
use crate::store::redis::redis_store::RedisStore;

/// Touches in one script call: few enough to hold the server for well under a millisecond.
const TOUCHES_PER_CALL: usize = 128;
/// Script calls to a master that are under way at once: on a Cluster each is for one slot.
const CALLS_PER_MASTER: usize = 4;
/// Failed calls after which a master gets no more of the batch. More than one, because a migrating slot refuses its calls
/// and the others must not suffer.
const FAILURES_PER_BATCH: usize = 4;

/// A touch as lua/touch_tokens.lua takes it: hash tag, locator, user, access, since, the earned expiry or 0.
type TouchArgs<'a> = (String, String, &'a str, u64, u64, u64);

/// The positions, in the batch, of the touches of one call.
type Places = Vec<usize>;

impl RedisStore {
    pub(crate) async fn touch(&self, touches: &[Touch], now_ms: u64) -> Result<(), Unwritten> {
        let masters = self.calls_by_master(touches);
        let outcomes =
            join_all(masters.iter().map(|calls| self.touch_on_master(touches, calls, now_ms))).await;
        let failures = outcomes.into_iter().filter_map(Result::err);
        failures.reduce(Unwritten::and).map_or(Ok(()), Err)
    }

    /// Makes the calls to one master; the calls to other masters do not depend on them.
    async fn touch_on_master(
        &self,
        touches: &[Touch],
        calls: &[Places],
        now_ms: u64,
    ) -> Result<(), Unwritten> {
        let (mut failure, mut failures): (Option<Unwritten>, _) = (None, 0);
        for group in calls.chunks(CALLS_PER_MASTER) {
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
        self.run_script(ScriptCall::new(&self.scripts.touch_tokens, at, &now_ms.into(), &args)).await
    }

    /// Divides the touches into calls, by master. On a Cluster, the keys of a call are in one slot.
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
    let (hash_tag, locator) = (touch.id.hash_tag().to_string(), touch.id.locator());
    let renew_to_ms = touch.renewal.map_or(0, |renewal| renewal.to_ms);
    (hash_tag, locator, &touch.user, touch.access_ms, touch.since_ms(), renew_to_ms)
}
