//! The concurrent events of each model.

use std::cell::Cell;
use std::sync::Arc;

use shuttle::thread::{self, JoinHandle};

use crate::cache::{CacheStats, Flight, NearCache, ServerIndex, TrackingConnection};
use crate::world::{By, LEASE_MS, Tracker, World, token};

fn spawn(world: &Arc<World>, body: impl FnOnce(&World) + Send + 'static) -> JoinHandle<()> {
    let world = Arc::clone(world);
    thread::spawn(move || body(&world))
}

/// Waits for all threads, then asserts the invariants at rest.
fn finish(world: &World, threads: impl IntoIterator<Item = JoinHandle<()>>, capacity: usize) {
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    let stats = world.cache.stats();
    assert!(stats.entries <= capacity, "P4: more entries than the bound");
    assert_eq!(stats.flights, 0, "P4: a flight without a leader is still listed");
    REACHED.with(|reached| {
        let sum = reached.get();
        reached.set(CacheStats {
            hits: sum.hits + stats.hits,
            joins: sum.joins + stats.joins,
            invalidations: sum.invalidations + stats.invalidations,
            evictions: sum.evictions + stats.evictions,
            ..sum
        });
    });
}

thread_local! {
    /// Totals over all runs of this thread: a model must reach the states that it checks.
    pub static REACHED: Cell<CacheStats> = Cell::default();
}

/// Everything at once: two masters, three tokens, room for two, revocations by this node and by others, a FLUSHALL,
/// heartbeats, broken connections, reconnects, cancelled requests.
pub fn storm() {
    let world = World::new(2);
    let (a, b, c) = (token("a"), token("b"), token("c"));
    finish(
        &world,
        [
            spawn(&world, |world| world.pass_time(8)),
            spawn(&world, |world| Tracker::connect(world, 0).live(24)),
            spawn(&world, |world| Tracker::connect(world, 1).live(12)),
            spawn(&world, move |world| {
                world.end(0, a, By::Another);
                world.end(1, c, By::Another);
                world.end_all(0);
                world.end(0, a, By::Another);
            }),
            spawn(&world, move |world| {
                world.look_up(0, a);
                world.end(0, a, By::ThisNode);
                world.look_up(0, a);
                world.cancel(0, a);
            }),
            spawn(&world, move |world| {
                for _ in 0..2 {
                    world.look_up(0, a);
                    world.look_up(1, c);
                    world.look_up(0, b);
                    world.look_each(&[a, c, a]);
                    world.look_up(0, a);
                }
            }),
            spawn(&world, move |world| (0..6).for_each(|_| world.look_up(0, a))),
        ],
        2,
    );
}

/// One token, cached at the start, and at most one event of each kind.
pub fn breeze() {
    let world = World::new(1);
    let a = token("a");
    finish(
        &world,
        [
            spawn(&world, |world| world.pass_time(5)),
            spawn(&world, move |world| {
                let tracker = Tracker::connect(world, 0);
                tracker.heartbeat();
                tracker.receive();
                world.look_up(0, a);
                tracker.live(10);
            }),
            spawn(&world, move |world| world.end(0, a, By::Another)),
            spawn(&world, move |world| (0..4).for_each(|_| world.look_up(0, a))),
        ],
        1,
    );
}

/// Nothing can be cached, so a stale value comes from a joined flight.
pub fn joins_only() {
    let world = World::new(0);
    let a = token("a");
    finish(
        &world,
        [
            spawn(&world, |world| world.pass_time(6)),
            spawn(&world, move |world| {
                let tracker = Tracker::connect(world, 0);
                world.look_up(0, a);
                world.end(0, a, By::Another);
                tracker.receive_all();
                world.look_up(0, a);
                world.end_all(0);
                tracker.receive_all();
                world.look_up(0, a);
            }),
            spawn(&world, move |world| (0..2).for_each(|_| world.look_up(0, a))),
            spawn(&world, move |world| (0..2).for_each(|_| world.look_up(0, a))),
        ],
        0,
    );
}

/// This node revokes a token while its pushes are not read: its own readers must see it at once.
pub fn own_revocation() {
    let world = World::new(1);
    let a = token("a");
    let tracker = Tracker::connect(&world, 0);
    tracker.heartbeat();
    tracker.receive();
    world.look_up(0, a);
    let threads = [
        spawn(&world, move |world| world.look_up(0, a)),
        spawn(&world, move |world| {
            world.end(0, a, By::ThisNode);
            world.look_up(0, a);
        }),
    ];
    finish(&world, threads, 1);
}

/// A token has moved to a master whose pushes are not read; the master that was asked works.
pub fn moved() {
    let world = World::new(1);
    let a = token("a");
    let threads = [
        spawn(&world, move |world| {
            let tracker = Tracker::connect(world, 0);
            for _ in 0..2 * LEASE_MS {
                tracker.heartbeat();
                tracker.receive();
                world.clock.advance_ms(1);
            }
        }),
        spawn(&world, move |world| world.end(1, a, By::Another)),
        spawn(&world, move |world| (0..3).for_each(|_| world.look_up_moved(0, 1, a))),
    ];
    finish(&world, threads, 1);
}

/// An abandoned connection, whose address leads to another master by now, still answers, while the pushes of the newer
/// connection are not read.
pub fn superseded() {
    let world = World::new(1);
    let a = token("a");
    let threads = [
        spawn(&world, move |world| {
            let old = Tracker::connect_astray(world, 0, 1);
            let newer = Tracker::connect(world, 0);
            for _ in 0..2 * LEASE_MS {
                old.heartbeat();
                old.receive_all();
                world.clock.advance_ms(1);
            }
            drop(newer);
        }),
        spawn(&world, move |world| {
            world.look_up(0, a);
            world.end(0, a, By::Another);
        }),
        spawn(&world, move |world| (0..3).for_each(|_| world.look_up(0, a))),
    ];
    finish(&world, threads, 1);
}

/// The lease has expired over a stale entry. The push and then the heartbeat arrive during a look-up: the new lease
/// must not make the old entry valid again.
pub fn push_then_lease() {
    stale_entry_past_its_lease(|cache, tracking, now_ms| {
        cache.invalidate(&token("a"));
        tracking.heartbeat_answered(now_ms);
        drop(tracking);
    });
}

/// As [`push_then_lease`], with a push of null.
pub fn null_push_then_lease() {
    stale_entry_past_its_lease(|_, tracking, now_ms| {
        tracking.invalidate_all();
        tracking.heartbeat_answered(now_ms);
        drop(tracking);
    });
}

/// The push was lost with the connection, and the next connection renews the lease.
pub fn reconnect_then_lease() {
    stale_entry_past_its_lease(|cache, tracking, now_ms| {
        drop(tracking);
        let next = cache.start_tracking(ServerIndex(0)).unwrap();
        next.heartbeat_answered(now_ms);
        drop(next);
    });
}

pub fn stale_entry_past_its_lease(tracking: fn(&NearCache<u64>, TrackingConnection, u64)) {
    let world = World::new(1);
    let connection = world.cache.start_tracking(ServerIndex(0)).unwrap();
    connection.heartbeat_answered(0);
    put(&world, 0);
    let reader = spawn(&world, |world| {
        assert_eq!(world.cache.get(&token("a"), LEASE_MS), None, "P2: a new lease made an old entry good");
    });
    tracking(&world.cache, connection, LEASE_MS);
    reader.join().unwrap();
}

/// As [`push_then_lease`], with a copy of the stale entry in the reader's front.
pub fn push_then_lease_with_a_copy() {
    let world = World::new(1);
    let connection = world.cache.start_tracking(ServerIndex(0)).unwrap();
    connection.heartbeat_answered(0);
    put(&world, 0);
    copy(&world, 0);
    let reader = spawn(&world, |world| {
        assert_eq!(world.cache.get(&token("a"), LEASE_MS), None, "P2: a new lease made an old copy good");
    });
    world.cache.invalidate(&token("a"));
    connection.heartbeat_answered(LEASE_MS);
    drop(connection);
    reader.join().unwrap();
}

/// A copied entry is evicted, and then its token changes: no entry is left that the push could remove.
pub fn copy_of_an_evicted_entry() {
    let world = World::new(1);
    let connection = world.cache.start_tracking(ServerIndex(0)).unwrap();
    connection.heartbeat_answered(0);
    put(&world, 0);
    copy(&world, 0);
    let eviction = spawn(&world, |world| put_token(world, "b", 0));
    let _ = world.cache.get(&token("a"), 0);
    eviction.join().unwrap();
    world.cache.invalidate(&token("a"));
    assert_eq!(world.cache.get(&token("a"), 0), None, "P1: a copy stayed though its push has arrived");
}

/// Looks the token up until it is in the front.
fn copy(world: &World, value: u64) {
    for _ in 0..2 {
        assert_eq!(world.cache.get(&token("a"), 0), Some(value));
    }
}

/// An answer and the push of its token arrive concurrently: in either order, the answer must not stay cached.
pub fn answer_and_push() {
    let world = World::new(1);
    let connection = world.cache.start_tracking(ServerIndex(0)).unwrap();
    connection.heartbeat_answered(0);
    let flight = world.cache.begin(&token("a"), ServerIndex(0), 0);
    let push = spawn(&world, |world| {
        world.cache.invalidate(&token("a"));
    });
    if let Flight::Lead(ticket) = flight {
        ticket.complete(0, Some(ServerIndex(0)));
    }
    push.join().unwrap();
    assert_eq!(world.cache.get(&token("a"), 0), None, "P1: stayed though its push has arrived");
}

pub fn put(world: &World, value: u64) {
    put_token(world, "a", value);
}

fn put_token(world: &World, name: &str, value: u64) {
    match world.cache.begin(&token(name), ServerIndex(0), 0) {
        Flight::Lead(ticket) => ticket.complete(value, Some(ServerIndex(0))),
        _ => panic!("nothing is there yet"),
    }
}

/// While nothing changes, any number of readers share one read.
pub fn readers_share() {
    let world = World::new(1);
    let a = token("a");
    let tracker = Tracker::connect(&world, 0);
    tracker.heartbeat();
    tracker.receive();
    let readers: Vec<_> = (0..3).map(|_| spawn(&world, move |world| world.look_up_moved(0, 0, a))).collect();
    finish(&world, readers, 1);
    assert_eq!(world.cache.stats().misses, 1, "P3: concurrent misses are one read");
}
