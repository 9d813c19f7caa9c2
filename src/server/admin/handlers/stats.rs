//! `GET /v1/stats`: the counters of this node at a glance, from the same source as the metrics.

use hyper::StatusCode;
use serde_json::{Map, Value, json};

use crate::model::revoke_reason::RevokeReason;
use crate::node::metrics::changes::OF_TOKENS;
use crate::server::admin::call::{AdminCall, Answer};
use crate::server::transport::connections::ConnectionStats;
use crate::server::transport::response;
use crate::store::Store;
use crate::store::change_counters::ChangeCounters;
use crate::store::live_tokens::LiveTokens;
use crate::store::report::MasterReport;
use crate::validation::counters::{ValidationResult, ValidationSums};

/// Shows the counters since the node's start.
pub async fn show(call: AdminCall<'_>) -> Answer {
    call.input.no_query()?;
    let (metrics, readiness, service) = (&call.admin.metrics, &call.admin.readiness, call.service());
    let live_tokens = service.live_tokens().live_tokens().await;
    let stats = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "uptime_seconds": call.admin.reporter.uptime_ms() / 1000,
        "ready": readiness.is_ready(),
        "store": service.store().name(),
        "validations": validations(&metrics.validations.sums()),
        "cache": cache(service.store()),
        "live_tokens": live_tokens.ok().map(self::live_tokens),
        "tokens": tokens(service.store().changes()),
        "takeovers": takeovers(service.store().changes()),
        "devices": {
            "logins": service.store().changes().device_logins.get(),
            "refused": service.store().changes().device_refusals.get(),
        },
        "feed": feed(&call),
        "connections": connections(&call),
        "flush_lag_seconds": service.flush_lag_ms() as f64 / 1000.0,
        "masters": masters(&call),
    });
    Ok(response::json(StatusCode::OK, &stats))
}

fn validations(sums: &ValidationSums) -> Value {
    let count = |result: &ValidationResult| (result.name().to_owned(), sums.total(*result).into());
    ValidationResult::ALL.iter().map(count).collect::<Map<_, _>>().into()
}

/// The near cache; null on the embedded store, which has none.
fn cache(store: &Store) -> Value {
    let Store::Redis(_) = store else { return Value::Null };
    let stats = store.cache_stats();
    let hit_rate = (stats.looks() > 0).then(|| stats.answered() as f64 / stats.looks() as f64);
    json!({
        "hits": stats.hits,
        "misses": stats.misses + stats.joins,
        "hit_rate": hit_rate.map(|rate| (rate * 1e4).round() / 1e4),
        "entries": stats.entries,
    })
}

fn tokens(changes: &ChangeCounters) -> Value {
    let revoked = changes.revoked.counts(&OF_TOKENS);
    let revoked: Map<_, _> =
        revoked.map(|(reason, count)| (reason.name().to_owned(), count.into())).collect();
    json!({"issued": changes.issued.get(), "rotated": changes.rotated.get(), "revoked": revoked})
}

fn live_tokens(LiveTokens { estimate, error, sampled }: LiveTokens) -> Value {
    json!({"estimate": estimate, "error": error.ceil() as u64, "sampled": sampled})
}

fn takeovers(changes: &ChangeCounters) -> Value {
    let ended = changes.takeovers_ended.counts(&RevokeReason::ALL).map(|(_, count)| count).sum::<u64>();
    json!({"started": changes.takeovers_started.get(), "ended": ended})
}

fn feed(call: &AdminCall<'_>) -> Value {
    let stats = call.service().store().feed().stats();
    json!({
        "readers": call.admin.feed.count(),
        "events": stats.events,
        "gaps": stats.gaps,
        "missed_events": stats.missed,
    })
}

fn connections(call: &AdminCall<'_>) -> Value {
    let stats = call.admin.connections.stats();
    let listener = |of: ConnectionStats| json!({"open": of.open, "max": of.max});
    stats.into_iter().map(|(name, of)| (name.to_owned(), listener(of))).collect::<Map<_, _>>().into()
}

fn masters(call: &AdminCall<'_>) -> Vec<Value> {
    let ages_ms = call.service().store().lease_ages_ms();
    let report = call.admin.readiness.report();
    let master = |master: &MasterReport| {
        let age_ms =
            ages_ms.iter().find(|(address, _)| *address == master.address).map(|(_, age_ms)| *age_ms);
        json!({
            "address": master.address,
            "tracking": master.is_tracked,
            "lease_age_seconds": age_ms.map(|age_ms| age_ms as f64 / 1000.0),
        })
    };
    report.masters.iter().map(master).collect()
}
