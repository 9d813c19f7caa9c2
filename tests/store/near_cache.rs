//! The rules of the near cache one by one. `tests/cache_model` tests them under concurrency.

use std::sync::Arc;

use doorward::internals::store::cache::near_cache::{CacheLimits, Looked};
use doorward::internals::store::cache::{
    Flight, Follower, NearCache, ServerIndex, Ticket, TrackingConnection,
};
use doorward::internals::token_string::{TokenId, TokenKeys, TokenKind, mint};
use doorward::system::{Clock, Entropy};

const S0: ServerIndex = ServerIndex(0);
const S1: ServerIndex = ServerIndex(1);
const LEASE_MS: u64 = 2000;
const LIMITS: CacheLimits =
    CacheLimits { capacity_entries: 1000, servers: 2, lease_ms: LEASE_MS, stale_grace_ms: 0 };

/// Returns a real token id, so that ids spread over shards as real ones do.
fn token(n: usize) -> TokenId {
    let keys = TokenKeys::from_secrets(["a secret of the test"]).unwrap();
    mint(TokenKind::Session, &keys, "alice", &Entropy::seeded(n as u64)).unwrap().id
}

/// Returns a cache whose master 0 is live, with a heartbeat sent at 0.
fn live(limits: CacheLimits) -> (NearCache<u64>, TrackingConnection) {
    let cache = NearCache::new(limits);
    let connection = cache.start_tracking(S0).unwrap();
    connection.heartbeat_answered(0);
    (cache, connection)
}

fn lead<'a>(cache: &'a NearCache<u64>, id: &TokenId, server: ServerIndex, now_ms: u64) -> Ticket<'a, u64> {
    match cache.begin(id, server, now_ms) {
        Flight::Lead(ticket) => ticket,
        Flight::Cached(value) => panic!("cached: {value}"),
        Flight::Follow(_) => panic!("another leads"),
    }
}

fn follow(cache: &NearCache<u64>, id: &TokenId, now_ms: u64) -> Option<Follower<u64>> {
    match cache.begin(id, S0, now_ms) {
        Flight::Follow(follower) => Some(follower),
        _ => None,
    }
}

fn put(cache: &NearCache<u64>, id: &TokenId, value: u64) {
    lead(cache, id, S0, 0).complete(value, Some(S0));
}

#[test]
fn an_entry_is_served_exactly_while_the_lease_lasts() {
    let (cache, connection) = live(LIMITS);
    put(&cache, &token(1), 7);
    assert_eq!(cache.get(&token(1), LEASE_MS - 1), Some(7));
    assert_eq!(cache.get(&token(1), LEASE_MS), None);
    connection.heartbeat_answered(500);
    assert_eq!(cache.get(&token(1), LEASE_MS), Some(7));
    connection.heartbeat_answered(100);
    assert_eq!(cache.get(&token(1), LEASE_MS + 499), Some(7), "a lease never moves back");
    assert_eq!(cache.get(&token(2), 0), None);
}

/// More tokens than fit into one group of a batch, one of them twice, in several shards and in one.
#[test]
fn a_batch_look_up_equals_single_look_ups() {
    for capacity_entries in [1000, 100_000] {
        let (cache, _connection) = live(CacheLimits { capacity_entries, ..LIMITS });
        let mut ids: Vec<_> = (0..30).map(token).collect();
        ids.push(ids[1]);
        for (n, id) in ids.iter().enumerate().skip(1).step_by(2).take(10) {
            put(&cache, id, n as u64);
        }
        for now_ms in [0, LEASE_MS - 1, LEASE_MS] {
            let expected: Vec<_> = ids.iter().map(|id| cache.get(id, now_ms)).collect();
            let (hits, mut found) = (cache.stats().hits, Vec::new());
            cache.look_each(
                &ids,
                now_ms,
                |_| (),
                |at, value| {
                    found.push((at, value.copied()));
                    Looked::Hit(())
                },
            );
            assert_eq!(found, expected.iter().copied().enumerate().collect::<Vec<_>>());
            assert_eq!(cache.stats().hits - hits, expected.iter().flatten().count() as u64);
        }
        let hits = cache.stats().hits;
        cache.look_each(&ids, 0, |_| (), |_, _| Looked::NoHit(()));
        assert_eq!((cache.peek(&ids[1], 0), cache.stats().hits), (Some(1), hits), "no use of the entries");
        cache.look_each(&[], 0, |_| (), |_, _| panic!("there is no token"));
    }
}

#[test]
fn nothing_is_served_before_the_first_heartbeat() {
    let cache = NearCache::new(LIMITS);
    let connection = cache.start_tracking(S0).unwrap();
    put(&cache, &token(1), 7);
    assert_eq!((cache.get(&token(1), 0), cache.is_live(S0, 0)), (None, false));
    connection.heartbeat_answered(0);
    assert_eq!((cache.get(&token(1), 0), cache.is_live(S0, 0)), (Some(7), true));
}

#[test]
fn an_invalidation_removes_the_entry_and_cancels_the_ticket() {
    let (cache, _connection) = live(LIMITS);
    put(&cache, &token(1), 7);
    assert!(cache.invalidate(&token(1)));
    assert_eq!(cache.get(&token(1), 0), None);

    let ticket = lead(&cache, &token(1), S0, 0);
    assert!(!cache.invalidate(&token(1)));
    ticket.complete(7, Some(S0));
    assert_eq!(cache.get(&token(1), 0), None);
    assert_eq!(cache.stats().invalidations, 2);
}

#[test]
fn a_lost_connection_invalidates_its_masters_entries_and_tickets_only() {
    let (cache, connection) = live(LIMITS);
    let other = cache.start_tracking(S1).unwrap();
    other.heartbeat_answered(0);
    put(&cache, &token(1), 7);
    lead(&cache, &token(2), S1, 0).complete(8, Some(S1));
    let ticket = lead(&cache, &token(3), S0, 0);

    drop(connection);
    let again = cache.start_tracking(S0).unwrap();
    again.heartbeat_answered(0);
    ticket.complete(9, Some(S0));
    assert_eq!([1, 2, 3].map(|n| cache.get(&token(n), 0)), [None, Some(8), None]);
    put(&cache, &token(1), 10);
    assert_eq!(cache.get(&token(1), 0), Some(10));
}

#[test]
fn a_null_push_invalidates_everything_of_its_master() {
    let (cache, connection) = live(LIMITS);
    let by_connection = |_: &NearCache<u64>, connection: &TrackingConnection| connection.invalidate_all();
    let by_index = |cache: &NearCache<u64>, _: &TrackingConnection| cache.invalidate_all(S0);
    for all in [by_connection, by_index] {
        put(&cache, &token(1), 7);
        let ticket = lead(&cache, &token(2), S0, 0);
        all(&cache, &connection);
        ticket.complete(8, Some(S0));
        assert_eq!([1, 2].map(|n| cache.get(&token(n), 0)), [None, None]);
        connection.heartbeat_answered(1);
        put(&cache, &token(1), 9);
        assert_eq!(cache.get(&token(1), LEASE_MS), Some(9));
        cache.invalidate(&token(1));
    }
}

#[test]
fn an_older_connection_is_ignored() {
    let (cache, older) = live(LIMITS);
    let newer = cache.start_tracking(S0).unwrap();
    put(&cache, &token(1), 7);
    older.heartbeat_answered(1000);
    assert_eq!(cache.get(&token(1), LEASE_MS), None);
    drop(older);
    newer.heartbeat_answered(1000);
    assert_eq!(cache.get(&token(1), LEASE_MS), Some(7));
}

#[test]
fn untracked_and_foreign_reads_are_not_cached() {
    let cache = NearCache::new(LIMITS);
    let ticket = lead(&cache, &token(1), S0, 0);
    let connection = cache.start_tracking(S0).unwrap();
    connection.heartbeat_answered(0);
    ticket.complete(7, Some(S0));
    assert_eq!(cache.get(&token(1), 0), None, "the ticket is older than the tracking");

    for (n, answered_by) in [(2, Some(S1)), (3, None)] {
        lead(&cache, &token(n), S0, 0).complete(7, answered_by);
        assert_eq!(cache.get(&token(n), 0), None);
    }
    let beyond = ServerIndex(2);
    assert!(cache.start_tracking(beyond).is_none());
    lead(&cache, &token(4), beyond, 0).complete(7, Some(beyond));
    cache.invalidate_all(beyond);
    assert_eq!((cache.stats().inserts, cache.is_live(beyond, 0)), (0, false));
}

#[tokio::test]
async fn concurrent_misses_share_one_flight() {
    let (cache, _connection) = live(LIMITS);
    let ticket = lead(&cache, &token(1), S0, 0);
    let followers: Vec<_> = (0..3).map(|_| follow(&cache, &token(1), 0).unwrap()).collect();
    drop(follow(&cache, &token(1), 0));
    ticket.complete(7, Some(S0));
    for follower in followers {
        assert_eq!(follower.wait().await, Some(7));
    }
    assert!(matches!(cache.begin(&token(1), S0, 0), Flight::Cached(7)), "begun too late to need a read");
    let stats = cache.stats();
    assert_eq!((stats.misses, stats.joins, stats.inserts, stats.hits), (1, 4, 1, 1));
    assert_eq!((stats.entries, stats.flights), (1, 0));
}

#[tokio::test]
async fn a_cancelled_leader_releases_its_followers() {
    let (cache, _connection) = live(LIMITS);
    let ticket = lead(&cache, &token(1), S0, 0);
    let follower = follow(&cache, &token(1), 0).unwrap();
    drop(ticket);
    assert_eq!(follower.wait().await, None);
    lead(&cache, &token(1), S0, 0).complete(7, Some(S0));
    assert_eq!(cache.get(&token(1), 0), Some(7));
}

#[tokio::test]
async fn no_reader_joins_a_cancelled_old_or_foreign_flight() {
    let (cache, connection) = live(LIMITS);
    let first = lead(&cache, &token(1), S0, 0);
    let early = follow(&cache, &token(1), LEASE_MS - 1).unwrap();
    cache.invalidate(&token(1));
    assert_eq!(early.wait().await, None, "its follower starts a read of its own");

    let second = lead(&cache, &token(1), S0, 0);
    let third = lead(&cache, &token(1), S0, LEASE_MS);
    connection.invalidate_all();
    let fourth = lead(&cache, &token(1), S0, LEASE_MS);
    let fifth = lead(&cache, &token(1), S1, LEASE_MS);
    let sixth = lead(&cache, &token(1), S0, LEASE_MS);
    let late = follow(&cache, &token(1), LEASE_MS).unwrap();
    for (value, void) in [first, second, third, fourth, fifth].into_iter().enumerate() {
        void.complete(value as u64, Some(S0));
    }
    connection.heartbeat_answered(LEASE_MS);
    assert_eq!(cache.get(&token(1), LEASE_MS), None, "none of these flights was still current");
    sixth.complete(6, Some(S0));
    assert_eq!((late.wait().await, cache.get(&token(1), LEASE_MS)), (Some(6), Some(6)));
}

#[test]
fn one_flight_has_a_bounded_number_of_followers() {
    let (cache, _connection) = live(LIMITS);
    let ticket = lead(&cache, &token(1), S0, 0);
    let followers: Vec<_> = std::iter::from_fn(|| follow(&cache, &token(1), 0)).take(10_000).collect();
    assert_eq!(followers.len(), 4096);
    // There are too many followers: it reads for itself. Its answer is not cached, and the shared flight continues.
    lead(&cache, &token(1), S0, 0).complete(7, Some(S0));
    assert_eq!(cache.get(&token(1), 0), None);
    drop(followers);
    assert!(follow(&cache, &token(1), 0).is_some(), "those that are gone make room");
    ticket.complete(8, Some(S0));
    assert_eq!(cache.get(&token(1), 0), Some(8));
}

#[test]
fn a_stale_grace_serves_only_cached_tokens_during_an_outage() {
    let (cache, connection) = live(CacheLimits { stale_grace_ms: 500, ..LIMITS });
    (1..=2).for_each(|n| put(&cache, &token(n), 7));
    cache.invalidate(&token(2));
    drop(connection);
    let end = LEASE_MS + 500;
    assert_eq!(cache.get(&token(1), 0), None, "only callers that accept stale entries get them");
    assert_eq!(cache.get_stale(&token(1), end - 1), Some(7));
    assert_eq!(cache.get_stale(&token(1), end), None);
    assert_eq!(cache.get_stale(&token(2), 0), None, "invalidated");
    assert_eq!(cache.stats().stale_hits, 1);

    let again = cache.start_tracking(S0).unwrap();
    assert_eq!(cache.get_stale(&token(1), 0), None, "read before the reconnect");
    put(&cache, &token(1), 8);
    assert_eq!(cache.get_stale(&token(1), 0), Some(8));
    again.invalidate_all();
    drop(again);
    assert_eq!(cache.get_stale(&token(1), 0), None, "invalidated with all others");
}

#[test]
fn without_a_stale_grace_nothing_is_served_after_a_lost_connection() {
    let (cache, connection) = live(LIMITS);
    put(&cache, &token(1), 7);
    drop(connection);
    assert_eq!(cache.get_stale(&token(1), 0), None, "not even within the lease");
}

#[test]
fn an_outage_counts_until_other_nodes_can_have_caught_up() {
    const SLACK_MS: u64 = 300;
    let (cache, connection) = live(LIMITS);
    let was_away = |then_ms, now_ms| cache.was_away(S0, then_ms, now_ms, SLACK_MS);
    assert!(was_away(0, SLACK_MS - 1), "this node has just begun to look");
    assert!(!was_away(0, SLACK_MS));
    connection.heartbeat_answered(1000);
    assert!(!was_away(1000, 2000), "only a new connection reveals an outage");
    drop(connection);
    assert!(!was_away(1000 - SLACK_MS - 1, 2000), "long before the last heartbeat");
    assert!(was_away(1000 - SLACK_MS, 2000));
    let again = cache.start_tracking(S0).unwrap();
    assert!(was_away(5000, 6000), "no heartbeat yet");
    again.heartbeat_answered(6000);
    assert!(was_away(1000, 6000 + SLACK_MS - 1));
    assert!(was_away(5000, 6000 + SLACK_MS - 1));
    assert!(!was_away(1000 - SLACK_MS - 1, 6000));
    assert!(!was_away(5000, 6000 + SLACK_MS));
}

#[test]
fn the_cache_never_exceeds_its_capacity() {
    for capacity_entries in [0, 1, 3, 1000, 5000] {
        let (cache, _connection) = live(CacheLimits { capacity_entries, ..LIMITS });
        (0..20_000).for_each(|n| put(&cache, &token(n), 7));
        let stats = cache.stats();
        assert!(stats.entries <= capacity_entries && stats.entries >= capacity_entries / 100 * 99);
        assert_eq!(stats.inserts - stats.evictions, stats.entries as u64);
    }
}

#[tokio::test]
async fn a_look_up_reads_once_and_passes_errors_on() {
    let (cache, _connection) = live(LIMITS);
    let clock = Clock::manual(0);
    let fails = async || Err::<(u64, _), _>("down");
    assert_eq!(cache.get_or_read(&token(1), S0, &clock, fails).await, Err("down"));
    let reads = async || Ok::<_, &str>((7, Some(S0)));
    assert_eq!(cache.get_or_read(&token(1), S0, &clock, reads).await, Ok(7));
    assert_eq!(cache.get_or_read(&token(1), S0, &clock, fails).await, Ok(7));
    assert_eq!(cache.stats().flights, 0);
}

#[tokio::test]
async fn a_follower_leads_when_its_leader_is_cancelled() {
    let (cache, _connection) = live(LIMITS);
    let (cache, clock) = (Arc::new(cache), Clock::manual(0));
    let cancelled = tokio::spawn({
        let (cache, clock) = (Arc::clone(&cache), clock.clone());
        async move {
            let never = || std::future::pending::<Result<(u64, Option<ServerIndex>), ()>>();
            cache.get_or_read(&token(1), S0, &clock, never).await
        }
    });
    while cache.stats().flights == 0 {
        tokio::task::yield_now().await;
    }
    let id = token(1);
    let read = async || Ok::<_, ()>((7, Some(S0)));
    let follower = cache.get_or_read(&id, S0, &clock, read);
    let cancel = async {
        while cache.stats().joins == 0 {
            tokio::task::yield_now().await;
        }
        cancelled.abort();
    };
    assert_eq!(tokio::join!(follower, cancel).0, Ok(7));
}

#[test]
fn a_copy_in_the_front_ends_with_its_entry() {
    let (cache, connection) = live(LIMITS);
    put(&cache, &token(1), 7);
    put(&cache, &token(2), 8);
    let hits = |count: u64| {
        (0..count).for_each(|_| assert_eq!(cache.get(&token(1), 0), Some(7)));
    };
    hits(5);
    assert_eq!(cache.stats().hits, 5, "hits of the front count");
    cache.invalidate(&token(2));
    hits(1);
    assert!(cache.invalidate(&token(1)));
    assert_eq!(cache.get(&token(1), 0), None, "invalidated");
    put(&cache, &token(1), 9);
    (0..3).for_each(|_| assert_eq!(cache.get(&token(1), 0), Some(9), "the new entry is copied anew"));
    assert_eq!(cache.get(&token(1), LEASE_MS), None, "the lease counts for a copy, too");
    connection.invalidate_all();
    assert_eq!(cache.get(&token(1), 0), None, "as does the epoch");
}

#[test]
fn an_entry_that_only_its_copy_is_used_of_outlives_others() {
    let limits = CacheLimits { capacity_entries: 100, ..LIMITS };
    let (cache, _connection) = live(limits);
    put(&cache, &token(0), 0);
    for n in 1..1000 {
        put(&cache, &token(n), n as u64);
        assert_eq!(cache.get(&token(0), 0), Some(0), "after {n} other tokens");
    }
    assert!(cache.stats().evictions > 800);
}
