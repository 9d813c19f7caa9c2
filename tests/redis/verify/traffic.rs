//! A store in use has no findings, and a repair beside traffic changes nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use doorward::internals::model::revoke_reason::RevokeReason;
use doorward::internals::model::takeover::NewTakeover;
use doorward::internals::model::token::RelatedObject;
use doorward::internals::model::token::rotation::Rotation;
use doorward::internals::token_string;
use doorward::system::Clock;
use doorward::{Token, TokenChange};

use super::support::*;
use crate::common::devices::{login_of, sample_device};
use crate::common::imported_devices::{HASH, foreign_login, sample_import};
use crate::common::redis::RedisServer;
use crate::common::store::{HOUR_MS, TestStore, touch, with_objects};

/// Rounds of each worker.
const ROUNDS: u64 = 60;
const WORKERS: u64 = 4;

fn object(n: u64) -> RelatedObject {
    RelatedObject { content_type: "order".into(), object_id: (n % 3).to_string() }
}

/// Changes the tokens of a few users in every way, without pause.
async fn work(on: &TestStore, worker: u64) {
    let now_ms = || Clock::system().now_ms();
    let user = format!("user {}", worker % 2);
    let mut tokens: Vec<Token> = Vec::new();
    for round in 0..ROUNDS {
        let token = with_objects(on.sample(&user, now_ms()), vec![object(round), object(round + 1)]);
        on.store.issue(&token, now_ms()).await.unwrap().unwrap();
        tokens.push(token);
        let token = &tokens[(round as usize * 7) % tokens.len()];
        let id = token.record.id;
        let rotation = Rotation { hash: on.mint(&user).hash, grace_ms: 1000 };
        let _ = on.store.change(id, &TokenChange::rotating(rotation), now_ms()).await.unwrap();
        let _ = on.store.relate(id, &object(round + 2), now_ms()).await.unwrap();
        let _ = on.store.unrelate(id, &object(round), now_ms()).await.unwrap();
        let renewed_ms = now_ms() + HOUR_MS;
        on.store.touch(&[touch(token, now_ms(), Some(renewed_ms))], now_ms()).await.unwrap();
        let takeover = NewTakeover {
            id: token_string::new_id(id.hash_tag(), on.entropy()).unwrap(),
            token: id,
            user: format!("user {}", 2 + round % 2),
            reason: None,
            ends_at_ms: now_ms() + HOUR_MS,
        };
        let _ = on.store.start_takeover(&takeover, now_ms()).await.unwrap();
        let device = sample_device(&user, &format!("phone {}", round % 5), worker * ROUNDS + round, now_ms());
        let _ = on.store.make_device(&device, now_ms()).await.unwrap();
        let for_login = on.for_login(&device, now_ms());
        let _ = on.store.device_login(&login_of(&device, now_ms()), &for_login, now_ms()).await.unwrap();
        let import = sample_import(&user, &format!("import {}", round % 7), now_ms());
        on.store.import_device(&import, false, now_ms()).await.unwrap();
        let login = foreign_login(&import.device, Some(HASH), now_ms());
        let for_login = on.for_login(&import.device, now_ms());
        let _ = on.store.device_login(&login, &for_login, now_ms()).await.unwrap();
        match round % 6 {
            0 => drop(on.store.end_takeover(id, RevokeReason::Ended, now_ms()).await.unwrap()),
            1 => {
                let revoking = TokenChange::revoking(RevokeReason::Ended);
                let _ = on.store.change(id, &revoking, now_ms()).await.unwrap();
            }
            2 => drop(on.store.revoke_object_tokens(&object(round), now_ms()).await.unwrap()),
            3 if round % 4 == 0 => drop(on.store.revoke_user_tokens(&user, None, now_ms()).await.unwrap()),
            4 => drop(on.store.remove_device(&user, &device.uuid, now_ms()).await.unwrap()),
            _ => {}
        }
    }
}

async fn no_false_alarm(on: TestStore) {
    let (on, is_over) = (Arc::new(on), Arc::new(AtomicBool::new(false)));
    let workers = async {
        let work = (0..WORKERS).map(|worker| work(&on, worker));
        futures_util::future::join_all(work).await;
        is_over.store(true, Ordering::Relaxed);
    };
    let runs = async {
        let mut runs = 0;
        while !is_over.load(Ordering::Relaxed) {
            let options = if runs % 2 == 0 { DRY } else { REPAIRING };
            assert_healthy(&verify(&on, options, Clock::system().now_ms()).await);
            runs += 1;
        }
        assert!(runs > 1, "{runs} runs");
    };
    tokio::join!(workers, runs);
    let last = verify(&on, DRY, Clock::system().now_ms()).await;
    assert!(last.keys > 100, "{last:?}");
    assert_healthy(&last);
}

#[tokio::test]
async fn traffic_on_one_server_causes_no_finding() {
    let server = RedisServer::start();
    let on = TestStore::in_real_time(&server).await;
    no_false_alarm(on).await;
}
