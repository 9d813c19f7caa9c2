//! The calls of the admin plane, by route, method and status.

use hyper::{Method, StatusCode};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::histogram::Histogram;

use crate::node::metrics::Metrics;

/// The label `route` of a request with an unknown path, or a method that the path does not take.
const UNKNOWN: &str = "unknown";
/// The upper bounds of the buckets, in seconds.
const BOUNDS: [f64; 13] =
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 2.5, 10.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallLabels {
    route: &'static str,
    method: &'static str,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    route: &'static str,
    method: &'static str,
}

#[derive(Clone, Debug)]
struct MakeHistogram;

impl MetricConstructor<Histogram> for MakeHistogram {
    fn new_metric(&self) -> Histogram {
        Histogram::new(BOUNDS)
    }
}

/// Counts and times the calls. Cheap to clone; all clones share one state.
#[derive(Clone, Debug)]
pub struct AdminCalls {
    calls: Family<CallLabels, Counter>,
    durations: Family<RouteLabels, Histogram, MakeHistogram>,
}

impl AdminCalls {
    /// Makes and registers the metrics.
    pub fn register(metrics: &Metrics) -> Self {
        let (calls, durations) = (Family::default(), Family::new_with_constructor(MakeHistogram));
        let help = "Requests to the admin plane, by route, method and status";
        metrics.register("admin_requests", help, calls.clone());
        let help = "Time from the head of a request to the head of its answer, by route and method";
        metrics.register("admin_request_duration_seconds", help, durations.clone());
        Self { calls, durations }
    }

    /// Adds a call. `pattern` is the path of its route in the table; `None` if no route was found.
    pub fn add(&self, pattern: Option<&'static str>, method: &Method, status: StatusCode, ns: u64) {
        let (route, method) = (pattern.unwrap_or(UNKNOWN), method_name(method));
        self.calls.get_or_create(&CallLabels { route, method, status: status.as_u16() }).inc();
        self.durations.get_or_create(&RouteLabels { route, method }).observe(ns as f64 / 1e9);
    }
}

/// Returns the label of a method. A client may send any method, so the others share one.
fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        _ => "other",
    }
}
