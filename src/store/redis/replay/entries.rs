//! What is remembered: endings, which every node hears of, and changes, which only the acknowledging node knows.

use std::mem::size_of;

use super::aged_map::Weigh;
use super::packed_fields::PackedFields;
use crate::foreign::ForeignDigest;
use crate::model::device_key::DeviceId;
use crate::model::idempotency::RequestName;
use crate::model::revoke_reason::RevokeReason;
use crate::model::takeover::{NewTakeover, TakeoverId};
use crate::store::redis::schema::keys::Keys;
use crate::token_string::{HashTag, TokenId};

/// The revocation of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RememberedRevocation {
    pub(crate) at_ms: u64,
    /// `None` for a reason of a later version.
    pub(crate) reason: Option<RevokeReason>,
}

/// An ending besides the revocation of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// A takeover was ended early.
    Takeover { token: TokenId, at_ms: u64 },
    /// A device key was deactivated in this version.
    DeviceDeactivated { version_ms: u64 },
    /// A device key was removed.
    DeviceRemoved,
    /// A user was locked or unlocked.
    Lock { is_locked: bool, at_ms: u64 },
    /// A user was erased.
    Erasure { at_ms: u64 },
    /// A cut-off was set, removed, or both: the last time of each.
    Cutoff { set: Option<CutoffSetting>, removed_at_ms: Option<u64> },
}

/// A cut-off that was set to `before_ms` at `at_ms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CutoffSetting {
    pub(crate) before_ms: u64,
    pub(crate) at_ms: u64,
}

/// What ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum EndingKey {
    Takeover(TakeoverId),
    Device(DeviceId),
    Lock(Box<str>),
    Erasure(Box<str>),
    Cutoff(Box<str>),
}

/// An ending that a node hears of: what ended, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HeardEnding {
    Token(TokenId, RememberedRevocation),
    Other(EndingKey, Ending),
}

/// A change that this node acknowledged: the state after it.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Token(RememberedToken),
    Device(PackedFields),
    Takeover(Box<RememberedTakeover>),
    Request(RememberedRequest),
}

/// A token as it was after its last change here.
#[derive(Clone, Debug)]
pub(crate) struct RememberedToken {
    pub(crate) fields: PackedFields,
    pub(crate) last_access_ms: u64,
    /// The alias of an imported token, and until when it is kept.
    pub(crate) alias: Option<Box<(ForeignDigest, u64)>>,
}

/// A takeover that was started here.
#[derive(Clone, Debug)]
pub(crate) struct RememberedTakeover {
    pub(crate) new: NewTakeover,
    pub(crate) actor: Box<str>,
    pub(crate) created_at_ms: u64,
    /// When the token expires.
    pub(crate) expires_at_ms: u64,
}

/// What is kept of a request with `Idempotency-Key`.
#[derive(Clone, Debug)]
pub(crate) struct RememberedRequest {
    pub(crate) value: Box<[u8]>,
    pub(crate) until_ms: u64,
}

/// What was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ChangeKey {
    Token(TokenId),
    Device(DeviceId),
    Takeover(TakeoverId),
    /// The body of a request, and its answer if that is kept.
    Request(RequestName),
    /// What a request has made, in the slot of the user.
    DoneRequest(HashTag, RequestName),
}

impl ChangeKey {
    /// The hash tag of the keys that the change wrote first.
    pub(crate) fn hash_tag(&self) -> HashTag {
        match self {
            Self::Token(id) | Self::Device(id) | Self::Takeover(id) => id.hash_tag(),
            Self::Request(name) => name.hash_tag(),
            Self::DoneRequest(hash_tag, _) => *hash_tag,
        }
    }
}

impl EndingKey {
    /// The hash tag of the keys that the ending wrote.
    pub(crate) fn hash_tag(&self) -> HashTag {
        match self {
            Self::Takeover(id) | Self::Device(id) => id.hash_tag(),
            Self::Lock(user) | Self::Erasure(user) => HashTag::of_user(user),
            Self::Cutoff(_) => Keys::cutoff_tag(),
        }
    }
}

impl Ending {
    /// Returns what is remembered if this ending is heard of after `earlier`.
    pub(crate) fn after(self, earlier: Option<&Self>) -> Self {
        match (&self, earlier) {
            (Self::Lock { at_ms, .. }, Some(Self::Lock { at_ms: earlier_ms, .. }))
            | (Self::Erasure { at_ms }, Some(Self::Erasure { at_ms: earlier_ms }))
                if earlier_ms > at_ms =>
            {
                earlier.cloned().unwrap_or(self)
            }
            (Self::DeviceDeactivated { .. }, Some(Self::DeviceRemoved)) => Self::DeviceRemoved,
            (
                Self::DeviceDeactivated { version_ms },
                Some(Self::DeviceDeactivated { version_ms: earlier_ms }),
            ) => Self::DeviceDeactivated { version_ms: *version_ms.max(earlier_ms) },
            (
                Self::Cutoff { set, removed_at_ms },
                Some(Self::Cutoff { set: earlier_set, removed_at_ms: earlier_removal }),
            ) => {
                let removed_at_ms = *removed_at_ms.max(earlier_removal);
                let settings = [*set, *earlier_set].into_iter().flatten();
                let is_set = |set: &CutoffSetting| removed_at_ms.is_none_or(|ms| set.at_ms > ms);
                Self::Cutoff { set: settings.filter(is_set).max_by_key(|set| set.before_ms), removed_at_ms }
            }
            _ => self,
        }
    }
}

impl Weigh for RememberedRevocation {
    fn heap_bytes(&self) -> usize {
        0
    }
}

impl Weigh for Ending {
    fn heap_bytes(&self) -> usize {
        0
    }
}

impl Weigh for Change {
    fn heap_bytes(&self) -> usize {
        match self {
            Self::Token(token) => {
                let alias = token.alias.as_ref().map_or(0, |_| size_of::<(ForeignDigest, u64)>());
                token.fields.len() + alias
            }
            Self::Device(fields) => fields.len(),
            Self::Request(request) => request.value.len(),
            Self::Takeover(takeover) => {
                let NewTakeover { user, reason, .. } = &takeover.new;
                let texts = user.len() + reason.as_ref().map_or(0, String::len) + takeover.actor.len();
                size_of::<RememberedTakeover>() + texts
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(before_ms: u64, at_ms: u64) -> Ending {
        Ending::Cutoff { set: Some(CutoffSetting { before_ms, at_ms }), removed_at_ms: None }
    }

    fn removed(at_ms: u64) -> Ending {
        Ending::Cutoff { set: None, removed_at_ms: Some(at_ms) }
    }

    #[test]
    fn endings_of_one_thing_are_joined_whatever_their_order() {
        let lock = |is_locked, at_ms| Ending::Lock { is_locked, at_ms };
        let deactivated = |version_ms| Ending::DeviceDeactivated { version_ms };
        let both = |set: Ending, removal_ms| match set {
            Ending::Cutoff { set, .. } => Ending::Cutoff { set, removed_at_ms: Some(removal_ms) },
            other => other,
        };
        for (first, second, joined) in [
            (lock(true, 5), lock(false, 6), lock(false, 6)),
            (deactivated(5), deactivated(6), deactivated(6)),
            (set(100, 5), set(200, 6), set(200, 6)),
            (set(100, 5), removed(6), removed(6)),
            (removed(5), set(100, 6), both(set(100, 6), 5)),
            (both(set(50, 6), 5), removed(7), removed(7)),
        ] {
            assert_eq!(second.clone().after(Some(&first)), joined);
            assert_eq!(first.after(Some(&second)), joined);
        }
        assert_eq!(deactivated(9).after(Some(&Ending::DeviceRemoved)), Ending::DeviceRemoved);
        assert_eq!(Ending::DeviceRemoved.after(Some(&deactivated(9))), Ending::DeviceRemoved);
    }
}
