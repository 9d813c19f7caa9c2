//! What happened to a user's tokens, takeovers and device keys. Pure: no store, no clock, and never a secret.
//!
//! An event is written in the same step as the change it tells of, so none is lost and none is invented. What expires by
//! itself is no event: nothing runs then.

use std::fmt;

use super::takeover::TakeoverId;
use crate::token_string::TokenId;

/// Who made something happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor<'a> {
    /// A caller of the admin plane, by the name of its API key.
    ApiKey(&'a str),
    /// The holder of the token.
    Holder,
    /// Doorward itself, by its rules; and who uses it as a library.
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

/// Why a token or a takeover ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevokeReason {
    /// By its holder.
    Logout,
    /// By name, on the admin plane.
    Ended,
    /// With all tokens of the user.
    AllOfUser,
    /// It made room for a newer one (`max-tokens-per-user`).
    Limit,
    /// A secret that had been rotated out was seen again.
    Reuse,
    /// The device key that logged it in was deactivated or removed.
    Device,
    /// With all tokens of a related object.
    Related,
    /// By an OAuth client (RFC 7009).
    Revoked,
    /// A takeover: another one began.
    Replaced,
}

impl RevokeReason {
    /// Every reason.
    pub const ALL: [Self; 9] = [
        Self::Logout,
        Self::Ended,
        Self::AllOfUser,
        Self::Limit,
        Self::Reuse,
        Self::Device,
        Self::Related,
        Self::Revoked,
        Self::Replaced,
    ];

    /// The reason of this name; `None` for one of a later version.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }

    /// As events show it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Logout => "logout",
            Self::Ended => "ended",
            Self::AllOfUser => "all_of_user",
            Self::Limit => "limit",
            Self::Reuse => "reuse",
            Self::Device => "device",
            Self::Related => "related",
            Self::Revoked => "revoked",
            Self::Replaced => "replaced",
        }
    }
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// A token was issued.
    TokenIssued,
    /// Its second factor was shown.
    TokenConfirmed,
    /// It got a new secret.
    TokenRotated,
    /// It ended.
    TokenRevoked,
    /// A secret that had been rotated out was seen again; the token's end follows.
    ReuseDetected,
    /// A takeover began.
    TakeoverStarted,
    /// It ended before its hard end.
    TakeoverEnded,
    /// A device key was made.
    DeviceCreated,
    /// It logged a token in.
    DeviceLoggedIn,
    /// A login by it was refused: another uuid or login token, or an inactive key.
    DeviceRefused,
    /// It was made active again.
    DeviceActivated,
    /// It was deactivated or removed.
    DeviceEnded,
}

impl EventKind {
    /// Every kind.
    pub const ALL: [Self; 12] = [
        Self::TokenIssued,
        Self::TokenConfirmed,
        Self::TokenRotated,
        Self::TokenRevoked,
        Self::ReuseDetected,
        Self::TakeoverStarted,
        Self::TakeoverEnded,
        Self::DeviceCreated,
        Self::DeviceLoggedIn,
        Self::DeviceRefused,
        Self::DeviceActivated,
        Self::DeviceEnded,
    ];

    /// As events show it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TokenIssued => "token.issued",
            Self::TokenConfirmed => "token.confirmed",
            Self::TokenRotated => "token.rotated",
            Self::TokenRevoked => "token.revoked",
            Self::ReuseDetected => "token.reuse_detected",
            Self::TakeoverStarted => "takeover.started",
            Self::TakeoverEnded => "takeover.ended",
            Self::DeviceCreated => "device.created",
            Self::DeviceLoggedIn => "device.logged_in",
            Self::DeviceRefused => "device.refused",
            Self::DeviceActivated => "device.activated",
            Self::DeviceEnded => "device.ended",
        }
    }
}

/// A refused login by a device key is no event when the same key had one within this time before, and nothing but refused
/// logins since: whoever holds a login token could wash the history clean otherwise.
pub const REFUSALS_FOLDED_MS: u64 = 60 * 60 * 1000;
/// Among so many of the newest events it is looked for.
pub const REFUSALS_FOLDED_OVER: usize = 16;

/// One event in a user's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What.
    pub kind: EventKind,
    /// When.
    pub at_ms: u64,
    /// Who made it happen, as [`Actor`] is shown.
    pub actor: String,
    /// The token it is about.
    pub token: Option<TokenId>,
    /// The takeover it is about.
    pub takeover: Option<TakeoverId>,
    /// The user taken over.
    pub taken_over: Option<String>,
    /// The device key it is about, by its uuid.
    pub device: Option<String>,
    /// Why, of an ending.
    pub reason: Option<RevokeReason>,
}

impl Event {
    /// An event about nothing yet.
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
        }
    }
}
