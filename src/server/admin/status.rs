//! `GET /v1/status`: whether the node is ready, and what it found at its last look at the store.

use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use serde_json::{Value, json};

use crate::node::readiness::Readiness;
use crate::server::transport::body::Body;
use crate::server::transport::response::with_body;
use crate::store::report::{DeniedTo, Fault, MasterReport};

/// The answer; a 200 also when the node is not ready.
pub fn response(readiness: &Readiness, store: &str) -> Response<Body> {
    let report = readiness.report();
    let status = json!({
        "ready": readiness.is_ready(),
        "store": store,
        "faults": report.faults.iter().map(fault).collect::<Vec<_>>(),
        "masters": report.masters.iter().map(master).collect::<Vec<_>>(),
    });
    let mut response = with_body(StatusCode::OK, status.to_string());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn fault(fault: &Fault) -> Value {
    let Fault { kind, server, cause, fix, denied } = fault;
    let of = |part: fn(&DeniedTo) -> &String| denied.as_ref().map(part).filter(|text| !text.is_empty());
    json!({
        "kind": kind.name(),
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
        "tracking": master.is_tracked,
    })
}
