//! The model check of the near cache: `src/store/cache` itself, compiled with the checker's primitives,
//! between masters, connections, writers and readers that do whatever the design allows them to.
//!
//! Checked by shuttle. Loom would search exhaustively and finish only on models far smaller than reconnects,
//! two servers and five threads; what it has beyond shuttle, weak memory orders, the cache does without (all
//! is under a lock or sequentially consistent). The smallest models here are searched exhaustively all the
//! same. The followers' channel is tokio's own, one step to the model.
//!
//! `cargo test --test cache_model` is the short form, the same schedules each time. The long one:
//! `CACHE_MODEL_ITERATIONS=1000000 cargo test --release --test cache_model`, with new ones each time; a
//! failure prints the schedule that `shuttle::replay` repeats.

#[allow(dead_code, unused_imports)] // the model does not use all of it
#[path = "../../src/store/cache/mod.rs"]
mod cache;
mod sync;
mod world;

use std::cell::Cell;
use std::sync::Arc;

use doorward::internals::{clock, token_string as secret};
use shuttle::scheduler::{DfsScheduler, PctScheduler, RandomScheduler};
use shuttle::thread::JoinHandle;
use shuttle::{Config, Runner, thread};

use crate::cache::{Connection, Flight, NearCache, ServerIndex, Stats};
use crate::sync::leave_out;
use crate::world::{By, LEASE_MS, Tracker, World, token};

const SHORT_ITERATIONS: usize = 3_000;
/// Each protection's absence shows within a few hundred schedules; so many are the end of the search.
const TEETH_ITERATIONS: usize = 20_000;
/// More preemptions than this no failure here needs.
const PCT_DEPTH: usize = 4;
const SEED: u64 = 2026;

/// Runs a model in many schedules, half of them uniformly random and half with few preemptions.
fn check(model: fn()) {
    match std::env::var("CACHE_MODEL_ITERATIONS").ok().map(|n| n.parse::<usize>().unwrap()) {
        None => {
            run(RandomScheduler::new_from_seed(SEED, SHORT_ITERATIONS / 2), model);
            run(PctScheduler::new_from_seed(SEED, PCT_DEPTH, SHORT_ITERATIONS / 2), model);
        }
        Some(iterations) => {
            run(RandomScheduler::new(iterations / 2), model);
            run(PctScheduler::new(PCT_DEPTH, iterations / 2), model);
        }
    }
}

/// Runs a model in every schedule there is.
fn check_exhaustively(model: fn()) {
    let schedules = run(DfsScheduler::new(None, false), model);
    assert!(schedules > 1, "there was a race to search: {schedules}");
}

/// Runs a model without one of the protections. It is to fail.
fn check_without(protection: &'static str, model: fn()) {
    leave_out(protection);
    run(PctScheduler::new_from_seed(SEED, PCT_DEPTH, TEETH_ITERATIONS), model);
    run(RandomScheduler::new_from_seed(SEED, TEETH_ITERATIONS), model);
}

fn run(scheduler: impl shuttle::scheduler::Scheduler + 'static, model: fn()) -> usize {
    Runner::new(scheduler, Config::new()).run(model)
}

fn spawn(world: &Arc<World>, body: impl FnOnce(&World) + Send + 'static) -> JoinHandle<()> {
    let world = Arc::clone(world);
    thread::spawn(move || body(&world))
}

/// Waits for all threads, then asserts what holds at rest.
fn finish(world: &World, threads: impl IntoIterator<Item = JoinHandle<()>>, capacity: usize) {
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    let stats = world.cache.stats();
    assert!(stats.entries <= capacity, "P4: more entries than the bound");
    assert_eq!(stats.flights, 0, "P4: a read that nobody leads is still listed");
    REACHED.with(|reached| {
        let sum = reached.get();
        reached.set(Stats {
            hits: sum.hits + stats.hits,
            joins: sum.joins + stats.joins,
            voids: sum.voids + stats.voids,
            evictions: sum.evictions + stats.evictions,
            ..sum
        });
    });
}

thread_local! {
    static REACHED: Cell<Stats> = Cell::default();
}

/// Everything at once: two servers, three tokens, room for two, endings by this node and by others, a
/// FLUSHALL, heartbeats, breaks, reconnects, cancelled requests.
fn storm() {
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

/// One token, cached at the start, and no more than one thing of each kind.
fn breeze() {
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

/// Nothing can be cached: what is stale here was joined.
fn joins_only() {
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

/// This node ends a token while its pushes are not read: its own readers must know at once.
fn own_ending() {
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

/// A token has moved to a server whose pushes nobody reads; the server that was asked is in good order.
fn moved() {
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

/// A connection that was given up, because its address leads to another master by now, still answers, while
/// the pushes of the newer one are not read.
fn superseded() {
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

/// The lease has run out over a stale entry. Its push arrives, and the heartbeat after that, while a reader
/// looks: the new lease must not make the old entry good.
fn push_then_lease() {
    stale_entry_past_its_lease(|cache, tracking, now_ms| {
        cache.invalidate(&token("a"));
        tracking.heartbeat_answered(now_ms);
        drop(tracking);
    });
}

/// The same with a push of null.
fn null_push_then_lease() {
    stale_entry_past_its_lease(|_, tracking, now_ms| {
        tracking.invalidate_all();
        tracking.heartbeat_answered(now_ms);
        drop(tracking);
    });
}

/// The same, but the push was lost with the connection, and the lease is the next connection's.
fn reconnect_then_lease() {
    stale_entry_past_its_lease(|cache, tracking, now_ms| {
        drop(tracking);
        let next = cache.connection_live(ServerIndex(0)).unwrap();
        next.heartbeat_answered(now_ms);
        drop(next);
    });
}

fn stale_entry_past_its_lease(tracking: fn(&NearCache<u64>, Connection, u64)) {
    let world = World::new(1);
    let connection = world.cache.connection_live(ServerIndex(0)).unwrap();
    connection.heartbeat_answered(0);
    put(&world, 0);
    let reader = spawn(&world, |world| {
        assert_eq!(world.cache.get(&token("a"), LEASE_MS), None, "P2: a new lease made an old entry good");
    });
    tracking(&world.cache, connection, LEASE_MS);
    reader.join().unwrap();
}

/// An answer lands while its token's push arrives: whichever is first, it must not stay.
fn answer_and_push() {
    let world = World::new(1);
    let connection = world.cache.connection_live(ServerIndex(0)).unwrap();
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

fn put(world: &World, value: u64) {
    match world.cache.begin(&token("a"), ServerIndex(0), 0) {
        Flight::Lead(ticket) => ticket.complete(value, Some(ServerIndex(0))),
        _ => panic!("nothing is there yet"),
    }
}

/// While nothing changes, any number of readers are one read.
fn readers_share() {
    let world = World::new(1);
    let a = token("a");
    let tracker = Tracker::connect(&world, 0);
    tracker.heartbeat();
    tracker.receive();
    let readers: Vec<_> = (0..3).map(|_| spawn(&world, move |world| world.look_up_moved(0, 0, a))).collect();
    finish(&world, readers, 1);
    assert_eq!(world.cache.stats().misses, 1, "P3: concurrent misses are one read");
}

#[test]
fn the_promise_is_kept_in_a_storm() {
    check(storm);
    let Stats { hits, joins, voids, evictions, .. } = REACHED.get();
    let least = hits.min(joins).min(voids).min(evictions);
    assert!(least > 300, "the storm reaches what it is about: {:?}", REACHED.get());
}

#[test]
fn the_promise_is_kept_in_small_models() {
    [breeze, joins_only, own_ending, moved, superseded, readers_share].into_iter().for_each(check);
}

#[test]
fn the_smallest_races_are_safe_in_every_schedule() {
    [push_then_lease, null_push_then_lease, reconnect_then_lease, answer_and_push]
        .into_iter()
        .for_each(check_exhaustively);
}

#[test]
#[should_panic(expected = "P2")]
fn the_model_notices_that_the_lease_is_not_checked() {
    check_without("lease", breeze);
}

#[test]
#[should_panic(expected = "P2")]
fn the_model_notices_that_a_lost_connection_voids_nothing() {
    check_without("epoch", reconnect_then_lease);
}

#[test]
#[should_panic(expected = "P2")]
fn the_model_notices_that_a_null_push_voids_nothing() {
    check_without("epoch", null_push_then_lease);
}

#[test]
#[should_panic(expected = "P1")]
fn the_model_notices_that_a_void_ticket_is_cached() {
    check_without("ticket", answer_and_push);
}

#[test]
#[should_panic(expected = "P1")]
fn the_model_notices_that_a_void_read_is_joined() {
    check_without("void_flight", joins_only);
}

#[test]
#[should_panic(expected = "P1")]
fn the_model_notices_that_a_read_of_a_former_epoch_is_joined() {
    check_without("join_epoch", joins_only);
}

#[test]
#[should_panic(expected = "P2")]
fn the_model_notices_that_an_old_read_is_joined() {
    check_without("join_age", storm);
}

#[test]
#[should_panic(expected = "P1")]
fn the_model_notices_that_the_node_does_not_void_what_it_ends() {
    check_without("own_void", own_ending);
}

#[test]
#[should_panic(expected = "P2")]
fn the_model_notices_that_another_servers_answer_is_cached() {
    check_without("answered_by", moved);
}

#[test]
#[should_panic(expected = "P2")]
fn the_model_notices_that_an_old_connection_moves_the_lease() {
    check_without("connection", superseded);
}

#[test]
#[should_panic(expected = "P2")]
fn the_model_notices_that_a_heartbeat_overtakes_a_push() {
    check_without("order", breeze);
}
