//! The rolling restart of docs/operations.md: two nodes behind nginx are restarted in turn, and no client notices.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use serde_json::json;

use crate::common::http::Client;
use crate::common::ports::Port;
use crate::common::process::wait_for;
use crate::common::proxies::nginx;
use crate::common::recovery::await_ready;
use crate::common::redis::RedisServer;
use crate::common::server::{Server, bearer};
use crate::common::stop_on_drop::StopOnDrop;
use crate::common::upstream::Upstream;

/// Requests that must be answered between two steps.
const REQUESTS: usize = 50;

/// How many tokens a node has validated since its start.
fn validations(node: &Server) -> u64 {
    let text = node.call("GET", "/metrics", None).text();
    let counts = text.lines().filter(|line| line.starts_with("doorward_validations_total{"));
    counts.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
}

#[test]
fn a_rolling_restart_behind_nginx_loses_no_request() {
    let redis = RedisServer::start();
    let ports = [(); 2].map(|()| Port::reserve());
    let mut nodes = ports.each_ref().map(|port| {
        let listen = format!("127.0.0.1:{}", port.number());
        Server::on(&redis, &[("DOORWARD_LISTEN", &listen), ("DOORWARD_SHUTDOWN_DELAY", "100ms")])
    });
    let app = Upstream::start();
    let proxy = nginx::start_compose([nodes[0].listen(), nodes[1].listen()], &app.addr());
    let token = bearer(&nodes[0].issue(json!({}))["token"]);

    let (answered, is_over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let wait_for_requests = || {
        let before = answered.load(Ordering::SeqCst);
        wait_for("requests", || (answered.load(Ordering::SeqCst) >= before + REQUESTS).then_some(()));
    };
    thread::scope(|scope| {
        let _over = StopOnDrop(&is_over);
        let client = scope.spawn(|| {
            let mut client = Client::new(&proxy.addr());
            while !is_over.load(Ordering::SeqCst) {
                let answer = client.get("/", &[("Authorization", &token)]);
                assert_eq!(answer.status, 200, "{}\n{}", answer.text(), proxy.log());
                app.take_requests();
                answered.fetch_add(1, Ordering::SeqCst);
            }
        });
        wait_for_requests();
        for node in &mut nodes {
            assert!(node.terminate().success());
            wait_for_requests();
            node.restart();
            await_ready(node);
            // nginx does not try a failed node for `fail_timeout`.
            wait_for("used by nginx again", || (validations(node) > 0).then_some(()));
        }
        is_over.store(true, Ordering::SeqCst);
        client.join().unwrap();
    });
}
