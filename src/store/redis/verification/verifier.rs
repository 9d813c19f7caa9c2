//! A run: what its checks share.

use super::damage::Kind;
use super::key_name::UserKey;
use super::progress::{VerifyOptions, VerifyProgress};
use super::report::{VerificationReport, shown};
use crate::store::call::Call;
use crate::store::pace::Pace;
use crate::store::redis::redis_store::RedisStore;
use crate::store::redis::schema::scripts::VerificationScripts;

/// How far a TTL may be from what the record says, and how long before its expiry a thing counts as about to go. Callers'
/// clocks differ by up to 5 s each.
pub(crate) const TOLERANCE_MS: u64 = 60_000;

/// A run.
pub(crate) struct Verifier<'a> {
    pub(crate) store: &'a RedisStore,
    pub(crate) scripts: VerificationScripts,
    pub(crate) options: VerifyOptions,
    pub(crate) progress: &'a VerifyProgress,
    pub(crate) report: VerificationReport,
    advancing_call: Box<dyn Fn() -> Call<'static> + Send + Sync + 'a>,
    pace: Pace,
    /// When the last step ended, by the boottime.
    last_step_us: u64,
}

impl<'a> Verifier<'a> {
    pub(crate) fn new(
        store: &'a RedisStore,
        options: VerifyOptions,
        progress: &'a VerifyProgress,
        now_ms: u64,
    ) -> Self {
        Self {
            store,
            scripts: VerificationScripts::new(options.repairs),
            options,
            progress,
            report: VerificationReport::default(),
            advancing_call: Box::new(store.advancing_call(&now_ms.into())),
            pace: Pace::new(options.rate),
            last_step_us: store.node_cache.clock.boottime_us(),
        }
    }

    /// Returns a call at this moment.
    pub(crate) fn call(&self) -> Call<'static> {
        (self.advancing_call)()
    }

    pub(crate) fn now_ms(&self) -> u64 {
        self.call().now_ms
    }

    /// Returns how many keys the next step may ask for.
    pub(crate) fn step(&self) -> u64 {
        self.pace.step()
    }

    /// Ends a step that looked at so many keys or members: waits until its time is over.
    pub(crate) async fn end_step(&mut self, looked_at: usize) {
        let clock = &self.store.node_cache.clock;
        let took_us = clock.boottime_us().saturating_sub(self.last_step_us);
        tokio::time::sleep(self.pace.pause(looked_at as u64, took_us)).await;
        self.last_step_us = clock.boottime_us();
        let findings = self.report.findings.values().map(|tally| tally.found).sum();
        self.progress.set(self.report.keys, findings);
    }

    /// Ends a step that looked at members of keys.
    pub(crate) async fn end_members(&mut self, count: usize) {
        self.report.members += count as u64;
        self.end_step(count).await;
    }

    pub(crate) fn add(&mut self, kind: Kind, is_repaired: bool, key: &str) {
        self.report.add(kind, is_repaired, || shown(key.as_bytes()));
    }

    /// Adds a finding about a member of a key.
    pub(crate) fn add_member(&mut self, kind: Kind, is_repaired: bool, key: &str, member: &[u8]) {
        self.report.add(kind, is_repaired, || match member {
            b"" => shown(key.as_bytes()),
            member => format!("{} {}", shown(key.as_bytes()), shown(member)),
        });
    }

    /// Returns the name of a user's key of this kind.
    pub(crate) fn user_key(&self, kind: char, key: &UserKey) -> String {
        self.store.keys.key(kind, key.hash_tag, &key.user)
    }

    /// Returns the name as the report shows it: without the user, unless the options say otherwise.
    pub(crate) fn shown_user_key(&self, kind: char, key: &UserKey) -> String {
        let user = if self.options.shows_users { key.user.as_str() } else { "<user>" };
        self.store.keys.key(kind, key.hash_tag, user)
    }

    /// Reports the keys that are not in the slot of their user, and returns the others.
    pub(crate) fn in_place(&mut self, kind: char, keys: Vec<UserKey>) -> Vec<UserKey> {
        let (in_place, misplaced): (Vec<_>, Vec<_>) = keys.into_iter().partition(UserKey::is_in_place);
        for key in misplaced {
            self.add(Kind::WrongHashTag, false, &self.shown_user_key(kind, &key));
        }
        in_place
    }
}
