//! What a session costs.

use std::sync::Arc;
use std::time::Duration;

use doorward::store::StoreLimits;
use doorward::token::Token;

use crate::common::redis::RedisServer;
use crate::common::store::{LIMITS, NOW_MS, TestStore};

const SESSIONS: u64 = 10_000;
const CONCURRENT: usize = 8;
/// 117 characters, as browsers send them.
const USER_AGENT: &str = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) \
    Chrome/126.0.0.0 Safari/537.36";
const MAX_BYTES: u64 = 600;

#[tokio::test]
async fn a_session_takes_at_most_600_bytes() {
    assert_eq!(USER_AGENT.len(), 117);
    let server = RedisServer::start();
    // What happened is apart: `events-per-user`.
    let limits = StoreLimits { events_per_user: 0, ..LIMITS };
    let on = Arc::new(TestStore::on_server(&server, limits, Duration::from_secs(30)).await);
    let used = || server.info("memory", "used_memory").parse::<u64>().unwrap();
    // The connections' buffers are not the sessions'.
    issue_sessions(&on, "warm up", CONCURRENT as u64).await;
    let before = used();
    issue_sessions(&on, "user", SESSIONS).await;
    let bytes = (used() - before) / SESSIONS;
    println!("a session with a user agent of {} bytes takes {bytes} bytes of Redis", USER_AGENT.len());
    assert!(bytes <= MAX_BYTES, "{bytes}");
}

/// Logs `count` users in, over all connections at once.
async fn issue_sessions(on: &Arc<TestStore>, prefix: &'static str, count: u64) {
    let workers: Vec<_> = (0..CONCURRENT)
        .map(|worker| {
            let on = on.clone();
            tokio::spawn(async move {
                for n in (worker as u64..count).step_by(CONCURRENT) {
                    let token = on.sample(&format!("{prefix}{n:06}"), NOW_MS);
                    let token = Token { user_agent: USER_AGENT.into(), ..token };
                    on.store.issue(&token, NOW_MS).await.unwrap();
                }
            })
        })
        .collect();
    for worker in workers {
        worker.await.unwrap();
    }
}
