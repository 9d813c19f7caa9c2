//! The two stores, and the state of the history.

use std::collections::{HashMap, HashSet};

use doorward::Token;
use doorward::internals::model::device_key::DeviceKey;
use doorward::internals::model::token::RelatedObject;
use doorward::internals::store::redis::verification::damage::Weight;
use doorward::internals::store::redis::verification::progress::{VerifyOptions, VerifyProgress};
use doorward::internals::token_string::{SecretHash, TokenId};
use proptest::prelude::*;

use super::audit::{Moment, Snapshot};
use super::values::*;
use crate::common::devices::sample_device;
use crate::common::store::{MINUTE_MS, NOW_MS, StoreKind, TestStore};

pub struct World {
    /// Whether Redis's TTLs follow the manual clock. Otherwise expired data stays until an operation prunes it, and
    /// must not be visible.
    pub ttls_run: bool,
    /// Whether objects' tokens are listed after each step, which removes stale entries, or only at the end.
    pub lists_objects: bool,
    pub memory: TestStore,
    pub redis: TestStore,
    pub now_ms: u64,
    /// The issued tokens, and last an unknown one.
    pub tokens: Vec<Token>,
    /// All secrets that each token ever had.
    pub secrets: HashMap<TokenId, Vec<SecretHash>>,
    /// The created or requested device keys, and last an unknown one.
    pub devices: Vec<DeviceKey>,
    /// The latest end that each token had after a change of its lifetime.
    pub moved_ends_ms: HashMap<TokenId, u64>,
    /// When each token last was to be related to each object, and the pairs that were separated within a minute after
    /// that.
    pub related_ms: HashMap<(RelatedObject, TokenId), u64>,
    pub taken_away: HashSet<(RelatedObject, TokenId)>,
    /// The content of Redis after the last step.
    pub snapshot: Snapshot,
}

/// Returns the element that is `number` places before the last one, wrapping around.
pub fn counted_back<T>(all: &[T], number: usize) -> &T {
    &all[all.len() - 1 - number % all.len()]
}

impl World {
    pub async fn new(kind: StoreKind, [ttls_run, lists_objects]: [bool; 2]) -> Self {
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
            moved_ends_ms: HashMap::new(),
            related_ms: HashMap::new(),
            taken_away: HashSet::new(),
            snapshot,
        }
    }

    pub fn token(&self, number: usize) -> &Token {
        counted_back(&self.tokens, number)
    }

    pub fn advance(&mut self, by_ms: u64) {
        self.now_ms += by_ms;
        if self.ttls_run {
            self.redis.age(by_ms);
            self.memory.store.prune(self.now_ms);
        }
    }

    pub fn audit(&mut self) -> Result<(), TestCaseError> {
        let ends_ms = self.tokens.iter().map(|token| {
            let (id, at_issue_ms) = (token.record.id, token.record.ends_at_ms);
            (id, self.moved_ends_ms.get(&id).map_or(at_issue_ms, |moved_ms| at_issue_ms.max(*moved_ms)))
        });
        let (ends_ms, taken_away) = (ends_ms.collect(), self.taken_away.clone());
        let at = Moment { now_ms: self.now_ms, ttls_run: self.ttls_run, ends_ms, taken_away };
        let earlier = std::mem::replace(&mut self.snapshot, Snapshot::of(&self.redis));
        self.snapshot.check(&earlier, &at)
    }

    /// Asserts that a verification finds no damage. Where TTLs do not run, Redis keeps what has expired, as no server does.
    pub async fn verify(&self) -> Result<(), TestCaseError> {
        if !self.ttls_run {
            return Ok(());
        }
        let options = VerifyOptions { repairs: false, rate: u64::MAX, shows_users: true };
        let report =
            self.redis.redis().verify(options, &VerifyProgress::default(), self.now_ms).await.unwrap();
        let damage: Vec<_> =
            report.findings.iter().filter(|(kind, _)| kind.weight() == Weight::Damage).collect();
        prop_assert!(
            damage.is_empty() && report.incomplete.is_empty(),
            "{:?} {:?}",
            damage,
            report.incomplete
        );
        Ok(())
    }

    /// Entries of related objects reach to the latest end that the token ever had.
    pub fn note_end(&mut self, id: TokenId, ends_at_ms: u64) {
        let latest_ms = self.moved_ends_ms.entry(id).or_default();
        *latest_ms = ends_at_ms.max(*latest_ms);
    }

    /// A reverse-index entry less than a minute old stays when the object is removed from the token.
    pub fn note_related(&mut self, id: TokenId, object: RelatedObject, undo: bool) {
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
}
