//! The token record and its rules: what is valid, when it is renewed, who sees it. Pure: no store, no clock.

use std::hint::black_box;
use std::sync::Arc;

use super::access_mark::AccessMark;
use super::cached::{Cached, GappedText};
use super::details::TokenDetails;
use super::inline_text::Texts;
use super::refused_marks::RefusedMarks;
use super::rotation::PreviousSecrets;
use crate::model::takeover::ActiveTakeover;
use crate::token_string::claim::KnownSecret;
use crate::token_string::{SecretHash, TokenId, VerifiedMark};

/// What validation needs to know of a token. Read on every check, so it is kept small, and what every check reads is
/// in one piece at its start: fetching a further piece of memory costs as much as a hash.
#[derive(Clone, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct TokenRecord {
    /// The hash of its secret.
    pub secret_hash: SecretHash,
    /// What the string that opened it left here.
    pub verified: VerifiedMark,
    /// It is valid while the clock is before this, in milliseconds since the Unix epoch.
    pub expires_at_ms: u64,
    /// An access moves `expires_at_ms` to this long after itself.
    pub idle_ms: u64,
    /// No renewal reaches beyond this: the absolute lifetime.
    pub ends_at_ms: u64,
    /// False once it was ended.
    pub is_active: bool,
    /// False while a second factor is still to be shown: then it opens nothing yet.
    pub is_authenticated: bool,
    /// Whether a cookie may carry it.
    pub allowed_cookie: bool,
    /// Whether the Authorization header may carry it.
    pub allowed_header: bool,
    /// The token's public name.
    pub id: TokenId,
    /// As whom it acts, from the start of a takeover to its end; see [`TokenRecord::active_takeover`].
    pub takeover: Option<Box<ActiveTakeover>>,
    /// Who logged in and how.
    pub texts: Texts,
    /// Its other secrets, oldest first; at most [`MAX_PREVIOUS_SECRETS`].
    pub previous: PreviousSecrets,
    /// The secrets that the store was asked about and did not know.
    pub refused: RefusedMarks,
    /// The rest of the token, once a batch has asked for it: what was read with this copy or after it. A change
    /// of the token replaces the copy, so this is never older.
    pub details: Cached<Arc<TokenDetails>>,
    /// What shows the token as a whole, kept for the next time by who made it.
    pub json: Cached<GappedText>,
    /// The accesses seen through this copy of the record. Last, because it is written all the time: what is read
    /// only should not be in the same line of memory.
    pub accesses: AccessMark,
}

/// What carried a token in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// `Authorization: Bearer`.
    Header,
    /// The session cookie.
    Cookie,
}

/// What a secret is worth to a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordVerdict {
    /// It opens the token.
    Admitted,
    /// It is the right one, of a token whose second factor is still to be shown.
    Pending,
    /// The token is live, but this secret was rotated out and its grace is over. It never becomes right again.
    RotatedOut,
    /// The token is live, but this record does not know the secret: forged, forgotten, or handed out since the record
    /// was read.
    WrongSecret,
    /// This record has expired, whatever the secret. A renewal that is not in this record may have been earned.
    Expired,
    /// Ended, or not allowed on this transport.
    Refused,
}

impl TokenRecord {
    /// Touches each line of this record's memory, and does nothing with it: the core then waits for all of them at once,
    /// and not for one after the other as they are read.
    #[inline]
    pub fn fetch(&self) {
        black_box((self.expires_at_ms, self.is_active, self.previous.is_empty(), self.accesses.latest_ms()));
    }

    /// Who logged in. During a takeover a request acts as another user: [`TokenRecord::effective_user`].
    pub fn user(&self) -> &str {
        self.texts.user()
    }

    /// See [`Texts`].
    pub fn auth_slug(&self) -> Option<&str> {
        self.texts.auth_slug()
    }

    /// See [`Texts`].
    pub fn backend(&self) -> Option<&str> {
        self.texts.backend()
    }

    /// See [`Texts`].
    pub fn device(&self) -> Option<&str> {
        self.texts.device()
    }

    /// What this secret is worth at `now_ms` when `via` carries it; `None` where what carried it is not asked.
    pub fn judge(&self, secret_hash: &SecretHash, via: Option<Transport>, now_ms: u64) -> RecordVerdict {
        let is_allowed = match via {
            Some(Transport::Header) => self.allowed_header,
            Some(Transport::Cookie) => self.allowed_cookie,
            None => true,
        };
        if !self.is_active {
            RecordVerdict::Refused
        } else if self.expires_at_ms <= now_ms {
            RecordVerdict::Expired
        } else if let Some(mismatch) = self.mismatch(secret_hash, now_ms) {
            mismatch
        } else if !is_allowed {
            RecordVerdict::Refused
        } else if !self.is_authenticated {
            RecordVerdict::Pending
        } else {
            RecordVerdict::Admitted
        }
    }

    /// Whether this is its secret, or a previous one that is still good, of an active token that may have expired.
    pub fn is_opened_by(&self, secret_hash: &SecretHash, now_ms: u64) -> bool {
        self.is_active && self.mismatch(secret_hash, now_ms).is_none()
    }

    /// The takeover under way at `now_ms`.
    pub fn active_takeover(&self, now_ms: u64) -> Option<&ActiveTakeover> {
        self.takeover.as_deref().filter(|takeover| self.is_active && takeover.is_active(now_ms))
    }

    /// When the present identity ends, unless the token is renewed: with the takeover under way, else with the token.
    pub fn identity_ends_at_ms(&self, now_ms: u64) -> u64 {
        let takeover = self.active_takeover(now_ms);
        takeover.map_or(self.expires_at_ms, |takeover| takeover.ends_at_ms.min(self.expires_at_ms))
    }

    /// As whom a request with this token acts at `now_ms`: the taken-over user, else the owner.
    pub fn effective_user(&self, now_ms: u64) -> &str {
        self.active_takeover(now_ms).map_or(self.user(), |takeover| &takeover.user)
    }

    /// Neither ended nor expired.
    pub fn is_live(&self, now_ms: u64) -> bool {
        self.is_active && self.expires_at_ms > now_ms
    }

    /// Active, but past its expiry.
    pub fn has_expired(&self, now_ms: u64) -> bool {
        self.is_active && self.expires_at_ms <= now_ms
    }

    /// This record, renewed to `expires_at_ms`; with the details and the latest access that are known beside it.
    pub fn renewed_to(&self, expires_at_ms: u64) -> Self {
        let accesses = AccessMark::default();
        accesses.learn(self.accesses.latest_ms());
        let details = self.details.get().cloned().map(Cached::from).unwrap_or_default();
        Self { expires_at_ms, accesses, details, ..self.clone() }
    }

    /// What a presented string is compared with before its MAC is computed again.
    pub fn known_secret(&self) -> KnownSecret<'_> {
        KnownSecret { secret_hash: &self.secret_hash, verified: &self.verified }
    }

    /// The expiry that an access at `now_ms` earns, when it is at least `step_ms` later than the present one.
    /// Renewal goes in steps because each one is a write that every node hears of. A token may so end up to
    /// one step early, never late.
    pub fn renewal(&self, now_ms: u64, step_ms: u64) -> Option<u64> {
        let earned = now_ms.saturating_add(self.idle_ms).min(self.ends_at_ms);
        (earned > self.expires_at_ms && earned - self.expires_at_ms >= step_ms).then_some(earned)
    }
}
