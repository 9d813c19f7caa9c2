//! The kinds of findings.

/// The weight of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// The store is damaged.
    Damage,
    /// Nothing is wrong. The operator may want to know.
    Note,
}

/// Makes [`Kind`] from its entries, worst first.
macro_rules! kinds {
    ($($variant:ident $weight:ident $name:literal: $description:literal, $repair:literal;)*) => {
        /// The kinds of findings, worst first.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Kind {
            $(#[doc = $description] $variant,)*
        }

        impl Kind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Its name in the report and in the scripts.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Describes the finding and its consequence.
            pub const fn description(self) -> &'static str {
                match self { $(Self::$variant => $description,)* }
            }

            /// Describes the repair; empty if this kind is only reported.
            pub const fn repair(self) -> &'static str {
                match self { $(Self::$variant => $repair,)* }
            }

            /// Whether it is damage.
            pub const fn weight(self) -> Weight {
                match self { $(Self::$variant => Weight::$weight,)* }
            }
        }
    };
}

kinds! {
    TokenNotInIndex Damage "token-not-in-index":
        "A token that its user's index does not name. Listings and revocations of all the user's tokens miss it.",
        "Adds the entry from the record.";
    DeviceKeyNotInMap Damage "device-key-not-in-map":
        "A device key that its user's map does not name as it is. It logs in, and no call can list or remove it.",
        "Writes the entry from the record, unless the map names another key with this uuid.";
    ObjectEntryMissing Damage "object-entry-missing":
        "A live token that the index of its related object does not name. Revoking the object's tokens misses it.",
        "Adds the entry, unless the object has as many tokens as allowed.";
    DeviceEntryMissing Damage "device-entry-missing":
        "An imported device key that the index of its uuid does not name. The login token of the former system is refused.",
        "Adds the entry, unless the uuid has as many as allowed.";
    HistoryNotListed Damage "history-not-listed":
        "A token's takeovers that the list of its user's histories lacks. An erasure of the user misses them.",
        "Adds the entry.";
    EndedTakeoverActs Damage "ended-takeover-acts":
        "A token that still acts as another user, although it is revoked or its history says that the takeover has ended.",
        "Ends the takeover.";
    LockDiffers Damage "lock-differs":
        "A token whose flag differs from the lock of its user. It passes although its user is locked, or is refused although its user is not.",
        "Writes the flag from the lock.";
    CorruptRecord Damage "corrupt-record":
        "A token, takeover history, device key or alias that cannot be decoded.",
        "";
    WrongHashTag Damage "wrong-hash-tag":
        "A key whose hash tag does not match its user, object or alias. No operation finds it.",
        "";
    ForeignType Damage "foreign-type":
        "A key of another Redis type than the schema says.",
        "";
    IndexEntryDiffers Damage "index-entry-differs":
        "An index entry that differs from its token: expiry, revocation, last access or order of creation.",
        "Writes the entry from the record.";
    MemberWithoutToken Damage "member-without-token":
        "A member of a user's index that names no token of the user.",
        "Removes the member.";
    MapEntryWithoutDeviceKey Damage "map-entry-without-device-key":
        "An entry of a user's map that names no device key of the user.",
        "Removes the entry.";
    MalformedMember Damage "malformed-member":
        "A member of an index, or an entry of a map, that cannot be decoded. Listings fail because of it.",
        "Removes the member.";
    TakeoverWithoutHistory Damage "takeover-without-history":
        "A token that acts as another user without an entry in its history.",
        "Writes the history from the record.";
    TakeoverEntryMissing Damage "takeover-entry-missing":
        "A takeover under way that the index of the user taken over does not name. An erasure of the user does not end it.",
        "Adds the entry.";
    MissingTtl Damage "missing-ttl":
        "A key that would stay forever.",
        "Sets the TTL by the record or the longest-lived entry; that of an alias to the longest life of a token. An expired \
         token is removed.";
    WrongTtl Damage "wrong-ttl":
        "A key that expires before the record or entry that it holds, or long after. The shared token key with a TTL.",
        "Sets the TTL by the record or the longest-lived entry. The shared token key gets none.";
    CorruptEvent Damage "corrupt-event":
        "An event that cannot be decoded. Listings leave it out; it expires with the history.",
        "";
    StaleObjectEntry Note "stale-object-entry":
        "An entry of an object's index whose token has expired, is revoked or does not name the object. Normal use leaves \
         some behind; readers skip them.",
        "Removes the entry.";
    UnknownKey Note "unknown-key":
        "A key under the prefix that is not in the schema.",
        "";
}

impl Kind {
    /// Finds a kind by the name that a script uses.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        for kind in Kind::ALL {
            assert_eq!(Kind::named(kind.name()), Some(*kind));
        }
        assert_eq!(Kind::named("none"), None);
    }
}
