//! The JSON object of an event.

use std::net::IpAddr;

use serde::Serialize;

use super::timestamp::timestamp;
use crate::model::event::Event;

/// An event. Its fields are described in docs/lifecycle.md.
#[derive(Serialize)]
pub struct EventJson<'a> {
    r#type: &'static str,
    at: String,
    /// `None` for an event of a cut-off.
    user: Option<&'a str>,
    actor: &'a str,
    token: Option<String>,
    takeover: Option<String>,
    taken_over: Option<&'a str>,
    device: Option<&'a str>,
    reason: Option<&'static str>,
    ip: Option<IpAddr>,
    user_agent: Option<&'a str>,
    auth_slug: Option<&'a str>,
    backend: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cutoff: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<String>,
}

impl<'a> EventJson<'a> {
    /// Borrows an event of this user.
    pub fn of(user: &'a str, event: &'a Event) -> Self {
        Self {
            r#type: event.kind.name(),
            at: timestamp(event.at_ms),
            user: (!event.kind.is_of_cutoff()).then_some(user),
            actor: &event.actor,
            token: event.token.map(|id| id.to_string()),
            takeover: event.takeover.map(|id| id.to_string()),
            taken_over: event.taken_over.as_deref(),
            device: event.device.as_deref(),
            reason: event.reason.map(|reason| reason.name()),
            ip: event.facts.ip,
            user_agent: event.facts.user_agent.as_deref(),
            auth_slug: event.facts.auth_slug.as_deref(),
            backend: event.facts.backend.as_deref(),
            cutoff: event.cutoff.as_ref().map(|cutoff| cutoff.name.as_str()),
            before: event.cutoff.as_ref().and_then(|cutoff| cutoff.before_ms).map(timestamp),
        }
    }
}
