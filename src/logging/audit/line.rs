//! The lines of the audit log.

use std::fmt::{self, Display};
use std::net::IpAddr;

use tracing::field::display;

use super::entry::AuditEntry;
use crate::logging::text::cut;
use crate::model::event::Actor;
use crate::named_enum::named_enum;
use crate::values::timestamp::timestamp_seconds;

/// The target of audit lines.
pub const AUDIT: &str = "audit";

named_enum! {
    /// How a change came out.
    pub enum AuditOutcome {
        /// It is made.
        Done => "done",
        /// It is not made, and nothing was changed.
        Refused => "refused",
        /// It may have been made or not.
        Unknown => "unknown",
    }
}

/// One line.
#[derive(Clone, Copy, Debug)]
pub struct AuditLine<'a> {
    /// The change, and the user, token or object that it concerns.
    pub entry: &'a AuditEntry,
    /// How it came out.
    pub outcome: AuditOutcome,
    /// The status of the response, if it is no success.
    pub status: Option<u16>,
    /// The problem type or OAuth error of the response.
    pub problem: Option<&'a str>,
    /// The actor. `None` if the API key is missing or unknown.
    pub actor: Option<Actor<'a>>,
    /// The client's address.
    pub address: Option<IpAddr>,
    /// The method and the pattern of the path, where the action does not say which call it was.
    pub call: Option<(&'a str, &'a str)>,
    /// The request id.
    pub request_id: Option<&'a str>,
    /// How many lines of this kind were not written since the last one.
    pub suppressed: Option<u64>,
}

impl<'a> AuditLine<'a> {
    /// A line that says nothing of the request.
    pub const fn new(entry: &'a AuditEntry, outcome: AuditOutcome, actor: Option<Actor<'a>>) -> Self {
        Self {
            entry,
            outcome,
            status: None,
            problem: None,
            actor,
            address: None,
            call: None,
            request_id: None,
            suppressed: None,
        }
    }

    /// Returns the line with the address and the id of its request.
    pub fn of_request(self, request: &'a AuditedRequest) -> Self {
        Self { address: request.address, request_id: request.id.as_deref(), ..self }
    }

    /// Writes the line. Texts of callers are recorded as strings, which both formats escape, so none can forge a line.
    pub fn write(&self) {
        let entry = self.entry;
        let object = entry.object.as_ref();
        tracing::info!(
            target: AUDIT,
            action = %entry.action.name(),
            outcome = %self.outcome.name(),
            status = self.status,
            problem = self.problem.map(display),
            actor = self.actor.map(display),
            address = self.address.map(display),
            method = self.call.map(|(method, _)| display(method)),
            route = self.call.map(|(_, route)| display(route)),
            user = entry.user.as_deref().map(cut),
            token = entry.token.map(display),
            takeover = entry.takeover.map(display),
            taken_over = entry.taken_over.as_deref().map(cut),
            device = entry.device.as_deref().map(cut),
            content_type = object.map(|object| cut(&object.content_type)),
            object_id = object.map(|object| cut(&object.object_id)),
            cutoff = entry.cutoff.as_deref().map(cut),
            before = entry.before_ms.map(|ms| display(timestamp_seconds(ms))),
            count = entry.count,
            imported = entry.import.map(|import| import.imported),
            exists = entry.import.map(|import| import.exists),
            rejected = entry.import.map(|import| import.rejected),
            evicted = list(&entry.evicted),
            except = entry.except.map(display),
            fields = list(&entry.fields),
            reason = entry.reason.as_deref().map(cut),
            ip = entry.ip.map(display),
            user_agent = entry.user_agent.as_deref().map(cut),
            request_id = self.request_id.map(display),
            suppressed = self.suppressed,
        );
    }
}

/// The items, separated by commas; `None` without any.
fn list<T: Display>(items: &[T]) -> Option<tracing::field::DisplayValue<List<'_, T>>> {
    (!items.is_empty()).then(|| display(List(items)))
}

struct List<'a, T>(&'a [T]);

impl<T: Display> Display for List<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().enumerate().try_for_each(|(number, item)| match number {
            0 => write!(f, "{item}"),
            _ => write!(f, ",{item}"),
        })
    }
}

/// The part of an audit line that comes from the request behind the change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditedRequest {
    /// The client's address, through all trusted proxies. `None` for a client on a Unix socket.
    pub address: Option<IpAddr>,
    /// The request id, if the request has one.
    pub id: Option<String>,
}
