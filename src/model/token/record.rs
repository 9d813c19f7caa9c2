//! The token record and its rules: when a token is valid, when it is renewed, as whom it acts.

use std::hint::black_box;
use std::sync::Arc;

use super::access_mark::AccessMark;
use super::cached::{Cached, GappedText};
use super::change::TokenChange;
use super::details::TokenDetails;
use super::inline_text::Texts;
use super::refused_marks::RefusedMarks;
use super::rotation::PreviousSecrets;
use crate::model::takeover::ActiveTakeover;
use crate::token_string::verify::KnownSecret;
use crate::token_string::{SecretHash, TokenId, VerifiedMark};

/// The token record: what validation needs. It is read on every check, so it is small, and the fields that every check
/// reads come first: fetching another line of memory costs as much as a hash.
#[derive(Clone, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct TokenRecord {
    /// The hash of its secret.
    pub secret_hash: SecretHash,
    /// The mark of the string that last proved it.
    pub verified: VerifiedMark,
    /// It expires at this time, in milliseconds since the Unix epoch.
    pub expires_at_ms: u64,
    /// An access moves `expires_at_ms` to this long after itself.
    pub idle_ms: u64,
    /// No renewal reaches beyond this: the absolute lifetime.
    pub ends_at_ms: u64,
    /// When it was issued: the login.
    pub created_at_ms: u64,
    /// False once it is revoked.
    pub is_active: bool,
    /// The reasons why it opens nothing while it is active.
    pub bars: Bars,
    /// Whether a cookie may carry it.
    pub allowed_cookie: bool,
    /// Whether the Authorization header may carry it.
    pub allowed_header: bool,
    /// The token's public id.
    pub id: TokenId,
    /// The takeover, which may have reached its hard end: [`TokenRecord::active_takeover`].
    pub takeover: Option<Box<ActiveTakeover>>,
    /// User, auth slug, backend, device and scopes.
    pub texts: Texts,
    /// Its other secrets, oldest first; at most [`MAX_PREVIOUS_SECRETS`](super::rotation::MAX_PREVIOUS_SECRETS).
    pub previous: PreviousSecrets,
    /// Secrets that the store did not know.
    pub refused: RefusedMarks,
    /// The details, once a batch has read them, with this copy or after it. A change of the token replaces the copy, so the
    /// details are never older.
    pub details: Cached<Arc<TokenDetails>>,
    /// The JSON text of the whole token, once a batch has shown it.
    pub json: Cached<GappedText>,
    /// The accesses through this copy. The last field, because it is written all the time: read-only fields should not share
    /// its line of memory.
    pub accesses: AccessMark,
}

/// The part of a request that carried the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// `Authorization: Bearer`.
    Header,
    /// The session cookie.
    Cookie,
}

/// The verdict of a record on a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordVerdict {
    /// It opens the token.
    Admitted,
    /// It is the right secret, but the second factor is still to be shown.
    Pending,
    /// The token is live, but the secret was rotated out and its grace is over. It never becomes right again.
    RotatedOut,
    /// The token is live, but the record does not know the secret: it is forged, no longer remembered, or newer than the
    /// record.
    WrongSecret,
    /// The record has expired, whatever the secret. A renewal that is not in it may have been earned.
    Expired,
    /// The token is revoked, its user is locked, or the token is not allowed on this transport.
    Refused,
}

impl TokenRecord {
    /// Prefetches the memory of this record: the core waits for all lines at once, not for one after the other.
    #[inline]
    pub fn fetch(&self) {
        black_box((self.expires_at_ms, self.is_active, self.previous.is_empty(), self.accesses.latest_ms()));
    }

    /// The user who logged in. During a takeover a request acts as another user: [`TokenRecord::effective_user`].
    pub fn user(&self) -> &str {
        self.texts.user()
    }

    /// The kind of token.
    pub fn auth_slug(&self) -> Option<&str> {
        self.texts.auth_slug()
    }

    /// The backend that authenticated the user.
    pub fn backend(&self) -> Option<&str> {
        self.texts.backend()
    }

    /// The uuid of the device key that logged in.
    pub fn device(&self) -> Option<&str> {
        self.texts.device()
    }

    /// The scopes: what the application may let the holder do.
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        self.texts.scopes().into_iter().flat_map(|scopes| scopes.split(' '))
    }

    /// True while its user is locked: it opens nothing, and nothing of it is lost.
    pub fn is_locked(&self) -> bool {
        self.bars.has(Bars::LOCKED)
    }

    /// False while its second factor is still to be shown: it opens nothing yet.
    pub fn is_authenticated(&self) -> bool {
        !self.bars.has(Bars::PENDING)
    }

    /// Judges a secret at `now_ms` over the transport `via`; `None` allows every transport.
    pub fn judge(&self, secret_hash: &SecretHash, via: Option<Transport>, now_ms: u64) -> RecordVerdict {
        let is_allowed = match via {
            Some(Transport::Header) => self.allowed_header,
            Some(Transport::Cookie) => self.allowed_cookie,
            None => true,
        };
        // The verdict on a locked token says nothing about the secret: no secret of it counts as wrong or reused.
        if !self.is_active || self.is_locked() {
            RecordVerdict::Refused
        } else if self.expires_at_ms <= now_ms {
            RecordVerdict::Expired
        } else if let Some(mismatch) = self.mismatch(secret_hash, now_ms) {
            mismatch
        } else if !is_allowed {
            RecordVerdict::Refused
        } else if !self.is_authenticated() {
            RecordVerdict::Pending
        } else {
            RecordVerdict::Admitted
        }
    }

    /// Whether the token is active, though it may have expired or its user be locked, and this is its secret or a previous
    /// one that is still good.
    pub fn is_opened_by(&self, secret_hash: &SecretHash, now_ms: u64) -> bool {
        self.is_active && self.mismatch(secret_hash, now_ms).is_none()
    }

    /// The takeover under way at `now_ms`.
    pub fn active_takeover(&self, now_ms: u64) -> Option<&ActiveTakeover> {
        self.takeover.as_deref().filter(|takeover| self.is_active && takeover.is_active(now_ms))
    }

    /// When the present identity ends, unless the token is renewed: the end of the takeover under way, else of the token.
    pub fn identity_ends_at_ms(&self, now_ms: u64) -> u64 {
        let takeover = self.active_takeover(now_ms);
        takeover.map_or(self.expires_at_ms, |takeover| takeover.ends_at_ms.min(self.expires_at_ms))
    }

    /// The user that a request with this token acts as at `now_ms`: the taken-over user, else the owner.
    pub fn effective_user(&self, now_ms: u64) -> &str {
        self.active_takeover(now_ms).map_or(self.user(), |takeover| &takeover.user)
    }

    /// Whether it is neither revoked nor expired.
    pub fn is_live(&self, now_ms: u64) -> bool {
        self.is_active && self.expires_at_ms > now_ms
    }

    /// Whether it is not revoked, but expired.
    pub fn has_expired(&self, now_ms: u64) -> bool {
        self.is_active && self.expires_at_ms <= now_ms
    }

    /// Returns the record of a token that is issued at `created_at_ms`: active and for every transport.
    pub fn issued(
        id: TokenId,
        secret_hash: SecretHash,
        texts: Texts,
        created_at_ms: u64,
        idle_ms: u64,
        ends_at_ms: u64,
    ) -> Self {
        Self {
            secret_hash,
            verified: VerifiedMark::default(),
            expires_at_ms: created_at_ms.saturating_add(idle_ms).min(ends_at_ms),
            idle_ms,
            ends_at_ms,
            created_at_ms,
            is_active: true,
            bars: Bars::NONE,
            allowed_cookie: true,
            allowed_header: true,
            id,
            takeover: None,
            texts,
            previous: PreviousSecrets::default(),
            refused: RefusedMarks::default(),
            details: Cached::default(),
            json: Cached::default(),
            accesses: AccessMark::default(),
        }
    }

    /// Returns the record renewed to `expires_at_ms`, with its cached details and its latest access.
    pub fn renewed_to(&self, expires_at_ms: u64) -> Self {
        let accesses = AccessMark::default();
        accesses.learn(self.accesses.latest_ms());
        let details = self.details.get().cloned().map(Cached::from).unwrap_or_default();
        Self { expires_at_ms, accesses, details, ..self.clone() }
    }

    /// Returns the absolute end that a change gives the token; `None` if that is past at `now_ms`.
    pub fn end_after(&self, change: &TokenChange, now_ms: u64) -> Option<u64> {
        let ends_at_ms =
            change.lifetime_ms.map_or(self.ends_at_ms, |ms| self.created_at_ms.saturating_add(ms));
        Some(ends_at_ms).filter(|ends_at_ms| *ends_at_ms > now_ms)
    }

    /// Changes the idle time and the absolute end. The idle time restarts at `now_ms`.
    pub fn retime(&mut self, idle_ms: u64, ends_at_ms: u64, now_ms: u64) {
        (self.idle_ms, self.ends_at_ms) = (idle_ms, ends_at_ms);
        self.expires_at_ms = now_ms.saturating_add(idle_ms).min(ends_at_ms);
    }

    /// Returns the latest expiry that an access at `access_ms` can have earned. An access before a change of the times may
    /// have earned more by the times of then, and does not get it.
    pub fn latest_renewal(&self, access_ms: u64) -> u64 {
        access_ms.saturating_add(self.idle_ms).min(self.ends_at_ms)
    }

    /// The secret and the mark that a token string is compared with before its MAC is computed.
    pub fn known_secret(&self) -> KnownSecret<'_> {
        KnownSecret { secret_hash: &self.secret_hash, verified: &self.verified }
    }

    /// Returns the expiry that an access at `now_ms` earns, if it is at least `step_ms` later than the present one. Renewal
    /// goes in steps because each renewal is a write that every node hears of. A token may expire up to one step early,
    /// never late.
    pub fn renewal(&self, now_ms: u64, step_ms: u64) -> Option<u64> {
        let earned = self.latest_renewal(now_ms);
        (earned > self.expires_at_ms && earned - self.expires_at_ms >= step_ms).then_some(earned)
    }
}

/// A set of reasons why an active token opens nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bars(u8);

impl Bars {
    /// Nothing: the token is open.
    pub const NONE: Self = Self(0);
    /// Its second factor is still to be shown.
    pub const PENDING: Self = Self(1);
    /// Its user is locked.
    pub const LOCKED: Self = Self(2);

    /// Whether this bar is among them.
    pub const fn has(self, bar: Self) -> bool {
        self.0 & bar.0 != 0
    }

    /// The set with this bar, or without it.
    #[must_use]
    pub const fn with(self, bar: Self, is_set: bool) -> Self {
        Self(if is_set { self.0 | bar.0 } else { self.0 & !bar.0 })
    }
}
