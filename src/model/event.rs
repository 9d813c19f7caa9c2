//! Events of a user's tokens, takeovers and device keys, and of cut-offs. They never hold a secret.
//!
//! An event is written in the same atomic step as its change, so none is lost and none is invented. An expiry is no event,
//! because no code runs when a token expires.

use std::fmt;
use std::net::IpAddr;

use super::device_key::DeviceKey;
use super::revoke_reason::RevokeReason;
use super::takeover::TakeoverId;
use super::token::Token;
use crate::named_enum::named_enum;
use crate::token_string::TokenId;

/// The cause of an event: a caller, the holder or Doorward itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor<'a> {
    /// The caller of the admin plane with the API key of this name.
    ApiKey(&'a str),
    /// The holder of the token.
    Holder,
    /// Doorward itself, by its rules, or an application that uses it as a library.
    Doorward,
}

/// `key:NAME`, `holder` or `doorward`.
impl fmt::Display for Actor<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ApiKey(name) => write!(f, "key:{name}"),
            Self::Holder => f.write_str("holder"),
            Self::Doorward => f.write_str("doorward"),
        }
    }
}

named_enum! {
    /// The kind of an event.
    pub enum EventKind {
        /// A token was issued.
        TokenIssued => "token.issued",
        /// A token of another system was imported.
        TokenImported => "token.imported",
        /// The second factor of a token was confirmed.
        TokenConfirmed => "token.confirmed",
        /// A token got a new secret.
        TokenRotated => "token.rotated",
        /// A token was revoked.
        TokenRevoked => "token.revoked",
        /// A rotated-out secret was used again; `TokenRevoked` follows.
        ReuseDetected => "token.reuse_detected",
        /// A takeover began.
        TakeoverStarted => "takeover.started",
        /// A takeover was ended before its hard end.
        TakeoverEnded => "takeover.ended",
        /// A device key was made.
        DeviceCreated => "device.created",
        /// A device key of another system was imported.
        DeviceImported => "device.imported",
        /// A device key logged in.
        DeviceLoggedIn => "device.logged_in",
        /// A login by a device key was refused: wrong uuid or login token, or an inactive key.
        DeviceRefused => "device.refused",
        /// A device key was activated again.
        DeviceActivated => "device.activated",
        /// A device key got a new login token.
        DeviceRotated => "device.rotated",
        /// A device key was deactivated or removed.
        DeviceEnded => "device.ended",
        /// A user was locked.
        UserLocked => "user.locked",
        /// A user was unlocked.
        UserUnlocked => "user.unlocked",
        /// Everything of a user was erased, the history of events included: this event is only in the live feed.
        UserErased => "user.erased",
        /// A cut-off was set or moved. It is of no user, and only in the live feed.
        CutoffSet => "cutoff.set",
        /// A cut-off was removed. It is of no user, and only in the live feed.
        CutoffRemoved => "cutoff.removed",
    }
}

impl EventKind {
    /// The kind of the event of a new device key.
    pub fn of_new_device(device: &DeviceKey) -> Self {
        if device.secret.is_foreign() { Self::DeviceImported } else { Self::DeviceCreated }
    }

    /// Whether it is of a cut-off, and so of no user.
    pub const fn is_of_cutoff(self) -> bool {
        matches!(self, Self::CutoffSet | Self::CutoffRemoved)
    }
}

/// A refused login by a device key is not recorded if the same key had one within this time, and only refused logins
/// followed. Otherwise the holder of a login token could push all other events out of the history.
pub const REFUSALS_FOLDED_MS: u64 = 60 * 60 * 1000;
/// The earlier refused login is searched among so many of the newest events.
pub const REFUSALS_FOLDED_OVER: usize = 16;

/// One event in a user's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The kind of event.
    pub kind: EventKind,
    /// When it happened.
    pub at_ms: u64,
    /// The actor, as [`Actor`] is displayed.
    pub actor: String,
    /// The token it is about.
    pub token: Option<TokenId>,
    /// The takeover it is about.
    pub takeover: Option<TakeoverId>,
    /// The user taken over.
    pub taken_over: Option<String>,
    /// The uuid of the device key it is about.
    pub device: Option<String>,
    /// Why the token was revoked or the takeover ended.
    pub reason: Option<RevokeReason>,
    /// The cut-off it is about.
    pub cutoff: Option<CutoffEvent>,
    /// The facts of its token, which may be gone; of a refused login, the facts of the attempt.
    pub facts: EventFacts,
}

/// The cut-off of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CutoffEvent {
    /// Its name.
    pub name: String,
    /// The time that it was set to, in milliseconds since the Unix epoch; `None` once it is removed.
    pub before_ms: Option<u64>,
}

/// The longest user agent in an event, in bytes: it exists once per event.
pub const EVENT_USER_AGENT_BYTES: usize = 128;

/// Cuts a user agent at the end of a character, as events have it; `None` if it is empty.
pub fn cut_user_agent(mut user_agent: String) -> Option<String> {
    let mut lengths = (0..=EVENT_USER_AGENT_BYTES.min(user_agent.len())).rev();
    user_agent.truncate(lengths.find(|length| user_agent.is_char_boundary(*length)).unwrap_or_default());
    Some(user_agent).filter(|user_agent| !user_agent.is_empty())
}

/// The facts of a token at the time of an event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventFacts {
    /// The address that the login came from.
    pub ip: Option<IpAddr>,
    /// Cut at [`EVENT_USER_AGENT_BYTES`]; `None` if the client named none.
    pub user_agent: Option<String>,
    /// The kind of token.
    pub auth_slug: Option<String>,
    /// The backend that authenticated the user.
    pub backend: Option<String>,
}

impl EventFacts {
    /// Returns what events tell of a token.
    pub fn of(token: &Token) -> Self {
        Self {
            auth_slug: token.record.auth_slug().map(str::to_owned),
            backend: token.record.backend().map(str::to_owned),
            ..Self::of_attempt(token)
        }
    }

    /// Returns the facts of the token that a refused login did not get.
    pub fn of_attempt(token: &Token) -> Self {
        Self {
            ip: Some(token.details.ip),
            user_agent: cut_user_agent(token.details.user_agent.clone()),
            ..Self::default()
        }
    }
}

impl Event {
    /// An event without its subject.
    pub fn new(kind: EventKind, at_ms: u64, actor: Actor<'_>) -> Self {
        Self {
            kind,
            at_ms,
            actor: actor.to_string(),
            token: None,
            takeover: None,
            taken_over: None,
            device: None,
            reason: None,
            cutoff: None,
            facts: EventFacts::default(),
        }
    }

    /// An event about a token.
    pub fn of_token(kind: EventKind, at_ms: u64, actor: Actor<'_>, token: &Token) -> Self {
        Self { token: Some(token.record.id), facts: EventFacts::of(token), ..Self::new(kind, at_ms, actor) }
    }
}
