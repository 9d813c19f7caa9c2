use super::*;

#[tokio::test(start_paused = true)]
async fn only_silent_connections_expire() {
    let connections = Connections::new(10, Clock::manual(0));
    let (silent, used, busy) = (connections.open().await, connections.open().await, connections.open().await);
    silent.used();
    let under_way = busy.busy();
    let worker = tokio::spawn(connections.clone().expire(Duration::from_secs(8)));
    for _ in 0..12 {
        used.used();
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!([silent.is_expired(), used.is_expired(), busy.is_expired()], [true, false, false]);
    drop(under_way);
    tokio::time::sleep(Duration::from_secs(12)).await;
    assert!(busy.is_expired());
    drop((silent, used, busy));
    assert!(lock(&connections.0.slots).is_empty());
    worker.abort();
}

#[tokio::test(start_paused = true)]
async fn the_first_request_has_less_time_than_the_next() {
    let connections = Connections::new(10, Clock::manual(0));
    let (fresh, used) = (connections.open().await, connections.open().await);
    used.used();
    let worker = tokio::spawn(connections.clone().expire(Duration::from_secs(75)));
    tokio::time::sleep(Duration::from_secs(12)).await;
    assert_eq!([fresh.is_expired(), used.is_expired()], [true, false]);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(!used.is_expired());
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert!(used.is_expired());
    worker.abort();
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_not_sent_counts_whatever_is_asked_meanwhile() {
    let connections = Connections::new(10, Clock::manual(0));
    let (stuck, slow) = (connections.open().await, connections.open().await);
    let worker = tokio::spawn(connections.clone().expire(Duration::from_secs(8)));
    let held = stuck.busy().unsent();
    for _ in 0..12 {
        stuck.used();
        slow.used();
        drop((slow.busy().unsent(), slow.busy().unsent()));
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!([stuck.is_expired(), slow.is_expired()], [true, false]);
    drop(held);
    worker.abort();
}

#[tokio::test(start_paused = true)]
async fn the_longest_silent_connection_makes_room() {
    let connections = Connections::new(4, Clock::manual(0));
    let busy = connections.open().await;
    let under_way = busy.busy();
    let used = connections.open().await;
    used.used();
    let (older, newer) = (connections.open().await, connections.open().await);
    let open_another = || {
        let connections = connections.clone();
        tokio::spawn(async move { connections.open().await })
    };
    // One that never asked goes before one that has, the older one first.
    let another = open_another();
    tokio::task::yield_now().await;
    assert_eq!([&older, &newer, &used, &busy].map(OpenConnection::is_expired), [true, false, false, false]);
    drop(older);
    let another = another.await.unwrap();
    another.used();
    newer.used();
    // Of two used in the same round, the older one.
    let last = open_another();
    tokio::task::yield_now().await;
    assert_eq!([&used, &newer, &another, &busy].map(OpenConnection::is_expired), [true, false, false, false]);
    drop(used);
    drop((last.await.unwrap(), under_way));
}

#[tokio::test]
async fn draining_reaches_connections_of_before_and_after() {
    let connections = Connections::new(10, Clock::manual(0));
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
