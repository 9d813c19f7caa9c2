//! The token record and its rules: what is valid, when it is renewed, who sees it. Pure: no store, no clock.

use std::hint::black_box;
use std::sync::Arc;

use super::asides::{AccessMark, Aside, RefusedMarks, ShownOnce, VerifiedMark};
use super::inline_text::Texts;
use super::rotation::{PreviousSecrets, Rotation};

use crate::model::event::RevokeReason;
use crate::model::takeover::ActiveTakeover;
use crate::token_string::claim::KnownSecret;
use crate::token_string::{SecretHash, TokenId};

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
    pub details: DetailsOnce,
    /// What shows the token as a whole, kept for the next time by who made it.
    pub shown: ShownOnce,
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
pub enum Verdict {
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
    pub fn judge(&self, secret_hash: &SecretHash, via: Option<Transport>, now_ms: u64) -> Verdict {
        let is_allowed = match via {
            Some(Transport::Header) => self.allowed_header,
            Some(Transport::Cookie) => self.allowed_cookie,
            None => true,
        };
        if !self.is_active {
            Verdict::Refused
        } else if self.expires_at_ms <= now_ms {
            Verdict::Expired
        } else if let Some(mismatch) = self.mismatch(secret_hash, now_ms) {
            mismatch
        } else if !is_allowed {
            Verdict::Refused
        } else if !self.is_authenticated {
            Verdict::Pending
        } else {
            Verdict::Admitted
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
        let details = self.details.get().cloned().map(DetailsOnce::from).unwrap_or_default();
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

/// Something of the application's that a token belongs to, so that it can be found and ended by it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RelatedObject {
    /// The kind of object, up to 100 bytes.
    pub content_type: String,
    /// Which one, up to 255 bytes.
    pub object_id: String,
}

/// The whole token, as the admin plane shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// What validation knows of it.
    pub record: Arc<TokenRecord>,
    /// When it was issued.
    pub created_at_ms: u64,
    /// The last access known to the store; at first the time of issue.
    pub last_access_ms: u64,
    /// When it was ended; `None` while it is active.
    pub ended_at_ms: Option<u64>,
    /// Why it was revoked; `None` while it is active, and where the store does not know.
    pub revoked_reason: Option<RevokeReason>,
    /// Cut at 256 characters; empty when the client named none.
    pub user_agent: String,
    /// Where the login came from.
    pub ip: std::net::IpAddr,
    /// False for a preserved token.
    pub expiration: bool,
    /// At most [`MAX_RELATED_PER_TOKEN`](crate::model::field_rules::MAX_RELATED_PER_TOKEN), in the order in which they came.
    pub related_objects: Vec<RelatedObject>,
}

impl Token {
    /// Whether the admin plane still shows it: while it lives, and, once ended, until `retention_ms` has passed.
    pub fn is_visible(&self, now_ms: u64, retention_ms: u64) -> bool {
        match self.ended_at_ms {
            Some(ended_at_ms) => ended_at_ms.saturating_add(retention_ms) > now_ms,
            None => self.record.is_live(now_ms),
        }
    }

    /// The same of another user; for a token that was made before its owner was known.
    pub fn with_user(mut self, user: &str) -> Self {
        let record = Arc::make_mut(&mut self.record);
        record.texts = record.texts.with_user(user);
        self
    }

    /// The order of every listing: newest first, ties by id.
    pub fn listing_key(&self) -> (std::cmp::Reverse<u64>, TokenId) {
        (std::cmp::Reverse(self.created_at_ms), self.record.id)
    }
}

/// What a batch shows of a token besides.
pub type DetailsOnce = Aside<Arc<Details>>;

/// What is shown of a token and validation does not need; the last access is apart, because it alone changes
/// without the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Details {
    /// See [`Token`].
    pub created_at_ms: u64,
    /// See [`Token`].
    pub user_agent: Box<str>,
    /// See [`Token`].
    pub ip: std::net::IpAddr,
    /// See [`Token`].
    pub expiration: bool,
    /// See [`Token`].
    pub related_objects: Box<[RelatedObject]>,
}

/// A live token as a batch shows it: the whole token, as this node knows it. As whom it acts is the record's
/// [`effective_user`](TokenRecord::effective_user).
#[derive(Clone, Debug)]
pub struct TokenView {
    /// What validation knows of it.
    pub record: Arc<TokenRecord>,
    /// The rest.
    pub details: Arc<Details>,
    /// The store's last access, where it was read with the rest; else 0.
    pub stored_access_ms: u64,
}

impl TokenView {
    /// The view of a record beside which the details are known.
    pub fn of_known(record: Arc<TokenRecord>) -> Option<Self> {
        let details = record.details.get()?.clone();
        Some(Self { record, details, stored_access_ms: 0 })
    }

    /// Whether any access to it, or the store's last one, is known here.
    pub fn knows_an_access(&self) -> bool {
        self.stored_access_ms.max(self.record.accesses.latest_ms()) > 0
    }

    /// The last access known here; the time of issue when there is none.
    pub fn last_access_ms(&self) -> u64 {
        let known_ms = self.stored_access_ms.max(self.record.accesses.latest_ms());
        known_ms.max(self.details.created_at_ms)
    }
}

/// What `PATCH` changes; `None` leaves a field as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenChange {
    /// `Some(None)` clears the slug.
    pub auth_slug: Option<Option<String>>,
    /// Whether a cookie may carry the token.
    pub allowed_cookie: Option<bool>,
    /// Whether the Authorization header may carry the token.
    pub allowed_header: Option<bool>,
    /// The second factor was shown.
    pub confirm: bool,
    /// Gives the token a new secret.
    pub rotate: Option<Rotation>,
    /// Ends the token.
    pub end: Option<RevokeReason>,
}

impl TokenChange {
    /// The change that only ends the token.
    pub fn ending(reason: RevokeReason) -> Self {
        Self { end: Some(reason), ..Self::default() }
    }

    /// The change that only says that the second factor was shown.
    pub fn confirming() -> Self {
        Self { confirm: true, ..Self::default() }
    }

    /// The change that only gives a new secret.
    pub fn rotating(rotation: Rotation) -> Self {
        Self { rotate: Some(rotation), ..Self::default() }
    }

    /// Whether it changes anything besides the end.
    pub fn edits(&self) -> bool {
        *self != Self { end: self.end, ..Self::default() }
    }
}

/// An access to a token, as the last-access flusher hands it to the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Touch {
    /// The token accessed.
    pub id: TokenId,
    /// Its owner, whose index keeps the last access.
    pub user: String,
    /// When.
    pub access_ms: u64,
    /// What it earned, when that is worth a write.
    pub renewal: Option<Renewal>,
}

impl Touch {
    /// The token must have lived at this time, or nothing is written.
    pub fn since_ms(&self) -> u64 {
        self.renewal.map_or(self.access_ms, |renewal| renewal.from_ms.min(self.access_ms))
    }
}

/// The expiry that a chain of accesses has earned: each was in time by what the one before it had earned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Renewal {
    /// The first access of the chain: it was in time by the expiry that the store knows.
    pub from_ms: u64,
    /// The expiry earned by the last one.
    pub to_ms: u64,
}

impl Renewal {
    /// The chain of both, of which the order does not matter.
    pub fn and(self, other: Self) -> Self {
        Self { from_ms: self.from_ms.min(other.from_ms), to_ms: self.to_ms.max(other.to_ms) }
    }
}
