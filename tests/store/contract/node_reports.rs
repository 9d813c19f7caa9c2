//! The reports of nodes about themselves.

use doorward::internals::model::node_report::{
    MAX_REPORTED_NODES, NodeRates, NodeReport, REPORT_KEPT_MS, ReportedNode,
};

use crate::common::store::{NOW_MS, StoreKind, TestStore};

each_store! {
    a_report_is_replaced_and_removed,
    an_old_report_is_dropped,
    the_number_of_reports_is_bounded,
}

fn report(name: &str) -> NodeReport {
    let rates = NodeRates { valid: 12.5, duration_seconds: Some((1e-6, 0.25)), ..NodeRates::default() };
    NodeReport {
        name: name.into(),
        version: "1.2.3".into(),
        uptime_ms: 5,
        is_ready: true,
        faults: vec!["persistence".into()],
        lease_age_ms: Some(7),
        rates: Some(rates),
        ..NodeReport::default()
    }
}

async fn nodes(on: &TestStore, now_ms: u64) -> Vec<ReportedNode> {
    let mut nodes = on.store.node_reports(now_ms).await.unwrap();
    nodes.sort_by(|a, b| a.id.cmp(&b.id));
    nodes
}

async fn ids(on: &TestStore, now_ms: u64) -> Vec<String> {
    nodes(on, now_ms).await.into_iter().map(|node| node.id).collect()
}

fn node(id: &str, reported_at_ms: u64, report: NodeReport) -> ReportedNode {
    ReportedNode { id: id.into(), reported_at_ms, report }
}

async fn a_report_is_replaced_and_removed(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    assert_eq!(nodes(&on, NOW_MS).await, []);
    let (first, other) = (report("first"), NodeReport::default());
    on.store.report_node("a", &first, NOW_MS).await.unwrap();
    on.store.report_node("b", &other, NOW_MS).await.unwrap();
    assert_eq!(nodes(&on, NOW_MS).await, [node("a", NOW_MS, first), node("b", NOW_MS, other.clone())]);
    let later = NodeReport { is_ready: false, rates: None, ..report("first") };
    on.store.report_node("a", &later, NOW_MS + 9).await.unwrap();
    assert_eq!(nodes(&on, NOW_MS).await, [node("a", NOW_MS + 9, later), node("b", NOW_MS, other)]);
    for _ in 0..2 {
        on.store.remove_node_report("a", NOW_MS).await.unwrap();
        assert_eq!(ids(&on, NOW_MS).await, ["b"]);
    }
}

/// Readers pass over it at once. The next first report of a node removes it.
async fn an_old_report_is_dropped(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    on.store.report_node("a", &report("a"), NOW_MS).await.unwrap();
    on.store.report_node("b", &report("b"), NOW_MS + 1).await.unwrap();
    let last_ms = NOW_MS + REPORT_KEPT_MS - 1;
    assert_eq!(ids(&on, last_ms).await, ["a", "b"]);
    assert_eq!(ids(&on, last_ms + 1).await, ["b"]);
    on.store.report_node("b", &report("b"), last_ms + 1).await.unwrap();
    assert_eq!(ids(&on, NOW_MS).await, ["a", "b"], "only a first report looks at the others");
    on.store.report_node("c", &report("c"), last_ms + 1).await.unwrap();
    assert_eq!(ids(&on, NOW_MS).await, ["b", "c"]);
}

async fn the_number_of_reports_is_bounded(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    for n in 0..MAX_REPORTED_NODES as u64 {
        on.store.report_node(&format!("n{n:03}"), &report("n"), NOW_MS + n).await.unwrap();
    }
    on.store.report_node("n000", &report("n"), NOW_MS + 1000).await.unwrap();
    assert_eq!(ids(&on, NOW_MS).await.len(), MAX_REPORTED_NODES);
    on.store.report_node("one too many", &report("n"), NOW_MS + 1000).await.unwrap();
    let kept = ids(&on, NOW_MS).await;
    assert_eq!(kept.len(), MAX_REPORTED_NODES);
    let oldest = "n001".to_owned();
    assert!(!kept.contains(&oldest) && kept.contains(&"n000".to_owned()), "{kept:?}");
    assert!(kept.contains(&"one too many".to_owned()), "{kept:?}");
}
