use std::time::Duration;

use super::slot::lock;
use super::{ListenerConnections, OpenConnection};
use crate::clock::Clock;

#[tokio::test(start_paused = true)]
async fn the_sweep_ends_only_idle_connections() {
    let connections = ListenerConnections::new(10, Clock::manual(0));
    let (idle, used, busy) = (connections.open().await, connections.open().await, connections.open().await);
    idle.mark_used();
    let in_progress = busy.begin_request();
    let worker = tokio::spawn(connections.clone().sweep(Duration::from_secs(8)));
    for _ in 0..12 {
        used.mark_used();
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!([idle.must_end(), used.must_end(), busy.must_end()], [true, false, false]);
    drop(in_progress);
    tokio::time::sleep(Duration::from_secs(12)).await;
    assert!(busy.must_end());
    drop((idle, used, busy));
    assert!(lock(&connections.0.slots).is_empty());
    worker.abort();
}

#[tokio::test(start_paused = true)]
async fn the_first_request_has_less_time_than_the_next() {
    let connections = ListenerConnections::new(10, Clock::manual(0));
    let (fresh, used) = (connections.open().await, connections.open().await);
    used.mark_used();
    let worker = tokio::spawn(connections.clone().sweep(Duration::from_secs(75)));
    tokio::time::sleep(Duration::from_secs(12)).await;
    assert_eq!([fresh.must_end(), used.must_end()], [true, false]);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(!used.must_end());
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert!(used.must_end());
    worker.abort();
}

#[tokio::test(start_paused = true)]
async fn an_unsent_answer_ends_the_connection_whatever_the_client_requests_meanwhile() {
    let connections = ListenerConnections::new(10, Clock::manual(0));
    let (stuck, slow) = (connections.open().await, connections.open().await);
    let worker = tokio::spawn(connections.clone().sweep(Duration::from_secs(8)));
    let held = stuck.begin_request().track_unsent();
    for _ in 0..12 {
        stuck.mark_used();
        slow.mark_used();
        drop((slow.begin_request().track_unsent(), slow.begin_request().track_unsent()));
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!([stuck.must_end(), slow.must_end()], [true, false]);
    drop(held);
    worker.abort();
}

#[tokio::test(start_paused = true)]
async fn the_connection_that_was_idle_for_longest_makes_room() {
    let connections = ListenerConnections::new(4, Clock::manual(0));
    let busy = connections.open().await;
    let in_progress = busy.begin_request();
    let used = connections.open().await;
    used.mark_used();
    let (older, newer) = (connections.open().await, connections.open().await);
    let open_another = || {
        let connections = connections.clone();
        tokio::spawn(async move { connections.open().await })
    };
    // A connection without a complete request goes first, the older one before the newer.
    let another = open_another();
    tokio::task::yield_now().await;
    assert_eq!([&older, &newer, &used, &busy].map(OpenConnection::must_end), [true, false, false, false]);
    drop(older);
    let another = another.await.unwrap();
    another.mark_used();
    newer.mark_used();
    // Of two that were used in the same sweep, the older one goes first.
    let last = open_another();
    tokio::task::yield_now().await;
    assert_eq!([&used, &newer, &another, &busy].map(OpenConnection::must_end), [true, false, false, false]);
    drop(used);
    drop((last.await.unwrap(), in_progress));
}

#[tokio::test]
async fn a_drain_reaches_earlier_and_later_connections() {
    let connections = ListenerConnections::new(10, Clock::manual(0));
    let before = connections.open().await;
    assert!(!before.is_draining());
    connections.drain();
    let after = connections.open().await;
    assert!(before.is_draining() && after.is_draining() && !before.is_closing());
    connections.close_idle();
    assert!(before.is_closing() && after.is_closing() && after.is_draining());
    drop((before, after));
    connections.all_ended().await;
}
