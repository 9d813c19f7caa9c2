//! A record as header values.

use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::model::token::TokenRecord;
use crate::model::token::inline_text::is_visible_ascii;

/// What a header value cannot carry as it is: all but visible ASCII (the encoder always takes what is not
/// ASCII), and the escape itself.
const ESCAPED: &AsciiSet = &CONTROLS.add(b' ').add(b'%');

/// A value that does not exist. Never left out: a proxy would pass the client's own header on.
const NONE: &str = "-";

/// What a request that may pass is told of who sent it; [`Identity::nobody`] is the anonymous token.
pub struct Identity<'a> {
    /// As whom it acts, who logged in, then slug, backend and device.
    texts: [&'a str; 5],
    /// That all of the texts can be header values as they are.
    is_plain: bool,
    token_id: Option<crate::token_string::TokenId>,
    expires_in_seconds: u64,
}

/// The names, in the order in which they are sent.
const NAMES: [HeaderName; 7] = [
    HeaderName::from_static("x-auth-user"),
    HeaderName::from_static("x-auth-actor"),
    HeaderName::from_static("x-auth-token-id"),
    HeaderName::from_static("x-auth-slug"),
    HeaderName::from_static("x-auth-backend"),
    HeaderName::from_static("x-auth-device"),
    HeaderName::from_static("x-auth-expires-in"),
];

impl<'a> Identity<'a> {
    /// Of a record at this time.
    pub fn of(record: &'a TokenRecord, now_ms: u64) -> Self {
        let takeover = record.active_takeover(now_ms);
        let actor = record.user();
        let texts = [
            takeover.map_or(actor, |takeover| &takeover.user),
            actor,
            record.auth_slug().unwrap_or(NONE),
            record.backend().unwrap_or(NONE),
            record.device().unwrap_or(NONE),
        ];
        let is_plain = record.texts.are_visible_ascii()
            && takeover.is_none_or(|takeover| is_visible_ascii(&takeover.user));
        let ends_at_ms = takeover.map_or(u64::MAX, |takeover| takeover.ends_at_ms).min(record.expires_at_ms);
        let expires_in_seconds = ends_at_ms.saturating_sub(now_ms) / 1000;
        Self { texts, is_plain, token_id: Some(record.id), expires_in_seconds }
    }

    /// The anonymous token's.
    pub fn nobody() -> Self {
        Self { texts: [NONE; 5], is_plain: true, token_id: None, expires_in_seconds: 0 }
    }

    /// Appends the header lines.
    pub fn write(&self, out: &mut Vec<u8>) {
        let [user, actor, slug, backend, device] = self.texts;
        let id = self.token_id.map(|id| id.text());
        let mut number = itoa::Buffer::new();
        let lines = [
            ("x-auth-user: ", user),
            ("\r\nx-auth-actor: ", actor),
            ("\r\nx-auth-token-id: ", id.as_ref().map_or(NONE, |id| id.as_str())),
            ("\r\nx-auth-slug: ", slug),
            ("\r\nx-auth-backend: ", backend),
            ("\r\nx-auth-device: ", device),
            ("\r\nx-auth-expires-in: ", number.format(self.expires_in_seconds)),
        ];
        for (name, value) in lines {
            out.extend_from_slice(name.as_bytes());
            if self.is_plain {
                out.extend_from_slice(value.as_bytes());
            } else {
                utf8_percent_encode(value, ESCAPED).for_each(|part| out.extend_from_slice(part.as_bytes()));
            }
        }
        out.extend_from_slice(b"\r\n");
    }

    /// The same for hyper.
    pub fn insert_into(&self, headers: &mut HeaderMap) {
        let [user, actor, slug, backend, device] = self.texts;
        let escaped = |value| utf8_percent_encode(value, ESCAPED).to_string();
        let id = self.token_id.map_or_else(|| NONE.to_owned(), |id| id.to_string());
        let values = [
            escaped(user),
            escaped(actor),
            id,
            escaped(slug),
            escaped(backend),
            escaped(device),
            self.expires_in_seconds.to_string(),
        ];
        for (name, value) in NAMES.into_iter().zip(values) {
            // All visible ASCII, which every header value may hold.
            headers.insert(name, HeaderValue::try_from(value).unwrap_or(HeaderValue::from_static(NONE)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::takeover::ActiveTakeover;
    use crate::model::token::Texts;

    /// The values in their order, which both forms must agree on.
    fn values(identity: &Identity<'_>) -> [String; 7] {
        let mut headers = HeaderMap::new();
        identity.insert_into(&mut headers);
        let values = NAMES.map(|name| headers[name].to_str().unwrap().to_owned());
        let mut lines = Vec::new();
        identity.write(&mut lines);
        let line = |(name, value): (HeaderName, &String)| format!("{name}: {value}\r\n");
        assert_eq!(
            String::from_utf8(lines).unwrap(),
            NAMES.into_iter().zip(&values).map(line).collect::<String>()
        );
        values
    }

    #[test]
    fn values_are_visible_ascii_and_none_is_a_dash() {
        let record = TokenRecord {
            texts: Texts::new("é 100%\n~!\"#", None, Some("ldap"), None),
            expires_at_ms: 61_999,
            ..crate::model::token::tests::record()
        };
        let user = "%C3%A9%20100%25%0A~!\"#";
        let shown = [user, user, "AAAAAAAAAAAAAAAA", "-", "ldap", "-", "61"];
        assert_eq!(values(&Identity::of(&record, 0)), shown);
        let plain = TokenRecord { texts: Texts::new("al", Some("s"), None, Some("d")), ..record };
        let shown = ["al", "al", "AAAAAAAAAAAAAAAA", "s", "-", "d", "60"];
        assert_eq!(values(&Identity::of(&plain, 1_001)), shown);
        assert_eq!(values(&Identity::nobody()), ["-", "-", "-", "-", "-", "-", "0"]);
    }

    #[test]
    fn a_takeover_is_seen_as_both_users() {
        let takeover = ActiveTakeover {
            id: crate::model::token::tests::record().id,
            user: "bøb".into(),
            reason: None,
            created_at_ms: 0,
            ends_at_ms: 500,
        };
        let record =
            TokenRecord { takeover: Some(Box::new(takeover)), ..crate::model::token::tests::record() };
        let seen = |now_ms| {
            let [user, actor, ..] = values(&Identity::of(&record, now_ms));
            [user, actor]
        };
        assert_eq!(seen(499), ["b%C3%B8b", "alice"]);
        assert_eq!(seen(500), ["alice", "alice"]);
    }
}
