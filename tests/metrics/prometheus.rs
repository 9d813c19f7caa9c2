//! A real Prometheus scrapes a server, which has metrics of every kind: the rules and the dashboard name nothing else.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::common::feed::FeedReader;
use crate::common::http::Client;
use crate::common::prometheus::Prometheus;
use crate::common::redis::RedisServer;
use crate::common::server::{Server, bearer, token_path};
use crate::common::tls::Authority;

const METRICS_PAGE: &str = include_str!("../../docs/metrics.md");

#[test]
fn prometheus_scrapes_all_that_rules_dashboard_and_documents_name() {
    let (redis, authority) = (RedisServer::start(), Authority::new());
    let certificate = authority.issue("doorward");
    let expiring_key = format!("ci:tokens:{}:expires=2199-01-31", "0".repeat(64));
    let server = Server::on(
        &redis,
        &[
            ("DOORWARD_METRICS_LISTEN", "127.0.0.1:0"),
            ("DOORWARD_GRPC_LISTEN", "127.0.0.1:0"),
            ("DOORWARD_TLS_CERT", certificate.cert.to_str().unwrap()),
            ("DOORWARD_TLS_KEY", certificate.key.to_str().unwrap()),
            ("DOORWARD_API_KEYS", &expiring_key),
        ],
    );
    let feed = FeedReader::open(&server, None);
    send_traffic(&server);

    let prometheus = Prometheus::scraping(&server);
    for job in ["doorward", "doorward-admin"] {
        prometheus.wait_for(&format!("up{{job=\"{job}\"}} == 1"));
        prometheus
            .wait_for(&format!("doorward_tokens_revoked_total{{job=\"{job}\", reason=\"ended\"}} == 1"));
    }
    prometheus.wait_for("doorward_feed_readers == 1");
    // The first scrape asks for the sample.
    prometheus.wait_for("doorward_live_tokens >= 0");
    let names = prometheus.api("label/__name__/values");
    let exported: BTreeSet<_> = names.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();

    let (rules, panels) = (rule_expressions(&prometheus), dashboard_expressions());
    assert!(rules.len() > 20 && panels.len() > 50, "{} rules, {} panels", rules.len(), panels.len());
    for expression in rules.iter().chain(&panels) {
        // Prometheus refuses what is no expression.
        prometheus.query(expression);
        for name in metrics_in(expression) {
            // Prometheus itself makes these two.
            let is_exported = exported.contains(&*name) || ["up", "ALERTS"].contains(&&*name);
            assert!(is_exported, "{name} is not exported, see {expression}");
        }
    }
    let firing = prometheus.query("ALERTS{alertstate=\"firing\"}");
    assert!(firing.is_empty(), "{firing:?}");

    let text = Client::new(server.metrics_listen()).get("/metrics", &[]).text();
    assert_lint_free(&text);
    assert_documented(&text);
    drop(feed);
}

/// Traffic of each kind.
fn send_traffic(server: &Server) {
    let issued = server.issue(json!({}));
    let path = token_path(&issued["id"]);
    let batch = json!({"tokens": [issued["token"], "dw_forged"]});
    assert_eq!(server.call("POST", "/v1/validate", Some(&batch)).status, 200);
    let takeover = format!("{path}/takeover");
    assert_eq!(server.call("POST", &takeover, Some(&json!({"user": "bob"}))).status, 201);
    assert_eq!(server.call("DELETE", &takeover, None).status, 204);
    assert_eq!(server.call("POST", &format!("{path}/rotate"), None).status, 200);
    assert_eq!(server.call("DELETE", &path, None).status, 204);
    assert_eq!(server.call("DELETE", &path, None).status, 204, "again, which is not counted");
    assert_eq!(server.admin().get("/nowhere", &[]).status, 404);
    let wrong = bearer(&json!("no key at all"));
    assert_eq!(server.admin().get("/metrics", &[("Authorization", &wrong)]).status, 401);
}

fn rule_expressions(prometheus: &Prometheus) -> Vec<String> {
    let rules = prometheus.api("rules");
    let groups = rules["groups"].as_array().unwrap();
    let rules = groups.iter().flat_map(|group| group["rules"].as_array().unwrap());
    rules
        .map(|rule| {
            assert_eq!(rule["lastError"].as_str().unwrap_or_default(), "", "{rule}");
            rule["query"].as_str().unwrap().to_owned()
        })
        .collect()
}

/// The expressions of the dashboard's panels, annotations and variables, with values for its variables.
fn dashboard_expressions() -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/grafana/doorward.json");
    let dashboard: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    let annotations = dashboard["annotations"]["list"].as_array().unwrap();
    let expressions = targets.chain(annotations).map(|of| of["expr"].as_str().unwrap().to_owned());
    let variables = dashboard["templating"]["list"].as_array().unwrap().iter();
    let queries = variables.filter_map(|variable| variable["definition"].as_str());
    let selectors = queries.map(|query| {
        let inner = query.strip_prefix("label_values(").and_then(|rest| rest.rsplit_once(','));
        inner.unwrap_or_else(|| panic!("{query}")).0.to_owned()
    });
    let with_values = |expression: String| {
        let all = [("$__rate_interval", "1m"), ("$job", ".*"), ("$instance", ".*")];
        all.iter().fold(expression, |text, (name, value)| text.replace(name, value))
    };
    expressions.chain(selectors).map(with_values).collect()
}

/// The names of the metrics in an expression of PromQL: identifiers outside of texts, label lists and ranges that are
/// neither functions nor keywords.
fn metrics_in(expression: &str) -> BTreeSet<String> {
    const KEYWORDS: [&str; 12] = [
        "and",
        "or",
        "unless",
        "by",
        "without",
        "on",
        "ignoring",
        "group_left",
        "group_right",
        "offset",
        "bool",
        "atan2",
    ];
    let mut bare = without(expression, '{', '}');
    bare = without(&bare, '[', ']');
    for grouping in ["by", "without", "on", "ignoring"] {
        while let Some(at) = bare.find(&format!(" {grouping} (")) {
            let end = at + bare[at..].find(')').unwrap();
            bare.replace_range(at..=end, " ");
        }
    }
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let mut names = BTreeSet::new();
    let mut rest = bare.as_str();
    while let Some(at) = rest.find(is_part) {
        let end = rest[at..].find(|c| !is_part(c)).map_or(rest.len(), |length| at + length);
        let (word, after) = (&rest[at..end], rest[end..].trim_start());
        let is_number = word.starts_with(|c: char| c.is_ascii_digit());
        if !is_number && !after.starts_with('(') && !KEYWORDS.contains(&word) {
            names.insert(word.to_owned());
        }
        rest = &rest[end..];
    }
    names
}

/// Removes what is between two brackets. The texts of these expressions contain none.
fn without(text: &str, open: char, close: char) -> String {
    let mut is_inside = false;
    let keep = |c: &char| {
        is_inside = (is_inside || *c == open) && *c != close;
        !is_inside && *c != close
    };
    text.chars().filter(keep).collect()
}

#[test]
fn names_are_found_in_expressions() {
    let names = |text: &str| metrics_in(text).into_iter().collect::<Vec<_>>();
    assert_eq!(
        names("sum by (a, b) (rate(x_total{job=~\"$job\"}[5m])) / on (c) y > 10 + 4 * z offset 10m"),
        ["x_total", "y", "z"]
    );
    assert_eq!(names("time() - start_seconds and on (job, instance) info"), ["info", "start_seconds"]);
}

/// `promtool check metrics` finds nothing to improve.
fn assert_lint_free(text: &str) {
    let mut check = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("cannot run promtool ({error}): run scripts/setup"));
    check.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = check.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success() && said.is_empty(), "{}", String::from_utf8_lossy(&said));
}

/// The tables of docs/metrics.md have exactly the exported metrics, with their labels.
fn assert_documented(text: &str) {
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    let exported: BTreeSet<_> = types.collect();
    let rows = METRICS_PAGE.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let rows = rows.filter(|name| name.starts_with("doorward_") || name.starts_with("process_"));
    let documented: BTreeSet<_> = rows.clone().map(|name| name.split('{').next().unwrap()).collect();
    assert_eq!(documented, exported);
    for row in rows {
        let (name, labels) = row.split_once('{').unwrap_or((row, "}"));
        let expected: BTreeSet<_> =
            labels.trim_end_matches('}').split(',').filter(|l| !l.is_empty()).collect();
        let is_sample = |line: &&str| {
            let rest = line.strip_prefix(name).unwrap_or_default();
            ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|of| rest.strip_prefix(of))
                .unwrap_or(rest)
                .starts_with(['{', ' '])
        };
        let sample = text.lines().find(is_sample).unwrap_or_else(|| panic!("no sample of {name}"));
        let labels = sample.split_once('{').and_then(|(_, rest)| rest.rsplit_once('}')).unwrap_or_default().0;
        let found: BTreeSet<_> =
            labels.split(',').filter_map(|label| Some(label.split_once('=')?.0)).collect();
        assert_eq!(
            found.into_iter().filter(|label| *label != "le").collect::<BTreeSet<_>>(),
            expected,
            "{name}"
        );
    }
}
