//! The near cache of a node, as its metrics show it.

use serde_json::Value;

use super::foreign::metric;
use super::process::wait_for;
use super::server::Server;

/// Waits until the node answers for a token that passes from its near cache. It keeps nothing that it has read before it
/// hears of changes.
pub fn await_cached(server: &Server, token: &Value) {
    let hits = || metric(server, "doorward_cache_hits_total");
    wait_for("a hit", || {
        let before = hits();
        assert_eq!(server.auth(token).status, 200, "{}", server.log());
        (hits() > before).then_some(())
    });
}
