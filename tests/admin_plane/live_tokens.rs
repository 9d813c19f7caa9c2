//! The number of live tokens, in the statistics and in the metrics.

use serde_json::json;

use crate::common::process::wait_for;
use crate::common::server::on_both_stores;

#[test]
fn the_statistics_and_the_metrics_show_the_number_of_live_tokens() {
    on_both_stores(&[], |server| {
        let tokens: Vec<_> = (0..3).map(|n| server.issue(json!({"user": format!("user {n}")}))).collect();
        server.revoke(&tokens[0]["id"]);
        let stats = server.call("GET", "/v1/stats", None);
        assert_eq!(stats.status, 200, "{}", stats.text());
        let live = stats.json()["live_tokens"].clone();
        assert_eq!((&live["estimate"], &live["error"]), (&json!(2), &json!(0)), "{live}");
        assert!(live["sampled"].as_u64() >= Some(3), "{live}");
        // A scrape does not wait for a sample, but shows the last one.
        wait_for("the metric shows the sample", || {
            let text = server.call("GET", "/metrics", None).text();
            text.lines().any(|line| line == "doorward_live_tokens 2").then_some(())
        });
    });
}
