//! Slots that move between masters while tokens are in use.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::json;

use super::support::*;
use crate::common::cluster::{RedisCluster, node_id, slot_of};
use crate::common::process::wait_for;
use crate::common::recovery::{
    await_answer, await_heard, await_passes, await_ready, await_refused, issue_soon, revoke_soon,
};
use crate::common::server::token_path;
use crate::common::stop_on_drop::StopOnDrop;

#[test]
fn moving_slots_log_no_user_out() {
    let mut cluster = RedisCluster::with(3, false, &PATIENT);
    let (first, second) = (start(&cluster), start(&cluster));
    let (user, slot) = users(&cluster).swap_remove(0);
    // A master without slots is in no slot list.
    cluster.add_master(&PATIENT);
    for (from, to) in [(0, 3), (3, 1), (1, 0)] {
        let live: Vec<_> = (0..10).map(|_| issue_soon(&first, &json!({"user": user}))).collect();
        let revoked = issue_soon(&first, &json!({"user": user}));
        for server in [&first, &second] {
            live.iter().chain([&revoked]).for_each(|token| await_passes(server, token));
        }
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            // Also after a panic, because the scope waits for the threads.
            let _over = StopOnDrop(&is_over);
            for server in [&first, &second] {
                let (live, is_over) = (&live, &is_over);
                scope.spawn(move || {
                    while !is_over.load(Ordering::SeqCst) {
                        for token in live {
                            let status = status(server, token);
                            assert!([200, 503].contains(&status), "{status}\n{}", server.log());
                        }
                    }
                });
            }
            cluster.move_slot(slot, from, to, || {
                // Half of the keys have moved: each is found.
                for server in [&first, &second] {
                    live.iter().for_each(|token| await_passes(server, token));
                }
                // No script runs on half of a user's keys, so nothing is revoked.
                assert_eq!(first.call("DELETE", &format!("/v1/users/{user}/tokens"), None).status, 503);
                assert_eq!(first.call("DELETE", &token_path(&revoked["id"]), None).status, 503);
                await_passes(&first, &revoked);
            });
        });
        revoke_soon(&first, &revoked["id"]);
        await_refused(&first, &revoked);
        await_heard(&second, &revoked);
        for server in [&first, &second] {
            live.iter().for_each(|token| await_passes(server, token));
        }
        // The nodes hear the new owner's changes.
        revoke_soon(&second, &live[0]["id"]);
        await_heard(&first, &live[0]);
        await_ready(&first);
    }
}

/// An object's reverse index is in one slot and its tokens are in others. Whichever slot is moving, no listing is
/// incomplete and no entry is lost.
#[test]
fn related_objects_keep_their_tokens_during_slot_moves() {
    let cluster = RedisCluster::with(3, false, &PATIENT);
    let server = start(&cluster);
    let (user, tokens_slot) = users(&cluster).swap_remove(0);
    let related = json!({"user": user, "related_objects": [{"content_type": "order", "object_id": "7"}]});
    let tokens: Vec<_> = (0..10).map(|_| server.issue(related.clone())).collect();
    let index =
        cluster.masters.iter().flat_map(|master| master.keys()).find(|key| key.contains("r:{")).unwrap();
    let index_slot = slot_of(&cluster.masters[0], &index);
    let path = "/v1/related/order/7/tokens";
    let all_or_503 = || {
        let listed = server.call("GET", path, None);
        assert!([200, 503].contains(&listed.status), "{listed:?}");
        let is_answered = listed.status == 200;
        if is_answered {
            assert_eq!(listed.json()["tokens"].as_array().unwrap().len(), tokens.len());
        }
        is_answered.then_some(())
    };
    for slot in [tokens_slot, index_slot] {
        let from = cluster.owner(slot).unwrap();
        cluster.move_slot(slot, from, (from + 1) % 3, || {
            for _ in 0..10 {
                all_or_503();
            }
        });
        wait_for("all are listed", all_or_503);
    }
    let mut revoked = 0;
    wait_for("all are revoked", || {
        let answer = await_answer(&server, || server.call("DELETE", path, None));
        assert_eq!(answer.status, 200, "{answer:?}");
        revoked += answer.json()["revoked"].as_u64().unwrap();
        (revoked == 10).then_some(())
    });
    tokens.iter().for_each(|token| await_refused(&server, token));
}

/// A slot that changes its owner without its keys.
#[test]
fn a_lost_slot_invalidates_its_cached_records() {
    let cluster = RedisCluster::with(3, false, &PATIENT);
    // Otherwise the first node would write the token again.
    let start = || start_with(&cluster, &[("DOORWARD_REPLAY_WINDOW", "0s")]);
    let (first, second) = (start(), start());
    let (user, slot) = users(&cluster).swap_remove(0);
    let token = issue(&first, &user);
    [&first, &second].iter().for_each(|server| await_passes(server, &token));
    let ids = [0, 1].map(|n| node_id(&cluster.masters[n]));
    // The former owner hears of the change from the others.
    for state in [["IMPORTING", &ids[0]], ["NODE", &ids[1]]] {
        cluster.masters[1].cli(&["CLUSTER", "SETSLOT", &slot.to_string(), state[0], state[1]]);
    }
    // The new owner has none of the keys, so the token is gone.
    await_heard(&first, &token);
    await_heard(&second, &token);
}
