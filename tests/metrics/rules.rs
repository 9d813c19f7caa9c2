//! The shipped scrape configuration and alert rules, checked by promtool.

use std::process::Stdio;

use crate::common::prometheus::{promtool, shipped, write_config};

const ALERTS: &str = include_str!("../../config/prometheus/alerts.yml");
const ALERT_TESTS: &str = include_str!("../../config/prometheus/alerts_test.yml");
const METRICS_PAGE: &str = include_str!("../../docs/metrics.md");

fn assert_passes(arguments: &[&str]) {
    let output = promtool(arguments, Stdio::null());
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "promtool {arguments:?}: {}", String::from_utf8_lossy(&said));
}

#[test]
fn promtool_accepts_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let config = write_config(folder.path(), "127.0.0.1:9145", "127.0.0.1:8081");
    assert_passes(&["check", "config", config.to_str().unwrap()]);
    assert_passes(&["check", "rules", "alerts.yml"]);
}

#[test]
fn the_example_series_of_every_alert_make_it_fire() {
    assert_passes(&["test", "rules", "alerts_test.yml"]);
    let alerts: Vec<_> = values(ALERTS, "- alert: ").collect();
    assert!(alerts.len() > 20);
    let tested: Vec<_> = values(ALERT_TESTS, "- name: ").collect();
    assert_eq!(tested, alerts, "in {}", shipped().display());
    let runbooks: Vec<_> = values(ALERTS, "runbook: ").collect();
    let expected: Vec<_> =
        alerts.iter().map(|name| format!("docs/metrics.md#{}", name.to_lowercase())).collect();
    assert_eq!(runbooks, expected);
    let headings: Vec<_> = METRICS_PAGE.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    assert_eq!(headings, alerts, "the headings of docs/metrics.md");
}

/// The values of a key in YAML, one a line.
fn values<'a>(yaml: &'a str, key: &'a str) -> impl Iterator<Item = &'a str> {
    yaml.lines().filter_map(move |line| line.trim_start().strip_prefix(key))
}
