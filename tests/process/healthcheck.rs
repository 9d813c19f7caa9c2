//! `doorward healthcheck`: exit codes for ready, unready and unreachable servers.

use super::outcome::outcome;
use crate::common::process::wait_for;
use crate::common::redis::RedisServer;
use crate::common::server::Server;

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
