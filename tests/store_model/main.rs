//! Random histories, told to the embedded store and to Redis: both must say the same after every step. The
//! embedded one is simple enough to be believed. And Redis must keep nothing for longer than it is of use.
//!
//! `PROPTEST_CASES=5000 cargo test --test store_model` looks longer.

#[path = "../common/mod.rs"]
mod common;

mod audit;
mod ops;

use std::collections::{BTreeSet, HashMap, HashSet};

use audit::{Moment, Snapshot};
use common::devices::{login_of, sample_device};
use common::store::{HOUR_MS, MINUTE_MS, NOW_MS, StoreKind, TestStore, touch, with_idle};
use doorward::internals::model::device_key::{DeviceChange, DeviceKey, DeviceLogin, LoggedIn};
use doorward::internals::model::event::EndReason;
use doorward::internals::model::takeover::NewTakeover;
use doorward::internals::model::token::record::{RelatedObject, Touch, Verdict};
use doorward::internals::model::token::rotation::{PreviousSecret, Rotation};
use doorward::internals::store::{Changed, Ended, Related, Store, StoreLimits};
use doorward::internals::token_string as secret;
use doorward::internals::token_string::{SecretHash, TokenId};
use doorward::{Token, TokenChange};
use futures_util::future::join_all;
use ops::{Access, DeviceOp, Op, op};
use proptest::prelude::*;

const CASES: u32 = 64;
const USERS: [&str; 3] = ["alice", "bob}:{", "ü"];
const UUIDS: [&str; 3] = ["phone", "é", "-="];
const OBJECTS: [&str; 2] = ["7", "ü"];
/// Low, so that logins push each other out; and ended tokens outlive some live ones and not others.
const LIMITS: StoreLimits = StoreLimits {
    revoked_retention_ms: HOUR_MS,
    // Longer than some tokens live.
    stale_grace_ms: 20 * MINUTE_MS,
    max_tokens_per_user: 3,
    max_devices_per_user: 2,
    // All of them: those of one step have no order, so neither store need forget the same ones.
    events_per_user: 10_000,
    // Some takeovers are forgotten within a case.
    takeover_retention_ms: HOUR_MS / 2,
    ..common::store::LIMITS
};

struct World {
    /// Whether what is past its time goes by itself, as it does in a Redis whose clock is right; else it stays until
    /// somebody comes by, and must not be seen.
    ttls_run: bool,
    /// Whether the tokens of objects are listed after each step, which takes out what is not true; else at the end only.
    lists_objects: bool,
    memory: TestStore,
    redis: TestStore,
    now_ms: u64,
    /// As issued, and last an unknown one.
    tokens: Vec<Token>,
    /// All secrets that each token ever had.
    secrets: HashMap<TokenId, Vec<SecretHash>>,
    /// As made or asked for, and last an unknown one.
    devices: Vec<DeviceKey>,
    /// When each object last was to get each token; and the tokens that were taken from it within a minute.
    related_ms: HashMap<(RelatedObject, TokenId), u64>,
    taken_away: HashSet<(RelatedObject, TokenId)>,
    /// What was in Redis after the last step.
    snapshot: Snapshot,
}

impl World {
    async fn new(kind: StoreKind, [ttls_run, lists_objects]: [bool; 2]) -> Self {
        let memory = TestStore::open_with(StoreKind::Memory, LIMITS).await;
        let redis = TestStore::open_with(kind, LIMITS).await;
        let tokens = vec![memory.sample("alice", NOW_MS)];
        let devices = vec![sample_device(USERS[0], UUIDS[0], 0, NOW_MS)];
        let (secrets, snapshot) = (HashMap::new(), Snapshot::default());
        Self {
            ttls_run,
            lists_objects,
            memory,
            redis,
            now_ms: NOW_MS,
            tokens,
            secrets,
            devices,
            related_ms: HashMap::new(),
            taken_away: HashSet::new(),
            snapshot,
        }
    }

    fn token(&self, number: usize) -> &Token {
        counted_back(&self.tokens, number)
    }

    async fn apply(&mut self, op: &Op) -> Result<(), TestCaseError> {
        match op {
            Op::AdvanceMin(minutes) => self.advance(minutes * MINUTE_MS),
            Op::Issue { user, idle_min, lifetime_min, is_authenticated, objects } => {
                let (idle_ms, lifetime_ms) = (*idle_min * MINUTE_MS, *lifetime_min * MINUTE_MS);
                let objects = objects.iter().map(|n| object(*n)).collect();
                self.issue(USERS[*user], [idle_ms, lifetime_ms], *is_authenticated, objects).await?;
            }
            Op::Rotate { token, grace_min, tabs } => self.rotate(*token, *grace_min, *tabs).await?,
            Op::Present { token, secret } => self.present(*token, *secret).await?,
            Op::TakeOver { token, user, minutes } => {
                self.take_over(*token, USERS[*user], *minutes).await?;
            }
            Op::EndTakeover { token } => {
                let id = self.token(*token).credential.id;
                let memory = self.memory.store.end_takeover(id, EndReason::Ended, self.now_ms).await;
                let redis = self.redis.store.end_takeover(id, EndReason::Ended, self.now_ms).await;
                prop_assert_eq!(memory.unwrap(), redis.unwrap());
            }
            Op::Touch(accesses) => {
                let touches: Vec<_> = accesses.iter().map(|access| self.touch(access)).collect();
                for on in [&self.memory, &self.redis] {
                    on.store.touch(&touches, self.now_ms).await.unwrap();
                }
            }
            Op::Change { token, change } => {
                let [memory, redis] = self.change(self.token(*token).credential.id, change).await;
                prop_assert_eq!(memory, redis);
            }
            Op::EndUser { user, except } => {
                let except = except.map(|number| self.token(number).credential.id);
                let [memory, redis] = self.end_user(USERS[*user], except).await;
                prop_assert_eq!(memory, redis);
            }
            Op::Device(op) => self.apply_to_device(op).await?,
            Op::Relate { token, object: n, undo } => {
                let id = self.token(*token).credential.id;
                let [memory, redis] = self.relate(id, &object(*n), *undo).await;
                prop_assert_eq!(memory, redis);
                if memory == Related::Done {
                    self.note_related(id, object(*n), *undo);
                }
            }
            Op::EndObject { object: n } => {
                let [memory, redis] = self.end_object(&object(*n)).await;
                prop_assert_eq!(memory, redis);
            }
        }
        self.compare().await?;
        self.audit()
    }

    fn advance(&mut self, by_ms: u64) {
        self.now_ms += by_ms;
        if self.ttls_run {
            self.redis.age(by_ms);
            self.memory.store.prune(self.now_ms);
        }
    }

    fn audit(&mut self) -> Result<(), TestCaseError> {
        let ends_ms = self.tokens.iter().map(|token| (token.credential.id, token.credential.ends_at_ms));
        let (ends_ms, taken_away) = (ends_ms.collect(), self.taken_away.clone());
        let at = Moment { now_ms: self.now_ms, ttls_run: self.ttls_run, ends_ms, taken_away };
        let earlier = std::mem::replace(&mut self.snapshot, Snapshot::of(&self.redis));
        self.snapshot.check(&earlier, &at)
    }

    async fn apply_to_device(&mut self, op: &DeviceOp) -> Result<(), TestCaseError> {
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
            DeviceOp::Remove { device: number } => {
                let DeviceKey { user, uuid, .. } = device(number);
                let removed = memory.remove_device(&user, &uuid, now_ms).await.unwrap();
                prop_assert_eq!(removed, redis.remove_device(&user, &uuid, now_ms).await.unwrap());
            }
            DeviceOp::LogIn { device: number, uuid, idle_min } => {
                let mut device = device(number);
                device.uuid = uuid.map_or(device.uuid, |other| UUIDS[other].to_owned());
                let expires_at_ms = now_ms + idle_min * MINUTE_MS;
                let login = DeviceLogin { expires_at_ms, ..login_of(&device, now_ms) };
                let token = self.memory.for_login(&device, now_ms);
                let done = memory.device_login(&login, &token, now_ms).await.unwrap();
                prop_assert_eq!(&done, &redis.device_login(&login, &token, now_ms).await.unwrap());
                if let LoggedIn::Done(token) = done {
                    self.secrets.insert(token.credential.id, vec![token.credential.secret_hash]);
                    self.tokens.insert(self.tokens.len() - 1, token);
                }
            }
        }
        Ok(())
    }

    async fn relate(&self, id: TokenId, object: &RelatedObject, undo: bool) -> [Related; 2] {
        let related = async |store: &Store| match undo {
            true => store.unrelate(id, object, self.now_ms).await.unwrap(),
            false => store.relate(id, object, self.now_ms).await.unwrap(),
        };
        [related(&self.memory.store).await, related(&self.redis.store).await]
    }

    /// A hint that is less than a minute old stays when the object is taken from the token.
    fn note_related(&mut self, id: TokenId, object: RelatedObject, undo: bool) {
        let pair = (object, id);
        let is_new = |then_ms: &u64| self.now_ms - then_ms < MINUTE_MS;
        match undo {
            true if self.related_ms.get(&pair).is_some_and(is_new) => drop(self.taken_away.insert(pair)),
            true => drop(self.taken_away.remove(&pair)),
            false => {
                self.taken_away.remove(&pair);
                self.related_ms.insert(pair, self.now_ms);
            }
        }
    }

    async fn end_object(&self, object: &RelatedObject) -> [BTreeSet<TokenId>; 2] {
        let as_set = |ended: Ended| ended.into_iter().collect();
        let memory = self.memory.store.end_object_tokens(object, self.now_ms).await.unwrap();
        let redis = self.redis.store.end_object_tokens(object, self.now_ms).await.unwrap();
        [as_set(memory), as_set(redis)]
    }

    async fn issue(
        &mut self,
        user: &str,
        [idle_ms, lifetime_ms]: [u64; 2],
        is_authenticated: bool,
        related_objects: Vec<RelatedObject>,
    ) -> Result<(), TestCaseError> {
        let ends_at_ms = self.now_ms + lifetime_ms;
        let mut token = with_idle(self.memory.sample(user, self.now_ms), idle_ms);
        token = common::store::edited(token, |c| {
            c.ends_at_ms = ends_at_ms;
            c.expires_at_ms = c.expires_at_ms.min(ends_at_ms);
            c.is_authenticated = is_authenticated;
        });
        for object in &related_objects {
            self.note_related(token.credential.id, object.clone(), false);
        }
        let token = Token { related_objects, ..token };
        self.secrets.insert(token.credential.id, vec![token.credential.secret_hash]);
        let memory = self.memory.store.issue(&token, self.now_ms).await.unwrap();
        let redis = self.redis.store.issue(&token, self.now_ms).await.unwrap();
        self.tokens.insert(self.tokens.len() - 1, token);
        prop_assert_eq!(memory, redis);
        Ok(())
    }

    /// All tabs at once on Redis, then in memory in the order in which Redis had them.
    async fn rotate(&mut self, token: usize, grace_min: u64, tabs: usize) -> Result<(), TestCaseError> {
        let (id, user) = (self.token(token).credential.id, self.token(token).credential.user().to_owned());
        let grace_ms = grace_min * MINUTE_MS;
        let rotations: Vec<_> =
            (0..tabs).map(|_| Rotation { hash: self.memory.mint(&user).hash, grace_ms }).collect();
        let rotate = async |rotation| {
            let change = TokenChange::rotating(rotation);
            (change.clone(), self.redis.store.change(id, &change, self.now_ms).await.unwrap())
        };
        let mut outcomes = join_all(rotations.into_iter().map(rotate)).await;
        let last = self.redis.credential(id).await.unwrap();
        let previous = last.map(|credential| credential.previous.to_vec()).unwrap_or_default();
        // Those that were refused for their number come after all others.
        outcomes.sort_by_key(|(_, outcome)| match outcome {
            Changed::Done(token) => {
                let place = |secret: &PreviousSecret| secret.hash == token.credential.secret_hash;
                previous.iter().position(place).unwrap_or(previous.len())
            }
            _ => usize::MAX,
        });
        for (change, redis) in outcomes {
            let memory = self.memory.store.change(id, &change, self.now_ms).await.unwrap();
            if matches!(memory, Changed::Done(_)) {
                self.secrets.entry(id).or_default().extend(change.rotate.map(|rotation| rotation.hash));
            }
            prop_assert_eq!(memory, redis);
        }
        Ok(())
    }

    /// As a node does that is shown a secret.
    async fn present(&self, token: usize, secret: usize) -> Result<(), TestCaseError> {
        let id = self.token(token).credential.id;
        let Some(secrets) = self.secrets.get(&id) else { return Ok(()) };
        let hash = secrets[secret % secrets.len()];
        let mut outcomes = Vec::new();
        for on in [&self.memory, &self.redis] {
            let credential = on.credential(id).await.unwrap();
            let verdict = credential.map(|credential| credential.judge(&hash, None, self.now_ms));
            // How long an expired token stays for a renewal is the store's business. Past its absolute end no renewal
            // revives it, and an object that revokes its tokens may find it or not: Redis forgets the object's entry then.
            let verdict = verdict.filter(|verdict| *verdict != Verdict::Expired);
            let is_wrong = matches!(verdict, Some(Verdict::WrongSecret | Verdict::RotatedOut));
            let has_ended = is_wrong && on.store.end_reused(id, &hash, self.now_ms).await.unwrap();
            prop_assert_eq!(
                has_ended,
                verdict == Some(Verdict::RotatedOut),
                "only a remembered secret revokes"
            );
            outcomes.push((verdict, has_ended));
        }
        prop_assert_eq!(outcomes[0], outcomes[1]);
        Ok(())
    }

    async fn take_over(&self, token: usize, user: &str, minutes: u64) -> Result<(), TestCaseError> {
        let token = self.token(token).credential.id;
        let id = secret::new_id(token.shard_tag(), self.memory.entropy()).unwrap();
        let ends_at_ms = self.now_ms + minutes * MINUTE_MS;
        let new = NewTakeover { id, token, user: user.to_owned(), reason: None, ends_at_ms };
        let memory = self.memory.store.start_takeover(&new, self.now_ms).await.unwrap();
        prop_assert_eq!(memory, self.redis.store.start_takeover(&new, self.now_ms).await.unwrap());
        Ok(())
    }

    /// As a node would have it that validated the token then.
    fn touch(&self, access: &Access) -> Touch {
        let token = self.token(access.token);
        let access_ms = self.now_ms - access.ago_min * MINUTE_MS;
        let earned_ms = (access_ms + token.credential.idle_ms).min(token.credential.ends_at_ms);
        let mut touch = touch(token, access_ms, access.renews.then_some(earned_ms));
        if let Some(renewal) = &mut touch.renewal {
            renewal.from_ms -= access.chain_min * MINUTE_MS;
        }
        touch
    }

    async fn change(&self, id: TokenId, change: &TokenChange) -> [Changed; 2] {
        let memory = self.memory.store.change(id, change, self.now_ms).await.unwrap();
        [memory, self.redis.store.change(id, change, self.now_ms).await.unwrap()]
    }

    async fn end_user(&self, user: &str, except: Option<TokenId>) -> [BTreeSet<TokenId>; 2] {
        let as_set = |ended: Ended| ended.into_iter().collect();
        let memory = self.memory.store.end_user_tokens(user, except, self.now_ms).await.unwrap();
        let redis = self.redis.store.end_user_tokens(user, except, self.now_ms).await.unwrap();
        [as_set(memory), as_set(redis)]
    }

    /// Every listing, every token, every credential, every device key, takeover and event.
    async fn compare(&self) -> Result<(), TestCaseError> {
        for user in USERS {
            let memory = self.memory.store.user_tokens(user, self.now_ms).await.unwrap();
            let redis = self.redis.store.user_tokens(user, self.now_ms).await.unwrap();
            prop_assert_eq!(memory, redis, "the listing of {}", user);
            let memory = self.memory.store.user_devices(user, self.now_ms).await.unwrap();
            let redis = self.redis.store.user_devices(user, self.now_ms).await.unwrap();
            prop_assert_eq!(memory, redis, "the devices of {}", user);
            let memory = self.memory.store.user_takeovers(user, self.now_ms).await.unwrap();
            let redis = self.redis.store.user_takeovers(user, self.now_ms).await.unwrap();
            prop_assert_eq!(memory, redis, "the takeovers of {}", user);
            prop_assert_eq!(
                self.events(&self.memory, user).await,
                self.events(&self.redis, user).await,
                "what happened to {}",
                user
            );
        }
        if self.lists_objects {
            self.compare_objects().await?;
        }
        for (number, token) in self.tokens.iter().enumerate() {
            let memory = self.memory.token(token, self.now_ms).await;
            prop_assert_eq!(memory, self.redis.token(token, self.now_ms).await, "token {}", number);
            let id = token.credential.id;
            // After its latest end it may stay or go: nothing makes it good again.
            let credential = async |on: &TestStore| {
                on.credential(id).await.unwrap().filter(|credential| self.now_ms < credential.ends_at_ms)
            };
            let memory = credential(&self.memory).await;
            prop_assert_eq!(memory, credential(&self.redis).await, "credential {}", number);
            let memory = self.memory.store.token_takeovers(id, self.now_ms).await.unwrap();
            let redis = self.redis.store.token_takeovers(id, self.now_ms).await.unwrap();
            prop_assert_eq!(memory, redis, "takeovers of token {}", number);
        }
        Ok(())
    }
}

impl World {
    async fn compare_objects(&self) -> Result<(), TestCaseError> {
        for n in 0..OBJECTS.len() {
            let memory = self.memory.store.object_tokens(&object(n), self.now_ms).await.unwrap();
            let redis = self.redis.store.object_tokens(&object(n), self.now_ms).await.unwrap();
            prop_assert_eq!(memory, redis, "the listing of object {}", n);
        }
        Ok(())
    }

    /// Sorted: what one step does to several tokens has no order.
    async fn events(&self, on: &TestStore, user: &str) -> Vec<String> {
        let events = on.store.user_events(user, self.now_ms).await.unwrap();
        let mut events: Vec<_> = events.iter().map(|event| format!("{event:?}")).collect();
        events.sort_unstable();
        events
    }
}

/// 0 is the last one, and so on, over and over.
fn counted_back<T>(all: &[T], number: usize) -> &T {
    &all[all.len() - 1 - number % all.len()]
}

fn object(n: usize) -> RelatedObject {
    RelatedObject { content_type: "order".into(), object_id: OBJECTS[n].into() }
}

async fn run(kind: StoreKind, ways: [bool; 2], ops: &[Op]) -> Result<(), TestCaseError> {
    let mut world = World::new(kind, ways).await;
    for (step, op) in ops.iter().enumerate() {
        let outcome = world.apply(op).await;
        let minute = (world.now_ms - NOW_MS) / MINUTE_MS;
        outcome.map_err(|e| TestCaseError::fail(format!("step {step}, minute {minute}, {op:?}: {e}")))?;
    }
    world.compare_objects().await
}

fn tell_the_same_story(kind: StoreKind) {
    let config = match std::env::var_os("PROPTEST_CASES") {
        Some(_) => ProptestConfig::default(),
        None => ProptestConfig::with_cases(CASES),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    // Keeps the shared server up from case to case.
    let _server = runtime.block_on(TestStore::open(kind));
    proptest!(config, |(ways in any::<[bool; 2]>(), ops in prop::collection::vec(op(), 1..40))| {
        runtime.block_on(run(kind, ways, &ops))?;
    });
}

#[test]
fn memory_and_redis_tell_the_same_story() {
    tell_the_same_story(StoreKind::RedisTcp);
}

#[test]
fn memory_and_valkey_tell_the_same_story() {
    tell_the_same_story(StoreKind::Valkey);
}

#[test]
fn memory_and_a_cluster_tell_the_same_story() {
    tell_the_same_story(StoreKind::Cluster);
}
