//! The memory that a session uses in Redis. `FOOTPRINT_SESSIONS=100000 cargo test --test integration footprint --
//! --nocapture` measures more sessions.

use std::sync::Arc;
use std::time::Duration;

use doorward::internals::store::StoreLimits;

use crate::common::redis::RedisServer;
use crate::common::store::{LIMITS, NOW_MS, TestStore, detailed};

const SESSIONS: u64 = 10_000;
const EVENTS_PER_USER: usize = 100;
const CONCURRENT: usize = 8;
/// A user agent of 117 characters, as browsers send them.
const USER_AGENT: &str = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) \
    Chrome/126.0.0.0 Safari/537.36";
const MAX_BYTES: u64 = 480;

#[tokio::test]
async fn a_session_takes_at_most_480_bytes() {
    // Events are not counted: they have their own limit, `events-per-user`.
    let bytes = bytes_per_session(0).await;
    println!("a session with a user agent of {} bytes takes {bytes} bytes of Redis", USER_AGENT.len());
    assert!(bytes <= MAX_BYTES, "{bytes}");
    let with_event = bytes_per_session(EVENTS_PER_USER).await;
    println!("with the event of its login in its user's history {with_event}");
}

async fn bytes_per_session(events_per_user: usize) -> u64 {
    assert_eq!(USER_AGENT.len(), 117);
    let sessions = std::env::var("FOOTPRINT_SESSIONS").map_or(SESSIONS, |count| count.parse().unwrap());
    let server = RedisServer::start();
    let limits = StoreLimits { events_per_user, ..LIMITS };
    let on = Arc::new(TestStore::on_server(&server, limits, Duration::from_secs(30)).await);
    let used = || server.info("memory", "used_memory").parse::<u64>().unwrap();
    // Connection buffers do not count as session memory.
    issue_sessions(&on, "warm up", CONCURRENT as u64).await;
    let before = used();
    issue_sessions(&on, "user", sessions).await;
    (used() - before) / sessions
}

/// Logs `count` users in, over all connections concurrently.
async fn issue_sessions(on: &Arc<TestStore>, prefix: &'static str, count: u64) {
    let workers: Vec<_> = (0..CONCURRENT)
        .map(|worker| {
            let on = on.clone();
            tokio::spawn(async move {
                for n in (worker as u64..count).step_by(CONCURRENT) {
                    let token = on.sample(&format!("{prefix}{n:06}"), NOW_MS);
                    let token = detailed(token, |d| d.user_agent = USER_AGENT.into());
                    on.store.issue(&token, NOW_MS).await.unwrap().unwrap();
                }
            })
        })
        .collect();
    for worker in workers {
        worker.await.unwrap();
    }
}
