//! Imports that break off, and what `doorward verify` finds after imports.

use std::time::Duration;

use doorward::StoreError;
use doorward::internals::model::import::{ImportOutcome, NewImport};
use doorward::internals::model::token::RelatedObject;
use doorward::internals::store::redis::verification::progress::{VerifyOptions, VerifyProgress};

use crate::common::imports::{import, sample_import};
use crate::common::process::DEADLINE_MS;
use crate::common::redis::{RedisServer, url_at};
use crate::common::relay::Relay;
use crate::common::store::{DAY_MS, HOUR_MS, LIMITS, NOW_MS, TestStore, edited, eventually, with_objects};

const PATIENCE: Duration = Duration::from_millis(DEADLINE_MS);

fn records(on: &TestStore, name: &str, count: usize) -> Vec<NewImport> {
    (0..count).map(|n| sample_import(on, &format!("user {n}"), &format!("{name} {n}"), NOW_MS)).collect()
}

async fn imported(on: &TestStore, records: &[NewImport]) -> (usize, usize) {
    let (mut tokens, mut aliases) = (0, 0);
    for NewImport { token, digest } in records {
        tokens += usize::from(on.token(token, NOW_MS).await.is_some());
        aliases += usize::from(on.alias(digest, NOW_MS).await.is_some());
    }
    (tokens, aliases)
}

/// The answer is lost in the middle of the records, or between the records and the aliases.
#[tokio::test]
async fn an_import_that_broke_off_is_finished_by_the_next() {
    let server = RedisServer::start();
    let on = TestStore::alone_on(&server).await;
    let relay = Relay::start(&format!("127.0.0.1:{}", server.port()));
    let node = TestStore::at_url(&url_at(relay.port()), LIMITS, PATIENCE).await;
    // From now on the server knows the script, so each step is sent once.
    import(&on.store, &sample_import(&on, "nobody", "nothing", NOW_MS), NOW_MS).await;
    for (text, nth, written) in [
        ("token.imported", 1, 0..40),
        ("token.imported", 30, 10..40),
        ("token.imported", 50, 30..50),
        ("\r\nNX\r\n", 1, 50..51),
    ] {
        let records = records(&on, &format!("{text} {nth}"), 50);
        relay.cut_before(text, nth);
        let outcome = node.store.import(&records, false, NOW_MS).await;
        assert!(matches!(outcome, Err(StoreError::Unavailable(_))), "{outcome:?}");
        let (tokens, aliases) = imported(&on, &records).await;
        assert!(written.contains(&tokens) && aliases == 0, "{tokens} tokens, {aliases} aliases");
        relay.mend();
        eventually("the node is back", async || node.store.probe().await.ok()).await;
        let outcomes = node.store.import(&records, false, NOW_MS).await.unwrap();
        let count = |wanted| outcomes.iter().filter(|outcome| **outcome == wanted).count();
        assert_eq!(count(ImportOutcome::Exists), tokens);
        assert_eq!(count(ImportOutcome::Imported), 50 - tokens);
        assert_eq!(imported(&on, &records).await, (50, 50));
    }
}

/// Old logins, fixed ends, several tokens of a user, revoked ones, related objects.
#[tokio::test]
async fn verify_finds_nothing_after_imports() {
    let server = RedisServer::start();
    let on = TestStore::owning(server).await;
    let order = RelatedObject { content_type: "order".into(), object_id: "7".into() };
    for n in 0..20 {
        let mut record = sample_import(&on, &format!("user {}", n % 5), &format!("string {n}"), NOW_MS);
        record.token = edited(record.token, |record| {
            record.created_at_ms = if n == 0 { 1 } else { NOW_MS - n * 400 * DAY_MS / 20 };
            if n % 2 == 0 {
                record.ends_at_ms = NOW_MS + (n + 1) * HOUR_MS;
                record.expires_at_ms = record.ends_at_ms;
                record.idle_ms = (n + 1) * HOUR_MS;
            }
        });
        record.token.last_access_ms = record.token.record.created_at_ms;
        if n % 3 == 0 {
            record.token = with_objects(record.token, vec![order.clone()]);
        }
        assert_eq!(import(&on.store, &record, NOW_MS).await, ImportOutcome::Imported);
        if n % 7 == 0 {
            on.revoke(&record.token, NOW_MS).await;
        }
        on.issue(&format!("user {}", n % 5), NOW_MS).await;
    }
    let options = VerifyOptions { repairs: false, rate: u64::MAX, shows_users: true };
    let report = on.redis().verify(options, &VerifyProgress::default(), NOW_MS).await.unwrap();
    assert!(report.findings.iter().next().is_none() && report.incomplete.is_empty(), "{:?}", report.findings);
    assert!(report.keys > 60, "{}", report.keys);
}
