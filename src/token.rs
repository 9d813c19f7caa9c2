//! The token record and its rules: what is valid, when it is renewed, who sees it. Pure: no store, no clock.

mod asides;
mod rotation;
mod texts;

use std::hint::black_box;
use std::sync::Arc;

pub use asides::{AccessMark, Aside, DetailsOnce, RefusedMarks, Shown, ShownOnce, VerifiedMark};
pub use rotation::{MAX_PREVIOUS_SECRETS, MAX_REMEMBERED_SECRETS, MAX_SIBLINGS, PreviousSecret, Rotation};
pub use texts::{Texts, is_visible_ascii};

use crate::event::EndReason;
use crate::secret::{SecretHash, TokenId};
use crate::takeover::ActiveTakeover;

/// What validation needs to know of a token. Read on every check, so it is kept small, and what every check reads is
/// in one piece at its start: fetching a further piece of memory costs as much as a hash.
#[derive(Clone, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Credential {
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
    /// As whom it acts, from the start of a takeover to its end; see [`Credential::active_takeover`].
    pub takeover: Option<Box<ActiveTakeover>>,
    /// Who logged in and how.
    pub texts: Texts,
    /// Its other secrets, oldest first; at most [`MAX_PREVIOUS_SECRETS`].
    pub previous: Box<[PreviousSecret]>,
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

/// What a secret is worth to a credential.
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
    /// Ended, expired, or not allowed on this transport.
    Refused,
}

impl Credential {
    /// Touches each line of this record's memory, and does nothing with it: the core then waits for all of them at once,
    /// and not for one after the other as they are read.
    #[inline]
    pub fn fetch(&self) {
        black_box((self.expires_at_ms, self.is_active, self.previous.len(), self.accesses.latest_ms()));
    }

    /// See [`Texts`].
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
        if !self.is_live(now_ms) {
            Verdict::Refused
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

    /// The takeover under way at `now_ms`.
    pub fn active_takeover(&self, now_ms: u64) -> Option<&ActiveTakeover> {
        self.takeover.as_deref().filter(|takeover| self.is_active && takeover.is_active(now_ms))
    }

    /// As whom a request with this token acts at `now_ms`: the taken-over user, else the owner.
    pub fn effective_user(&self, now_ms: u64) -> &str {
        self.active_takeover(now_ms).map_or(self.user(), |takeover| &takeover.user)
    }

    /// Neither ended nor expired.
    pub fn is_live(&self, now_ms: u64) -> bool {
        self.is_active && self.expires_at_ms > now_ms
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
    pub credential: Arc<Credential>,
    /// When it was issued.
    pub created_at_ms: u64,
    /// The last access known to the store; at first the time of issue.
    pub last_access_ms: u64,
    /// When it was ended; `None` while it is active.
    pub ended_at_ms: Option<u64>,
    /// Cut at 256 characters; empty when the client named none.
    pub user_agent: String,
    /// Where the login came from.
    pub ip: std::net::IpAddr,
    /// False for a preserved token.
    pub expiration: bool,
    /// At most [`MAX_RELATED_PER_TOKEN`](crate::rules::MAX_RELATED_PER_TOKEN), in the order in which they came.
    pub related_objects: Vec<RelatedObject>,
}

impl Token {
    /// Whether the admin plane still shows it: while it lives, and, once ended, until `retention_ms` has passed.
    pub fn is_visible(&self, now_ms: u64, retention_ms: u64) -> bool {
        match self.ended_at_ms {
            Some(ended_at_ms) => ended_at_ms.saturating_add(retention_ms) > now_ms,
            None => self.credential.is_live(now_ms),
        }
    }

    /// The same of another user; for a token that was made before its owner was known.
    pub fn with_user(mut self, user: &str) -> Self {
        let credential = Arc::make_mut(&mut self.credential);
        credential.texts = credential.texts.with_user(user);
        self
    }

    /// The order of every listing: newest first, ties by id.
    pub fn listing_key(&self) -> (std::cmp::Reverse<u64>, TokenId) {
        (std::cmp::Reverse(self.created_at_ms), self.credential.id)
    }
}

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

/// A live token as a batch shows it: the whole token, as this node knows it.
#[derive(Clone, Debug)]
pub struct TokenView {
    /// What validation knows of it.
    pub credential: Arc<Credential>,
    /// The rest.
    pub details: Arc<Details>,
    /// The store's last access, where it was read with the rest; else 0.
    pub stored_access_ms: u64,
}

impl TokenView {
    /// Whether any access to it, or the store's last one, is known here.
    pub fn knows_an_access(&self) -> bool {
        self.stored_access_ms.max(self.credential.accesses.latest_ms()) > 0
    }

    /// The last access known here; the time of issue when there is none.
    pub fn last_access_ms(&self) -> u64 {
        let known_ms = self.stored_access_ms.max(self.credential.accesses.latest_ms());
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
    pub end: Option<EndReason>,
}

impl TokenChange {
    /// The change that only ends the token.
    pub fn ending(reason: EndReason) -> Self {
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
    /// The expiry it earned, when that is worth a write.
    pub renew_to_ms: Option<u64>,
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn credential() -> Credential {
        Credential {
            id: TokenId::parse("AAAAAAAAAAAAAAAA").unwrap(),
            secret_hash: SecretHash::from_slice(&[1; 16]).unwrap(),
            previous: Box::default(),
            refused: RefusedMarks::default(),
            verified: VerifiedMark::default(),
            texts: Texts::new("alice", None, None, None),
            takeover: None,
            is_active: true,
            is_authenticated: true,
            allowed_cookie: true,
            allowed_header: false,
            expires_at_ms: 1_000,
            idle_ms: 1_000,
            ends_at_ms: 5_000,
            accesses: AccessMark::default(),
            details: DetailsOnce::default(),
            shown: ShownOnce::default(),
        }
    }

    #[test]
    fn the_right_secret_on_an_allowed_transport_is_admitted_before_its_expiry() {
        let token = credential();
        let wrong = SecretHash::from_slice(&[2; 16]).unwrap();
        let judge = |hash, via, now_ms| token.judge(hash, Some(via), now_ms);
        assert_eq!(judge(&token.secret_hash, Transport::Cookie, 999), Verdict::Admitted);
        assert_eq!(
            judge(&token.secret_hash, Transport::Cookie, 1_000),
            Verdict::Refused,
            "expiry is exclusive"
        );
        assert_eq!(judge(&token.secret_hash, Transport::Header, 999), Verdict::Refused);
        assert_eq!(judge(&wrong, Transport::Cookie, 999), Verdict::WrongSecret);
        assert_eq!(token.judge(&token.secret_hash, None, 999), Verdict::Admitted);
        let ended = Credential { is_active: false, ..token.clone() };
        assert_eq!(ended.judge(&wrong, None, 999), Verdict::Refused, "nothing more to find out");
        let pending = Credential { is_authenticated: false, ..token.clone() };
        assert_eq!(pending.judge(&token.secret_hash, None, 999), Verdict::Pending);
        assert_eq!(pending.judge(&wrong, None, 999), Verdict::WrongSecret);
    }

    #[test]
    fn a_takeover_shows_another_user_until_its_end() {
        let takeover = ActiveTakeover {
            id: TokenId::parse("AAAAAAAAAAAAAAAB").unwrap(),
            user: "bob".into(),
            reason: None,
            created_at_ms: 0,
            ends_at_ms: 500,
        };
        let token = Credential { takeover: Some(Box::new(takeover)), ..credential() };
        assert_eq!(token.effective_user(499), "bob");
        assert_eq!(token.effective_user(500), "alice");
        let ended = Credential { is_active: false, ..token };
        assert_eq!(ended.effective_user(499), "alice");
    }

    #[test]
    fn renewal_goes_in_steps_up_to_the_absolute_end_and_never_back() {
        let token = credential();
        assert_eq!(token.renewal(99, 100), None);
        assert_eq!(token.renewal(100, 100), Some(1_100));
        assert_eq!(token.renewal(0, 0), None, "nothing earned");
        assert_eq!(token.renewal(4_900, 100), Some(5_000));
        let at_its_end = Credential { expires_at_ms: 5_000, ..token };
        assert_eq!(at_its_end.renewal(4_999, 0), None);
    }
}
