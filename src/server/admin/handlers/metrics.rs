//! `GET /metrics`: the metrics for Prometheus. The query is ignored: scrapers may add parameters.

use crate::server::admin::call::{AdminCall, Answer};
use crate::server::metrics::text::metrics_response;

/// Shows the metrics.
pub async fn show(call: AdminCall<'_>) -> Answer {
    Ok(metrics_response(&call.admin.metrics, call.input.headers()))
}
