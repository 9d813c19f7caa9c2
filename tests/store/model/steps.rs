//! Runs one step of a history on both stores.

use std::collections::BTreeSet;

use doorward::internals::model::cutoff::{CutoffName, CutoffStep};
use doorward::internals::model::device_key::{DeviceChange, DeviceKey, DeviceLogin, LoginSecret};
use doorward::internals::model::import::{ImportOutcome, NewImport};
use doorward::internals::model::revoke_reason::RevokeReason;
use doorward::internals::model::takeover::NewTakeover;
use doorward::internals::model::token::rotation::{PreviousSecret, Rotation};
use doorward::internals::model::token::{Bars, RecordVerdict, RelatedObject, Texts, Touch};
use doorward::internals::store::{Outcome, Store};
use doorward::internals::token_string;
use doorward::internals::token_string::TokenId;
use doorward::{Token, TokenChange};
use futures_util::future::join_all;
use proptest::prelude::*;

use super::audit::Snapshot;
use super::ops::{Access, CutoffOp, DeviceOp, Op};
use super::values::*;
use super::world::{World, counted_back};
use crate::common::devices::{login_of, sample_device};
use crate::common::imported_devices as devices;
use crate::common::imports::sample_import;
use crate::common::store::{DAY_MS, MINUTE_MS, detailed, edited, touch, with_idle, with_objects};

impl World {
    pub async fn apply(&mut self, op: &Op) -> Result<(), TestCaseError> {
        self.make(op).await?;
        self.compare().await?;
        self.audit()
    }

    async fn make(&mut self, op: &Op) -> Result<(), TestCaseError> {
        match op {
            Op::AdvanceMin(minutes) => self.advance(minutes * MINUTE_MS),
            Op::Issue { user, idle_min, lifetime_min, is_authenticated, objects } => {
                let (idle_ms, lifetime_ms) = (*idle_min * MINUTE_MS, *lifetime_min * MINUTE_MS);
                let objects = objects.iter().map(|n| object(*n)).collect();
                self.issue(USERS[*user], [idle_ms, lifetime_ms], *is_authenticated, objects).await?;
            }
            Op::Import { user, string, idle_min, lifetime_min, objects, is_dry } => {
                let (idle_ms, lifetime_ms) = (*idle_min * MINUTE_MS, *lifetime_min * MINUTE_MS);
                let objects = objects.iter().map(|n| object(*n)).collect();
                let (user, string) = (USERS[*user], STRINGS[*string]);
                self.import((user, string), [idle_ms, lifetime_ms], objects, *is_dry).await?;
            }
            Op::Rotate { token, grace_min, tabs } => self.rotate(*token, *grace_min, *tabs).await?,
            Op::Present { token, secret } => self.present(*token, *secret).await?,
            Op::TakeOver { token, user, minutes } => {
                self.take_over(*token, USERS[*user], *minutes).await?;
            }
            Op::EndTakeover { token } => self.end_takeover(*token).await?,
            Op::Touch(accesses) => {
                let touches: Vec<_> = accesses.iter().map(|access| self.touch(access)).collect();
                for on in [&self.memory, &self.redis] {
                    on.store.touch(&touches, self.now_ms).await.unwrap();
                }
            }
            Op::Change { token, change } => self.make_change(*token, change).await?,
            Op::EndUser { user, except } => {
                let except = except.map(|number| self.token(number).record.id);
                let [memory, redis] = self.end_user(USERS[*user], except).await;
                prop_assert_eq!(memory, redis);
            }
            Op::EraseUser { user } => self.erase(USERS[*user]).await?,
            Op::Lock { user, is_locked } => self.lock(USERS[*user], *is_locked).await?,
            Op::Device(op) => self.apply_to_device(op).await?,
            Op::Cutoff(op) => self.apply_to_cutoff(op).await?,
            Op::Relate { token, object: n, undo } => self.make_relation(*token, *n, *undo).await?,
            Op::EndObject { object: n } => {
                let [memory, redis] = self.end_object(&object(*n)).await;
                prop_assert_eq!(memory, redis);
            }
        }
        Ok(())
    }

    async fn end_takeover(&self, token: usize) -> Result<(), TestCaseError> {
        let id = self.token(token).record.id;
        let memory = self.memory.store.end_takeover(id, RevokeReason::Ended, self.now_ms).await;
        let redis = self.redis.store.end_takeover(id, RevokeReason::Ended, self.now_ms).await;
        prop_assert_eq!(memory.unwrap(), redis.unwrap());
        Ok(())
    }

    async fn lock(&self, user: &str, is_locked: bool) -> Result<(), TestCaseError> {
        let memory = self.memory.store.set_lock(user, is_locked, self.now_ms).await.unwrap();
        let redis = self.redis.store.set_lock(user, is_locked, self.now_ms).await.unwrap();
        prop_assert_eq!(memory, redis);
        Ok(())
    }

    async fn erase(&self, user: &str) -> Result<(), TestCaseError> {
        for on in [&self.memory, &self.redis] {
            on.store.erase_user(user, self.now_ms).await.unwrap();
        }
        Snapshot::of(&self.redis).check_erased(user)?;
        Ok(())
    }

    async fn make_change(&mut self, token: usize, change: &TokenChange) -> Result<(), TestCaseError> {
        let id = self.token(token).record.id;
        let [memory, redis] = self.change(id, change).await;
        prop_assert_eq!(&memory, &redis);
        if let Ok(token) = memory {
            self.note_end(id, token.record.ends_at_ms);
        }
        Ok(())
    }

    async fn make_relation(&mut self, token: usize, n: usize, undo: bool) -> Result<(), TestCaseError> {
        let id = self.token(token).record.id;
        let [memory, redis] = self.relate(id, &object(n), undo).await;
        prop_assert_eq!(&memory, &redis);
        if memory.is_ok() {
            self.note_related(id, object(n), undo);
        }
        Ok(())
    }

    pub async fn apply_to_device(&mut self, op: &DeviceOp) -> Result<(), TestCaseError> {
        let now_ms = self.now_ms;
        let device = |number: &usize| counted_back(&self.devices, *number).clone();
        let [memory, redis] = [&self.memory.store, &self.redis.store];
        match op {
            DeviceOp::Make { user, uuid, idle_min } => {
                let number = self.devices.len() as u64;
                let mut new = sample_device(USERS[*user], UUIDS[*uuid], number, now_ms);
                new.expires_at_ms = now_ms + idle_min * MINUTE_MS;
                let made = memory.make_device(&new, now_ms).await.unwrap();
                prop_assert_eq!(made, redis.make_device(&new, now_ms).await.unwrap());
                self.devices.insert(self.devices.len() - 1, new);
            }
            DeviceOp::Change { device: number, is_active, name } => {
                let DeviceKey { user, uuid, .. } = device(number);
                let change = DeviceChange { is_active: *is_active, name: name.clone() };
                let changed = memory.change_device(&user, &uuid, &change, now_ms).await.unwrap();
                prop_assert_eq!(changed, redis.change_device(&user, &uuid, &change, now_ms).await.unwrap());
            }
            DeviceOp::Rotate { device: number } => self.rotate_device(*number).await?,
            DeviceOp::Remove { device: number } => {
                let DeviceKey { user, uuid, .. } = device(number);
                let removed = memory.remove_device(&user, &uuid, now_ms).await.unwrap();
                prop_assert_eq!(removed, redis.remove_device(&user, &uuid, now_ms).await.unwrap());
            }
            DeviceOp::Import { user, uuid, idle_min, is_dry } => {
                let mut new = devices::sample_import(USERS[*user], UUIDS[*uuid], now_ms);
                new.device.expires_at_ms = now_ms + idle_min * MINUTE_MS;
                let imported = memory.import_device(&new, *is_dry, now_ms).await.unwrap();
                prop_assert_eq!(imported, redis.import_device(&new, *is_dry, now_ms).await.unwrap());
                self.devices.insert(self.devices.len() - 1, new.device);
            }
            DeviceOp::LogIn { device: number, uuid, idle_min, verifies } => {
                self.log_in(*number, *uuid, *idle_min, *verifies).await?
            }
        }
        Ok(())
    }

    async fn rotate_device(&mut self, number: usize) -> Result<(), TestCaseError> {
        let (now_ms, [memory, redis]) = (self.now_ms, [&self.memory.store, &self.redis.store]);
        let at = self.devices.len() - 1 - number % self.devices.len();
        let DeviceKey { id, user, uuid, .. } = self.devices[at].clone();
        // A secret of another key, which this one has not had.
        let hash = self.memory.mint(&user).hash;
        let rotated = memory.rotate_device((&user, &uuid), (id, &hash), now_ms).await.unwrap();
        let redis = redis.rotate_device((&user, &uuid), (id, &hash), now_ms).await.unwrap();
        prop_assert_eq!(&rotated, &redis);
        if rotated.is_ok() {
            self.devices[at].secret = LoginSecret::Native(hash);
        }
        Ok(())
    }

    async fn log_in(
        &mut self,
        number: usize,
        uuid: Option<usize>,
        idle_min: u64,
        verifies: bool,
    ) -> Result<(), TestCaseError> {
        let (now_ms, [memory, redis]) = (self.now_ms, [&self.memory.store, &self.redis.store]);
        let mut device = counted_back(&self.devices, number).clone();
        device.uuid = uuid.map_or(device.uuid, |other| UUIDS[other].to_owned());
        let expires_at_ms = now_ms + idle_min * MINUTE_MS;
        let login = match device.secret {
            LoginSecret::Native(_) => login_of(&device, now_ms),
            _ => devices::foreign_login(&device, verifies.then_some(devices::HASH), now_ms),
        };
        let login = DeviceLogin { expires_at_ms, ..login };
        let token = self.memory.for_login(&device, now_ms);
        let done = memory.device_login(&login, &token, now_ms).await.unwrap();
        prop_assert_eq!(&done, &redis.device_login(&login, &token, now_ms).await.unwrap());
        if let Ok((token, _)) = done {
            self.secrets.insert(token.record.id, vec![token.record.secret_hash]);
            self.tokens.insert(self.tokens.len() - 1, token);
        }
        Ok(())
    }

    pub async fn apply_to_cutoff(&self, op: &CutoffOp) -> Result<(), TestCaseError> {
        let (now_ms, [memory, redis]) = (self.now_ms, [&self.memory.store, &self.redis.store]);
        let name = |n: &usize| CutoffName::parse(CUTOFFS[*n]).unwrap();
        let before_ms = |ago_min: &u64| now_ms - ago_min * MINUTE_MS;
        match op {
            CutoffOp::Set { name: n, ago_min } => {
                let set = memory.set_cutoff(&name(n), before_ms(ago_min), now_ms).await.unwrap();
                prop_assert_eq!(set, redis.set_cutoff(&name(n), before_ms(ago_min), now_ms).await.unwrap());
            }
            CutoffOp::Remove { name: n } => {
                let removed = memory.remove_cutoff(&name(n), now_ms).await.unwrap();
                prop_assert_eq!(removed, redis.remove_cutoff(&name(n), now_ms).await.unwrap());
            }
            CutoffOp::Step { name: n, ago_min, scanned, revoked, is_last } => {
                let (before_ms, scanned, revoked, is_last) =
                    (before_ms(ago_min), *scanned, *revoked, *is_last);
                let step = CutoffStep { name: name(n), before_ms, scanned, revoked, is_last };
                for store in [memory, redis] {
                    let held = store.hold_walk("walker", std::slice::from_ref(&step), now_ms).await.unwrap();
                    prop_assert!(held.is_some());
                }
            }
        }
        Ok(())
    }

    pub async fn relate(&self, id: TokenId, object: &RelatedObject, undo: bool) -> [Outcome<String>; 2] {
        let related = async |store: &Store| match undo {
            true => store.unrelate(id, object, self.now_ms).await.unwrap(),
            false => store.relate(id, object, self.now_ms).await.unwrap(),
        };
        [related(&self.memory.store).await, related(&self.redis.store).await]
    }

    pub async fn end_object(&self, object: &RelatedObject) -> [BTreeSet<TokenId>; 2] {
        let as_set = |revoked: Vec<TokenId>| revoked.into_iter().collect();
        let memory = self.memory.store.revoke_object_tokens(object, self.now_ms).await.unwrap();
        let redis = self.redis.store.revoke_object_tokens(object, self.now_ms).await.unwrap();
        [as_set(memory), as_set(redis)]
    }

    pub async fn issue(
        &mut self,
        user: &str,
        [idle_ms, lifetime_ms]: [u64; 2],
        is_authenticated: bool,
        related_objects: Vec<RelatedObject>,
    ) -> Result<(), TestCaseError> {
        let ends_at_ms = self.now_ms + lifetime_ms;
        let mut token = with_idle(self.memory.sample(user, self.now_ms), idle_ms);
        token = edited(token, |c| {
            c.ends_at_ms = ends_at_ms;
            c.expires_at_ms = c.expires_at_ms.min(ends_at_ms);
            c.bars = Bars::NONE.with(Bars::PENDING, !is_authenticated);
        });
        for object in &related_objects {
            self.note_related(token.record.id, object.clone(), false);
        }
        let number = self.tokens.len();
        token = edited(token, |c| {
            c.texts = Texts::new(user, number.is_multiple_of(2).then_some("s"), Some("ü"), None)
        });
        // Some are longer than events show them, and cut within a character.
        token = detailed(token, |details| details.user_agent = "aé€".repeat(number % 3 * 22));
        let token = with_objects(token, related_objects);
        self.secrets.insert(token.record.id, vec![token.record.secret_hash]);
        let memory = self.memory.store.issue(&token, self.now_ms).await.unwrap();
        let redis = self.redis.store.issue(&token, self.now_ms).await.unwrap();
        self.tokens.insert(self.tokens.len() - 1, token);
        prop_assert_eq!(memory, redis);
        Ok(())
    }

    pub async fn import(
        &mut self,
        (user, string): (&str, &str),
        [idle_ms, lifetime_ms]: [u64; 2],
        related_objects: Vec<RelatedObject>,
        is_dry: bool,
    ) -> Result<(), TestCaseError> {
        let mut import = sample_import(&self.memory, user, string, self.now_ms);
        // Where TTLs do not run, Redis keeps an alias for ever: so does a long life in memory.
        let ends_at_ms = self.now_ms + if self.ttls_run { lifetime_ms } else { 30 * DAY_MS };
        import.token = edited(import.token, |record| {
            record.idle_ms = idle_ms;
            record.ends_at_ms = ends_at_ms;
            record.expires_at_ms = ends_at_ms.min(self.now_ms + idle_ms);
        });
        import.token = with_objects(import.token, related_objects);
        let imports = [import];
        let memory = self.memory.store.import(&imports, is_dry, self.now_ms).await.unwrap();
        let redis = self.redis.store.import(&imports, is_dry, self.now_ms).await.unwrap();
        prop_assert_eq!(&memory, &redis);
        let [NewImport { token, .. }] = imports;
        if memory == [ImportOutcome::Imported] && !is_dry {
            let id = token.record.id;
            for object in &token.details.related_objects {
                self.note_related(id, object.clone(), false);
            }
            self.secrets.insert(id, vec![token.record.secret_hash]);
            self.tokens.insert(self.tokens.len() - 1, token);
        }
        Ok(())
    }

    /// Runs all rotations concurrently on Redis, then in memory in the order in which Redis ran them.
    pub async fn rotate(&mut self, token: usize, grace_min: u64, tabs: usize) -> Result<(), TestCaseError> {
        let (id, user) = (self.token(token).record.id, self.token(token).record.user().to_owned());
        let grace_ms = grace_min * MINUTE_MS;
        let rotations: Vec<_> =
            (0..tabs).map(|_| Rotation { hash: self.memory.mint(&user).hash, grace_ms }).collect();
        let rotate = async |rotation| {
            let change = TokenChange::rotating(rotation);
            (change.clone(), self.redis.store.change(id, &change, self.now_ms).await.unwrap())
        };
        let mut outcomes = join_all(rotations.into_iter().map(rotate)).await;
        let last = self.redis.record(id).await.unwrap();
        let previous = last.map(|record| record.previous.to_vec()).unwrap_or_default();
        // Rotations refused because of their number come last.
        outcomes.sort_by_key(|(_, outcome)| match outcome {
            Ok(token) => {
                let place = |secret: &PreviousSecret| secret.hash == token.record.secret_hash;
                previous.iter().position(place).unwrap_or(previous.len())
            }
            _ => usize::MAX,
        });
        for (change, redis) in outcomes {
            let memory = self.memory.store.change(id, &change, self.now_ms).await.unwrap();
            if memory.is_ok() {
                self.secrets.entry(id).or_default().extend(change.rotate.map(|rotation| rotation.hash));
            }
            prop_assert_eq!(memory, redis);
        }
        Ok(())
    }

    /// Presents a secret, as validation does.
    pub async fn present(&self, token: usize, secret: usize) -> Result<(), TestCaseError> {
        let id = self.token(token).record.id;
        let Some(secrets) = self.secrets.get(&id) else { return Ok(()) };
        let hash = secrets[secret % secrets.len()];
        let mut outcomes = Vec::new();
        for on in [&self.memory, &self.redis] {
            let record = on.record(id).await.unwrap();
            let verdict = record.map(|record| record.judge(&hash, None, self.now_ms));
            // Stores may differ in how long an expired token is kept for a renewal. After its absolute expiry, no
            // renewal revives it, and a revocation by object may find it or not, because Redis prunes the object's
            // entry then.
            let verdict = verdict.filter(|verdict| *verdict != RecordVerdict::Expired);
            let is_wrong = matches!(verdict, Some(RecordVerdict::WrongSecret | RecordVerdict::RotatedOut));
            let has_ended =
                is_wrong && on.store.revoke_reused(id, &hash, self.now_ms).await.unwrap().is_some();
            prop_assert_eq!(
                has_ended,
                verdict == Some(RecordVerdict::RotatedOut),
                "only a remembered secret revokes"
            );
            outcomes.push((verdict, has_ended));
        }
        prop_assert_eq!(outcomes[0], outcomes[1]);
        Ok(())
    }

    pub async fn take_over(&self, token: usize, user: &str, minutes: u64) -> Result<(), TestCaseError> {
        let token = self.token(token).record.id;
        let id = token_string::new_id(token.hash_tag(), self.memory.entropy()).unwrap();
        let ends_at_ms = self.now_ms + minutes * MINUTE_MS;
        let new = NewTakeover { id, token, user: user.to_owned(), reason: None, ends_at_ms };
        let memory = self.memory.store.start_takeover(&new, self.now_ms).await.unwrap();
        prop_assert_eq!(memory, self.redis.store.start_takeover(&new, self.now_ms).await.unwrap());
        Ok(())
    }

    /// Builds the access that a node would record if it validated the token then.
    pub fn touch(&self, access: &Access) -> Touch {
        let token = self.token(access.token);
        let access_ms = self.now_ms - access.ago_min * MINUTE_MS;
        let earned_ms = (access_ms + token.record.idle_ms).min(token.record.ends_at_ms);
        let mut touch = touch(token, access_ms, access.renews.then_some(earned_ms));
        if let Some(renewal) = &mut touch.renewal {
            renewal.from_ms -= access.chain_min * MINUTE_MS;
        }
        touch
    }

    pub async fn change(&self, id: TokenId, change: &TokenChange) -> [Outcome<Token>; 2] {
        let memory = self.memory.store.change(id, change, self.now_ms).await.unwrap();
        [memory, self.redis.store.change(id, change, self.now_ms).await.unwrap()]
    }

    pub async fn end_user(&self, user: &str, except: Option<TokenId>) -> [BTreeSet<TokenId>; 2] {
        let as_set = |revoked: Vec<TokenId>| revoked.into_iter().collect();
        let memory = self.memory.store.revoke_user_tokens(user, except, self.now_ms).await.unwrap();
        let redis = self.redis.store.revoke_user_tokens(user, except, self.now_ms).await.unwrap();
        [as_set(memory), as_set(redis)]
    }
}
