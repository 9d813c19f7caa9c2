//! Checks of merged data.

use std::collections::{BTreeMap, BTreeSet};

use doorward::internals::model::device_key::{DeviceKey, LoginSecret};
use doorward::internals::model::token::RecordVerdict;
use doorward::internals::model::token::rotation::Rotation;
use doorward::internals::token_string::{SecretHash, TokenId};
use doorward::{Token, TokenChange};
use proptest::prelude::*;

use super::audit::{Moment, Snapshot};
use super::merging::{Nodes, content};
use super::ops::Op;
use super::values::*;
use super::world::World;
use crate::common::imports::digest_of;
use crate::common::store::{MINUTE_MS, TestStore};

type Outcome = Result<(), TestCaseError>;

/// What a merge must restore of a live token. A renewal may be lost.
fn essence(token: &Token, now_ms: u64) -> String {
    let record = &token.record;
    // A takeover that is over may be left in the record.
    let takeover = record.takeover.as_ref().filter(|takeover| takeover.ends_at_ms > now_ms);
    let good: BTreeSet<_> = record
        .previous
        .iter()
        .filter(|secret| secret.until_ms.is_none())
        .map(|s| s.hash)
        .chain([record.secret_hash])
        .map(|hash| format!("{hash:?}"))
        .collect();
    let objects: BTreeSet<_> = token.details.related_objects.iter().map(|o| o.object_id.clone()).collect();
    format!(
        "{} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {objects:?} {good:?} {:?}",
        record.user(),
        record.texts,
        record.bars,
        takeover,
        record.allowed_cookie,
        record.allowed_header,
        record.idle_ms,
        record.ends_at_ms,
        record.expires_at_ms,
        token.last_access_ms,
    )
}

/// Whether a secret with this verdict is one that a client may hold.
fn is_good(verdict: RecordVerdict) -> bool {
    matches!(verdict, RecordVerdict::Admitted | RecordVerdict::Pending)
}

/// What a merge must restore of a device key. A login may be lost.
fn device_essence(device: &DeviceKey) -> String {
    let secret = match &device.secret {
        LoginSecret::Native(hash) => format!("{hash:?}"),
        // The first login may be lost.
        _ => "foreign".into(),
    };
    format!(
        "{} {} {:?} {} {} {secret}",
        device.user, device.uuid, device.name, device.is_active, device.created_at_ms
    )
}

impl Nodes {
    /// Compares the merged data with the model, which lost nothing.
    pub async fn check_against_model(&self) -> Outcome {
        let world = &self.world;
        let (memory, redis, now_ms) = (&world.memory, &world.redis, world.now_ms);
        for (number, token) in world.tokens.iter().enumerate() {
            let id = token.record.id;
            let (expected, merged) = (memory.token(token, now_ms).await, redis.token(token, now_ms).await);
            let is_live = |token: &Token| token.revoked.is_none() && token.record.is_live(now_ms);
            match (&expected, &merged) {
                (Some(expected), Some(merged)) if is_live(expected) => {
                    prop_assert!(merged.revoked.is_none(), "token {} is revoked", number);
                    prop_assert_eq!(essence(expected, now_ms), essence(merged, now_ms), "token {}", number);
                }
                (Some(expected), None) if is_live(expected) => {
                    prop_assert!(false, "token {} is lost", number)
                }
                // A token that was lost with its revocation does not come back.
                (Some(expected), Some(merged)) if expected.revoked.is_some() => {
                    prop_assert_eq!(&expected.revoked, &merged.revoked, "token {}", number);
                }
                (None, Some(merged)) => prop_assert!(!is_live(merged), "token {} is live", number),
                _ => {}
            }
            for secret in world.secrets.get(&id).into_iter().flatten() {
                let verdict = async |on: &TestStore| {
                    let record = on.record(id).await.unwrap();
                    record.is_some_and(|record| is_good(record.judge(secret, None, now_ms)))
                };
                prop_assert_eq!(verdict(memory).await, verdict(redis).await, "a secret of token {}", number);
            }
        }
        for user in USERS {
            let locked = [memory.store.is_locked(user).await, redis.store.is_locked(user).await];
            let [expected, merged] = locked.map(Result::unwrap);
            prop_assert_eq!(expected, merged, "the lock of {}", user);
            self.check_listings(user).await?;
        }
        let mut cutoffs = [memory.store.cutoffs().await.unwrap(), redis.store.cutoffs().await.unwrap()];
        cutoffs.iter_mut().for_each(|cutoffs| cutoffs.sort_by_key(|cutoff| cutoff.name.clone()));
        let [expected, merged] = cutoffs.map(|cutoffs| {
            cutoffs
                .into_iter()
                .map(|cutoff| (cutoff.name, cutoff.before_ms, cutoff.created_at_ms))
                .collect::<Vec<_>>()
        });
        prop_assert_eq!(expected, merged, "the cut-offs");
        for string in STRINGS {
            let digest = digest_of(string);
            let Some(id) = memory.alias(&digest, now_ms).await else { continue };
            if memory.record(id).await.unwrap().is_some_and(|record| record.is_live(now_ms)) {
                prop_assert_eq!(redis.alias(&digest, now_ms).await, Some(id), "the alias of {}", string);
            }
        }
        for n in 0..OBJECTS.len() {
            let ids = async |on: &TestStore| {
                let tokens = on.store.object_tokens(&object(n), now_ms).await.unwrap();
                tokens.into_iter().map(|token| token.record.id).collect::<BTreeSet<_>>()
            };
            prop_assert_eq!(ids(memory).await, ids(redis).await, "object {}", n);
        }
        Ok(())
    }

    async fn check_listings(&self, user: &str) -> Outcome {
        let World { memory, redis, now_ms, .. } = &self.world;
        let live = async |on: &TestStore| {
            let tokens = on.store.user_tokens(user, *now_ms).await.unwrap();
            tokens
                .into_iter()
                .filter(|token| token.revoked.is_none())
                .map(|token| token.record.id)
                .collect::<BTreeSet<_>>()
        };
        prop_assert_eq!(live(memory).await, live(redis).await, "the tokens of {}", user);
        // A login moves the expiry of a device key.
        let devices = async |on: &TestStore| on.store.user_devices(user, *now_ms).await.unwrap();
        let merged: BTreeSet<_> = devices(redis).await.iter().map(device_essence).collect();
        for expected in devices(memory).await {
            let is_there = merged.contains(&device_essence(&expected));
            prop_assert!(
                is_there || expected.last_login_ms.is_some(),
                "{:?} is lost of {:?}",
                expected,
                merged
            );
        }
        let takeovers = async |on: &TestStore| {
            let takeovers = on.store.user_takeovers(user, *now_ms).await.unwrap();
            takeovers
                .into_iter()
                .map(|takeover| (takeover.id, takeover.actor, takeover.ended_at_ms))
                .collect::<Vec<_>>()
        };
        prop_assert_eq!(takeovers(memory).await, takeovers(redis).await, "the takeovers of {}", user);
        Ok(())
    }

    /// Audits the merged data as after any other step.
    pub fn audit(&self) -> Outcome {
        let world = &self.world;
        let ends_ms = world.tokens.iter().map(|token| {
            let (id, at_issue_ms) = (token.record.id, token.record.ends_at_ms);
            (id, world.moved_ends_ms.get(&id).map_or(at_issue_ms, |moved_ms| at_issue_ms.max(*moved_ms)))
        });
        // A merge may write the entry of an object that another node has taken from the token. Readers remove it.
        let taken_away = world.related_ms.keys().cloned().collect();
        let ends_ms = ends_ms.collect();
        let at = Moment { now_ms: world.now_ms, ttls_run: false, ends_ms, taken_away };
        let snapshot = Snapshot::of(&world.redis);
        snapshot.check(&snapshot, &at)
    }

    /// Runs an operation on a node whose data lacks what the others remember. Returns the token and the secret that it
    /// acknowledged, if it did.
    async fn act_alone(&self, number: usize, nth: usize, op: &Op) -> Option<(TokenId, SecretHash)> {
        let (node, now_ms) = (self.node(number), self.world.now_ms);
        match op {
            Op::Issue { user, .. } => {
                let token = self.world.memory.sample(USERS[*user], now_ms);
                let is_issued = node.store.issue(&token, now_ms).await.unwrap().is_ok();
                is_issued.then_some((token.record.id, token.record.secret_hash))
            }
            Op::Rotate { token, grace_min, .. } => {
                let id = self.world.token(*token).record.id;
                let rotation = Rotation {
                    hash: self.world.memory.mint(USERS[nth % USERS.len()]).hash,
                    grace_ms: grace_min * MINUTE_MS,
                };
                let rotated = node.store.change(id, &TokenChange::rotating(rotation), now_ms).await.unwrap();
                rotated.is_ok().then_some((id, rotation.hash))
            }
            Op::Change { token, change } => {
                let id = self.world.token(*token).record.id;
                let change = TokenChange { revoke: None, idle_ms: None, lifetime_ms: None, ..change.clone() };
                let _ = node.store.change(id, &change, now_ms).await.unwrap();
                None
            }
            _ => None,
        }
    }

    /// One node merges and goes on working; then the others merge, in this order. Nothing that is revoked comes back, and
    /// nothing that was acknowledged is lost.
    pub async fn check_interleaved(&mut self, order: &[usize], later: &[(usize, Op)]) -> Outcome {
        let first = order[0];
        self.merge(first).await?;
        let mut acknowledged = BTreeMap::new();
        for (n, (_, op)) in later.iter().enumerate() {
            self.world.now_ms += 1;
            acknowledged.extend(self.act_alone(first, n, op).await);
        }
        for number in &order[1..] {
            self.merge(*number).await?;
        }
        let world = &self.world;
        let (redis, now_ms) = (&world.redis, world.now_ms);
        for token in &world.tokens {
            let expected = world.memory.token(token, now_ms).await;
            let merged = redis.token(token, now_ms).await;
            if expected.is_none_or(|token| token.revoked.is_some()) {
                let is_live =
                    merged.is_some_and(|token| token.revoked.is_none() && token.record.is_live(now_ms));
                prop_assert!(!is_live, "{} is live again", token.record.id);
            }
        }
        // The secret of the model is good, unless the node that merged first has rotated the token since.
        let in_model = world.tokens.iter().filter(|token| !acknowledged.contains_key(&token.record.id));
        let mut secrets = acknowledged.clone();
        for token in in_model {
            let record = world.memory.record(token.record.id).await.unwrap();
            let record = record.filter(|record| record.is_live(now_ms) && !record.is_locked());
            // A login of the first node may have revoked it to make room.
            secrets.extend(record.filter(|_| later.is_empty()).map(|record| (record.id, record.secret_hash)));
        }
        for (id, secret) in secrets {
            let record = redis.record(id).await.unwrap();
            prop_assert!(record.is_some(), "{} is lost", id);
            let verdict = record.filter(|record| record.is_active && !record.is_locked());
            let verdict = verdict.map(|record| record.judge(&secret, None, now_ms));
            let passes = verdict.is_none_or(|verdict| is_good(verdict) || verdict == RecordVerdict::Expired);
            prop_assert!(passes, "{}: {:?}", id, verdict);
        }
        let before = content(redis);
        for number in order {
            self.merge(*number).await?;
        }
        prop_assert_eq!(before, content(redis), "merging again");
        Ok(())
    }
}
