//! Imported tokens.

use std::sync::Arc;

use doorward::internals::model::event::{Actor, Event, EventFacts, EventKind};
use doorward::internals::model::import::{ImportOutcome, NewImport};
use doorward::internals::model::token::RelatedObject;
use doorward::internals::store::StoreLimits;

use crate::common::imports::{digest_of, import, sample_import};
use crate::common::store::{
    HOUR_MS, LIMITS, MINUTE_MS, NOW_MS, StoreKind, TestStore, revoked_at, with_objects,
};

each_store! {
    an_imported_token_reads_back_whole,
    a_repeated_import_changes_nothing,
    a_repeated_import_revives_no_session,
    a_record_without_an_alias_gets_one,
    a_string_belongs_to_one_user,
    an_import_revokes_no_other_token,
    a_full_object_rejects_an_import,
    a_dry_run_changes_nothing,
    a_thousand_tokens_are_one_import,
    imports_of_the_same_tokens_at_once_import_each_once,
    a_string_imported_for_two_users_at_once_belongs_to_one,
    an_import_beside_an_erasure_revives_nothing_later,
}

fn order(id: &str) -> RelatedObject {
    RelatedObject { content_type: "order".into(), object_id: id.into() }
}

/// Returns some records of users of their own.
fn records(on: &TestStore, count: usize) -> Vec<NewImport> {
    (0..count).map(|n| sample_import(on, &format!("user {n}"), &format!("string {n}"), NOW_MS)).collect()
}

async fn an_imported_token_reads_back_whole(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let mut record = sample_import(&on, "alice", "string", NOW_MS);
    record.token = with_objects(record.token, vec![order("7")]);
    let NewImport { token, digest } = &record;
    assert_eq!(import(&on.store, &record, NOW_MS).await, ImportOutcome::Imported);
    assert_eq!(on.store.changes().imported.get(), 1);
    assert_eq!(on.token(token, NOW_MS).await.as_ref(), Some(token));
    assert_eq!(on.record(token.record.id).await.unwrap().as_ref(), Some(&token.record));
    assert_eq!(on.store.user_tokens("alice", NOW_MS).await.unwrap(), std::slice::from_ref(token));
    assert_eq!(on.alias(digest, NOW_MS).await, Some(token.record.id));
    let of_object: Vec<_> = on.store.object_tokens(&order("7"), NOW_MS).await.unwrap();
    assert_eq!(of_object.iter().map(|token| token.record.id).collect::<Vec<_>>(), [token.record.id]);
    let imported = Event {
        token: Some(token.record.id),
        facts: EventFacts { ip: Some(token.details.ip), ..EventFacts::default() },
        ..Event::new(EventKind::TokenImported, NOW_MS, Actor::Doorward)
    };
    assert_eq!(on.store.user_events("alice", NOW_MS).await.unwrap(), [imported]);
}

async fn a_repeated_import_changes_nothing(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let record = sample_import(&on, "alice", "string", NOW_MS);
    assert_eq!(import(&on.store, &record, NOW_MS).await, ImportOutcome::Imported);
    on.touch(&record.token, NOW_MS + MINUTE_MS, Some(NOW_MS + 2 * HOUR_MS)).await;
    let touched = on.token(&record.token, NOW_MS + MINUTE_MS).await.unwrap();
    let again = sample_import(&on, "alice", "string", NOW_MS + 2 * MINUTE_MS);
    assert_eq!(import(&on.store, &again, NOW_MS + 2 * MINUTE_MS).await, ImportOutcome::Exists);
    assert_eq!(on.token(&record.token, NOW_MS + 2 * MINUTE_MS).await, Some(touched));
    assert_eq!(on.store.user_events("alice", NOW_MS + HOUR_MS).await.unwrap().len(), 1);
}

async fn a_repeated_import_revives_no_session(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let record = sample_import(&on, "alice", "string", NOW_MS);
    let at = |now_ms| sample_import(&on, "alice", "string", now_ms);
    assert_eq!(import(&on.store, &record, NOW_MS).await, ImportOutcome::Imported);
    on.revoke(&record.token, NOW_MS).await;
    assert_eq!(import(&on.store, &at(NOW_MS + 1), NOW_MS + 1).await, ImportOutcome::Exists);
    assert_eq!(on.token(&record.token, NOW_MS + 1).await, Some(revoked_at(&record.token, NOW_MS)));
    // The record goes with its retention, the alias stays.
    let gone_ms = NOW_MS + LIMITS.revoked_retention_ms + 1;
    on.age(LIMITS.revoked_retention_ms + 1);
    on.store.prune(gone_ms);
    assert_eq!(import(&on.store, &at(gone_ms), gone_ms).await, ImportOutcome::Exists);
    assert_eq!(on.token(&record.token, gone_ms).await, None);
    on.store.erase_user("alice", gone_ms).await.unwrap();
    assert_eq!(import(&on.store, &at(gone_ms), gone_ms).await, ImportOutcome::Exists);
    assert_eq!(on.store.user_tokens("alice", gone_ms).await.unwrap(), []);
    // After the latest end of the token, its alias goes, too.
    let ended_ms = record.token.record.ends_at_ms;
    on.age(ended_ms - gone_ms);
    on.store.prune(ended_ms);
    assert_eq!(import(&on.store, &at(ended_ms), ended_ms).await, ImportOutcome::Imported);
}

/// An import that failed between the record and the alias is completed by the next one.
async fn a_record_without_an_alias_gets_one(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let mut record = sample_import(&on, "alice", "string", NOW_MS);
    record.token = with_objects(record.token, vec![order("7")]);
    on.keep(&record.token, NOW_MS).await;
    assert_eq!(on.alias(&record.digest, NOW_MS).await, None);
    let again = sample_import(&on, "alice", "string", NOW_MS + 1);
    assert_eq!(
        on.store.import(std::slice::from_ref(&again), true, NOW_MS + 1).await.unwrap(),
        [ImportOutcome::Exists]
    );
    assert_eq!(on.alias(&record.digest, NOW_MS + 1).await, None);
    assert_eq!(import(&on.store, &again, NOW_MS + 1).await, ImportOutcome::Exists);
    let id = record.token.record.id;
    assert_eq!(on.alias(&record.digest, NOW_MS + 1).await, Some(id));
    assert_eq!(on.token(&record.token, NOW_MS + 1).await, Some(record.token.clone()));
    // Until the end of the record, not of the repeated import.
    let ended_ms = record.token.record.ends_at_ms;
    on.age(ended_ms - NOW_MS);
    assert_eq!(on.alias(&record.digest, ended_ms).await, None);
}

async fn a_string_belongs_to_one_user(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let of_alice = sample_import(&on, "alice", "string", NOW_MS);
    let of_bob = sample_import(&on, "bob", "string", NOW_MS);
    assert_eq!(import(&on.store, &of_alice, NOW_MS).await, ImportOutcome::Imported);
    assert_eq!(import(&on.store, &of_bob, NOW_MS).await, ImportOutcome::OtherUser);
    on.revoke(&of_alice.token, NOW_MS).await;
    assert_eq!(import(&on.store, &of_bob, NOW_MS).await, ImportOutcome::OtherUser);
    assert_eq!(on.store.user_tokens("bob", NOW_MS).await.unwrap(), []);
}

async fn an_import_revokes_no_other_token(kind: StoreKind) {
    let on = TestStore::open_with(kind, StoreLimits { max_tokens_per_user: 2, ..LIMITS }).await;
    let native = on.issue("alice", NOW_MS).await;
    let first = sample_import(&on, "alice", "first", NOW_MS);
    let second = sample_import(&on, "alice", "second", NOW_MS);
    let outcomes = async |is_dry| {
        let records = [first.clone(), second.clone(), sample_import(&on, "bob", "third", NOW_MS)];
        on.store.import(&records, is_dry, NOW_MS).await.unwrap()
    };
    assert_eq!(import(&on.store, &first, NOW_MS).await, ImportOutcome::Imported);
    let expected = [ImportOutcome::Exists, ImportOutcome::TooManyTokens, ImportOutcome::Imported];
    assert_eq!(outcomes(true).await, expected);
    assert_eq!(outcomes(false).await, expected);
    assert_eq!(on.alias(&second.digest, NOW_MS).await, None);
    assert_eq!(on.listed("alice", NOW_MS).await, [native.record.id, first.token.record.id]);
    // A login makes room: the imported token is the older one.
    assert_eq!(on.keep(&on.sample("alice", NOW_MS + 1), NOW_MS + 1).await, [first.token.record.id]);
}

async fn a_full_object_rejects_an_import(kind: StoreKind) {
    let on = TestStore::open_with(kind, StoreLimits { max_tokens_per_object: 1, ..LIMITS }).await;
    let record = |string| {
        let record = sample_import(&on, "alice", string, NOW_MS);
        NewImport { token: with_objects(record.token, vec![order("7")]), ..record }
    };
    assert_eq!(import(&on.store, &record("first"), NOW_MS).await, ImportOutcome::Imported);
    assert_eq!(import(&on.store, &record("second"), NOW_MS).await, ImportOutcome::ObjectFull);
    assert_eq!(on.alias(&digest_of("second"), NOW_MS).await, None);
    assert_eq!(on.listed("alice", NOW_MS).await.len(), 1);
}

async fn a_dry_run_changes_nothing(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let records = records(&on, 20);
    let outcomes = on.store.import(&records, true, NOW_MS).await.unwrap();
    assert_eq!(outcomes, vec![ImportOutcome::Imported; 20]);
    assert!(on.ttls().is_empty());
    assert_eq!(on.store.changes().imported.get(), 0);
    for NewImport { token, digest } in &records {
        assert_eq!(on.token(token, NOW_MS).await, None);
        assert_eq!(on.alias(digest, NOW_MS).await, None);
    }
}

async fn a_thousand_tokens_are_one_import(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let records = records(&on, 1000);
    on.store.import(&records[300..600], false, NOW_MS).await.unwrap();
    let outcomes = on.store.import(&records, false, NOW_MS).await.unwrap();
    for (at, (record, outcome)) in records.iter().zip(outcomes).enumerate() {
        let is_known = (300..600).contains(&at);
        assert_eq!(outcome, if is_known { ImportOutcome::Exists } else { ImportOutcome::Imported });
        let id = record.token.record.id;
        assert_eq!(on.alias(&record.digest, NOW_MS).await, Some(id));
        assert_eq!(on.listed(record.token.record.user(), NOW_MS).await, [id]);
    }
    assert_eq!(on.store.changes().imported.get(), 1000);
}

async fn imports_of_the_same_tokens_at_once_import_each_once(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let records = Arc::new(records(&on, 100));
    let at_once = [(); 3].map(|()| {
        let (store, records) = (on.store.clone(), records.clone());
        tokio::spawn(async move { store.import(&records, false, NOW_MS).await.unwrap() })
    });
    let mut imported = 0;
    for task in at_once {
        let outcomes = task.await.unwrap();
        assert!(
            outcomes.iter().all(|o| matches!(o, ImportOutcome::Imported | ImportOutcome::Exists)),
            "{outcomes:?}"
        );
        imported += outcomes.iter().filter(|outcome| **outcome == ImportOutcome::Imported).count();
    }
    assert_eq!(imported, 100);
    for record in records.iter() {
        let user = record.token.record.user();
        assert_eq!(on.store.user_events(user, NOW_MS).await.unwrap().len(), 1);
        assert_eq!(on.alias(&record.digest, NOW_MS).await, Some(record.token.record.id));
    }
}

async fn a_string_imported_for_two_users_at_once_belongs_to_one(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    for time in 0..50 {
        let (users, string) = ([format!("a{time}"), format!("b{time}")], format!("string {time}"));
        let records = users.each_ref().map(|user| sample_import(&on, user, &string, NOW_MS));
        let at_once = records.clone().map(|record| {
            let store = on.store.clone();
            tokio::spawn(async move { import(&store, &record, NOW_MS).await })
        });
        let mut outcomes = Vec::new();
        for task in at_once {
            outcomes.push(task.await.unwrap());
        }
        let winner = outcomes.iter().position(|outcome| *outcome == ImportOutcome::Imported).unwrap();
        assert_eq!(outcomes[1 - winner], ImportOutcome::OtherUser);
        let id = records[winner].token.record.id;
        assert_eq!(on.alias(&records[winner].digest, NOW_MS).await, Some(id));
        assert_eq!(on.listed(&users[winner], NOW_MS).await, [id]);
        let of_other = on.store.user_tokens(&users[1 - winner], NOW_MS).await.unwrap();
        assert!(of_other.iter().all(|token| !token.record.is_active));
    }
}

/// In either order, a token is erased or was imported afterwards, and a further import changes nothing.
async fn an_import_beside_an_erasure_revives_nothing_later(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    for time in 0..30 {
        let user = format!("user {time}");
        let strings: Vec<_> = (0..20).map(|n| format!("string {time} {n}")).collect();
        let records: Vec<_> = strings.iter().map(|s| sample_import(&on, &user, s, NOW_MS)).collect();
        let (store, erased, all) = (on.store.clone(), user.clone(), records.clone());
        let erasure = tokio::spawn(async move {
            match time % 2 {
                0 => store.erase_user(&erased, NOW_MS).await.unwrap(),
                _ => drop(store.revoke_user_tokens(&erased, None, NOW_MS).await.unwrap()),
            }
        });
        let store = on.store.clone();
        let import = tokio::spawn(async move { store.import(&all, false, NOW_MS).await.unwrap() });
        erasure.await.unwrap();
        assert_eq!(import.await.unwrap(), vec![ImportOutcome::Imported; records.len()]);
        let before = on.store.user_tokens(&user, NOW_MS).await.unwrap();
        let again = on.store.import(&records, false, NOW_MS).await.unwrap();
        assert_eq!(again, vec![ImportOutcome::Exists; records.len()]);
        assert_eq!(on.store.user_tokens(&user, NOW_MS).await.unwrap(), before);
    }
}
