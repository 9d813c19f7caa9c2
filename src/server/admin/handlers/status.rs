//! `GET /metrics`, `GET /v1/key`: the API key of the call itself, so that a client knows what it may do.
//!
//! `GET /v1/status`: whether the node is ready, the faults that it found when it last inspected the store, the last reload
//! of its settings, and the use of its API keys.

use hyper::StatusCode;
use serde_json::{Value, json};

use crate::server::admin::call::{AdminCall, Answer};
use crate::server::json::api_key::api_key;
use crate::server::json::timestamp::timestamp;
use crate::server::metrics::plane::metrics_response;
use crate::server::reload::status::LastReload;
use crate::server::transport::response;
use crate::store::Store;
use crate::store::report::{DeniedTo, Fault, MasterReport};

/// Shows the status: 200, also while the node is not ready.
pub async fn show(call: AdminCall<'_>) -> Answer {
    call.input.no_query()?;
    let readiness = &call.admin.readiness;
    let report = readiness.report();
    let status = json!({
        "ready": readiness.is_ready(),
        "store": call.service().store().name(),
        "faults": report.faults.iter().map(fault).collect::<Vec<_>>(),
        "masters": report.masters.iter().map(master).collect::<Vec<_>>(),
        "replay": replay(call.service().store()),
        "last_reload": last_reload(&call.admin.reload.last()),
        "api_keys": call.admin.api_keys.present().iter().map(|known| api_key(&known.key, known.last_used_ms())).collect::<Vec<_>>(),
    });
    Ok(response::json(StatusCode::OK, &status))
}

/// What this node remembers of acknowledged changes; null on the embedded store.
fn replay(store: &Store) -> Value {
    let Some((size, merged, masters)) = store.replay_stats() else { return Value::Null };
    json!({
        "revocations": size.revocations,
        "endings": size.endings,
        "changes": size.changes,
        "change_bytes": size.change_bytes,
        "forgotten": size.forgotten,
        "merges": merged.merges,
        "merging": masters.merging,
        "settling": masters.settling,
    })
}

fn last_reload(last: &LastReload) -> Value {
    json!({
        "at": timestamp(last.at_ms),
        "successful": last.is_successful(),
        "mistakes": last.mistakes,
        "needs_restart": last.needs_restart,
    })
}

fn fault(fault: &Fault) -> Value {
    let Fault { kind, server, cause, fix, denied } = fault;
    let of = |part: fn(&DeniedTo) -> &String| denied.as_ref().map(part).filter(|text| !text.is_empty());
    json!({
        "kind": kind.name(),
        "severity": kind.severity().name(),
        "fatal": kind.is_fatal(),
        "server": server,
        "cause": cause,
        "fix": fix,
        "command": of(|denied| &denied.command),
        "key": of(|denied| &denied.key),
        "channel": of(|denied| &denied.channel),
    })
}

fn master(master: &MasterReport) -> Value {
    let known = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    json!({
        "address": master.address,
        "version": known(&master.version),
        "memory_policy": known(&master.memory_policy),
        "memory_used": (!master.version.is_empty()).then_some(master.memory.used),
        "memory_limit": (master.memory.limit > 0).then_some(master.memory.limit),
        "persistence": known(&master.persistence),
        "replicas": (!master.version.is_empty()).then_some(master.replicas),
        "tracking": master.is_tracked,
    })
}

/// Shows the API key of the call. Any key may ask.
pub async fn show_key(call: AdminCall<'_>) -> Answer {
    call.input.no_query()?;
    Ok(response::json(StatusCode::OK, &api_key(&call.key.key, call.key.last_used_ms())))
}

/// Shows the metrics.
pub async fn show_metrics(call: AdminCall<'_>) -> Answer {
    Ok(metrics_response(&call.admin.metrics, call.input.headers()))
}
