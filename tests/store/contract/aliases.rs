//! Aliases of foreign token strings.

use doorward::internals::foreign::{ForeignDigest, Scheme};

use crate::common::store::{HOUR_MS, NOW_MS, StoreKind, TestStore};

each_store! {
    an_alias_is_kept_until_its_time,
    an_alias_may_be_written_again,
}

fn digest(string: &str) -> ForeignDigest {
    ForeignDigest::of(Scheme::Drf, &Scheme::Drf.digest(string.as_bytes(), None).unwrap())
}

async fn an_alias_is_kept_until_its_time(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    // Several, so that they are in several slots.
    let digests = ["a", "b", "c", "d"].map(digest);
    for digest in &digests {
        assert_eq!(on.store.alias(digest, NOW_MS).await.unwrap(), None);
        let id = digest.token_id("alice");
        on.store.put_alias(digest, id, NOW_MS + HOUR_MS, NOW_MS).await.unwrap();
        assert_eq!(on.store.alias(digest, NOW_MS).await.unwrap(), Some(id));
    }
    on.age(HOUR_MS);
    for digest in &digests {
        assert_eq!(on.store.alias(digest, NOW_MS + HOUR_MS).await.unwrap(), None);
    }
}

async fn an_alias_may_be_written_again(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let (digest, id) = (digest("a"), digest("a").token_id("alice"));
    on.store.put_alias(&digest, id, NOW_MS, NOW_MS).await.unwrap();
    assert_eq!(on.store.alias(&digest, NOW_MS).await.unwrap(), None, "its time is over");
    on.store.put_alias(&digest, id, NOW_MS + 1, NOW_MS).await.unwrap();
    on.store.put_alias(&digest, id, NOW_MS + HOUR_MS, NOW_MS).await.unwrap();
    on.age(HOUR_MS / 2);
    assert_eq!(on.store.alias(&digest, NOW_MS + HOUR_MS / 2).await.unwrap(), Some(id));
}
