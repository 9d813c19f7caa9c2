//! Tokens of other systems to import into a store.

use doorward::internals::foreign::{ForeignDigest, Scheme};
use doorward::internals::model::import::{ImportOutcome, NewImport};
use doorward::internals::store::Store;

use super::store::{DAY_MS, HOUR_MS, TestStore, detailed, edited};

/// Returns the digest of a foreign string.
pub fn digest_of(string: &str) -> ForeignDigest {
    ForeignDigest::of(Scheme::Drf, &Scheme::Drf.digest(string.as_bytes(), None).unwrap())
}

/// Returns a token that a user got a day ago from another system, last used an hour ago, and which ends in 30 days.
pub fn sample_import(on: &TestStore, user: &str, string: &str, now_ms: u64) -> NewImport {
    let digest = digest_of(string);
    let mut token = edited(on.sample(user, now_ms), |record| {
        record.id = digest.token_id(user);
        record.secret_hash = digest.secret_hash();
        record.created_at_ms = now_ms - DAY_MS;
    });
    token = detailed(token, |details| details.origin = Some(Scheme::Drf));
    token.last_access_ms = now_ms - HOUR_MS;
    NewImport { token, digest }
}

/// Imports one token.
pub async fn import(store: &Store, import: &NewImport, now_ms: u64) -> ImportOutcome {
    store.import(std::slice::from_ref(import), false, now_ms).await.unwrap()[0]
}
