//! `doorward healthcheck`: exit codes for ready, unready and unreachable servers.

use super::outcome::outcome;
use crate::common::ports::Port;
use crate::common::process::wait_for;
use crate::common::redis::RedisServer;
use crate::common::server::{ADMIN_KEY, Server, run, wait_ready};

#[test]
fn healthcheck_reports_the_readiness_of_the_server() {
    let mut redis = RedisServer::start();
    let mut server = Server::on(&redis, &[]);
    let listen = server.listen().to_owned();
    let check = || outcome(&["healthcheck"], &[("DOORWARD_LISTEN", &listen)]).0;
    assert_eq!(check(), 0);
    redis.kill();
    wait_for("not ready", || (check() == 1).then_some(()));
    let (_, _, stderr) = outcome(&["healthcheck"], &[("DOORWARD_LISTEN", &listen)]);
    assert!(
        stderr.starts_with(&format!("not ready: http://{listen}: `doorward doctor` says why")),
        "{stderr}"
    );
    redis.restart();
    wait_for("ready", || (check() == 0).then_some(()));
    server.kill9();
    let (code, _, stderr) = outcome(&["healthcheck"], &[("DOORWARD_LISTEN", &listen)]);
    assert_eq!(code, 1, "{stderr}");
    assert!(stderr.starts_with(&format!("unreachable: http://{listen}: ")), "{stderr}");
}

#[test]
fn healthcheck_asks_with_the_flags_of_the_server() {
    let port = Port::reserve();
    let listen = format!("127.0.0.1:{}", port.number());
    let settings = [("DOORWARD_ADMIN_LISTEN", "127.0.0.1:0"), ("DOORWARD_ADMIN_KEY", ADMIN_KEY)];
    let mut server = run(&["--listen", &listen], &settings);
    wait_ready(&mut server);
    let pid = server.pid().to_string();
    assert_eq!(outcome(&["healthcheck", "--pid", &pid], &[]), (0, String::new(), String::new()));
    // The test is not a server.
    let own = std::process::id().to_string();
    let (code, _, stderr) = outcome(&["healthcheck", "--pid", &own], &[("DOORWARD_LISTEN", "127.0.0.1:1")]);
    assert_eq!(code, 1, "{stderr}");
    assert!(stderr.starts_with("unreachable: http://127.0.0.1:1: "), "{stderr}");
}
