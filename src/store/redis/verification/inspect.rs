//! Lets scripts check items, and repair them.

use std::collections::BTreeMap;

use futures_util::future::try_join_all;
use redis::from_redis_value;
use serde::Serialize;

use super::damage::Kind;
use super::link::MasterLink;
use super::verifier::{TOLERANCE_MS, Verifier};
use crate::model::takeover::MAX_TAKEOVERS_PER_TOKEN;
use crate::store::error::StoreError;
use crate::store::redis::cluster::slots::slot_of_tag;
use crate::store::redis::errors::unexpected;
use crate::store::redis::schema::codec::primitives::pack_named;
use crate::store::redis::schema::script::Script;
use crate::store::redis::schema::scripts::VerificationScripts;
use crate::token_string::HashTag;
use crate::values::store_options::MAX_STALE_GRACE_MS;

/// Items in one script call: few enough to hold the server for well under a millisecond.
const ITEMS_PER_CALL: usize = 64;
/// Script calls that are under way at once: on a Cluster each is for one slot.
const CALLS_AT_ONCE: usize = 16;

/// The arguments of a script after the hash tag, as the head of the script lists them.
pub(crate) type ScriptArgs = Vec<Vec<u8>>;

/// Something that a script checks.
pub(crate) struct Item {
    pub(crate) hash_tag: HashTag,
    /// Its key, which routes the call.
    pub(crate) key: String,
    pub(crate) args: ScriptArgs,
}

/// The findings of a script: the position of the item, what is wrong, and whether it was repaired.
pub(crate) type ScriptFindings = Vec<(usize, Kind, bool)>;

/// The arguments of every script; lua/shared/verification.lua explains them.
#[derive(Serialize)]
struct Args {
    repair: bool,
    tolerance_ms: u64,
    longest_grace_ms: u64,
    max: usize,
    retention_ms: u64,
}

impl Verifier<'_> {
    /// Lets a script check these items, and repair them if the run repairs.
    pub(crate) async fn inspect(
        &self,
        link: &MasterLink,
        script: fn(&VerificationScripts) -> &Script,
        items: &[Item],
    ) -> Result<ScriptFindings, StoreError> {
        let is_by_slot = self.store.topology.map().is_by_slot();
        let mut by_slot: BTreeMap<u16, Vec<usize>> = BTreeMap::new();
        for (at, item) in items.iter().enumerate() {
            by_slot.entry(if is_by_slot { slot_of_tag(item.hash_tag) } else { 0 }).or_default().push(at);
        }
        let calls: Vec<_> = by_slot.values().flat_map(|places| places.chunks(ITEMS_PER_CALL)).collect();
        let mut found = ScriptFindings::new();
        for some in calls.chunks(CALLS_AT_ONCE) {
            let outcomes =
                some.iter().map(|places| self.inspect_some(link, script(&self.scripts), items, places));
            try_join_all(outcomes).await?.into_iter().for_each(|some| found.extend(some));
        }
        found.sort_unstable();
        Ok(found)
    }

    /// Calls a script for the items at these places, which are in one slot.
    async fn inspect_some(
        &self,
        link: &MasterLink,
        script: &Script,
        items: &[Item],
        places: &[usize],
    ) -> Result<ScriptFindings, StoreError> {
        let Some(first) = places.first().and_then(|at| items.get(*at)) else {
            return Ok(ScriptFindings::new());
        };
        let context = self.store.script_context(first.hash_tag, &self.call());
        let args = pack_named(&Args {
            repair: self.options.repairs,
            tolerance_ms: TOLERANCE_MS,
            longest_grace_ms: MAX_STALE_GRACE_MS,
            max: MAX_TAKEOVERS_PER_TOKEN,
            retention_ms: self.store.limits.takeover_retention_ms,
        });
        let mut all = vec![context, args];
        for item in places.iter().filter_map(|at| items.get(*at)) {
            all.push(item.hash_tag.to_string().into_bytes());
            all.extend(item.args.iter().cloned());
        }
        let all: Vec<&[u8]> = all.iter().map(Vec::as_slice).collect();
        let answer = link.run(script, &first.key, &all).await?;
        let found: Vec<(usize, String, u8)> = from_redis_value(answer).map_err(|_| unexpected("verify"))?;
        let found = found.into_iter().map(|(position, name, is_repaired)| {
            Some((*places.get(position)?, Kind::named(&name)?, is_repaired == 1))
        });
        found.collect::<Option<_>>().ok_or_else(|| unexpected("verify"))
    }
}
