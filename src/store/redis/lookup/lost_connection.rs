//! The end of a connection, and what follows it.

use super::pipeline_state::PendingRead;
use crate::store::redis::counters::RedisErrorKind;

/// Why a connection can no longer be used.
pub(crate) enum LossCause {
    /// The server closed it.
    Closed(String),
    /// No answer in time, no authority, or a malformed reply.
    Unusable(RedisErrorKind, String),
}

/// A lost connection.
pub(crate) struct LostConnection {
    pub(crate) kind: RedisErrorKind,
    pub(crate) reason: String,
    pub(crate) then: AfterLoss,
}

impl LostConnection {
    pub(crate) fn with_outage(kind: RedisErrorKind, reason: String) -> Self {
        Self { kind, reason, then: AfterLoss::Outage }
    }
}

/// The next step after a lost connection.
pub(crate) enum AfterLoss {
    /// A pause, in which reads fail.
    Outage,
    /// The next connection, which reads wait for.
    Again {
        /// Reads to send first.
        unanswered: Vec<PendingRead>,
        /// The server closed the connection as soon as it was made: pause before the next one.
        is_young: bool,
    },
}
