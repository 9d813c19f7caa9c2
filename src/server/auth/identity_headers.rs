//! The `X-Auth-…` headers, which tell the application whose request it is.

use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::model::token::inline_text::is_visible_ascii;
use crate::model::token::{TokenRecord, Transport};
use crate::token_string::TokenId;

/// The ASCII characters that are percent-encoded: the invisible ones and `%`. The encoder always encodes the others.
const ESCAPED: &AsciiSet = &CONTROLS.add(b' ').add(b'%');

/// Stands for a value that does not exist. No header is left out: a proxy would pass on the client's own.
const NONE: &str = "-";

/// The identity headers of a request that may pass.
pub struct IdentityHeaders<'a> {
    /// The effective user, the actor, the slug, the backend and the device.
    texts: [&'a str; 5],
    /// Never encoded: visible ASCII, with spaces.
    scopes: &'a str,
    via: &'static str,
    /// Whether no text needs encoding.
    is_visible_ascii: bool,
    token_id: Option<TokenId>,
    expires_in_seconds: u64,
}

/// The names, in the order in which they are sent.
const NAMES: [HeaderName; 9] = [
    HeaderName::from_static("x-auth-user"),
    HeaderName::from_static("x-auth-actor"),
    HeaderName::from_static("x-auth-token-id"),
    HeaderName::from_static("x-auth-slug"),
    HeaderName::from_static("x-auth-backend"),
    HeaderName::from_static("x-auth-device"),
    HeaderName::from_static("x-auth-expires-in"),
    HeaderName::from_static("x-auth-scopes"),
    HeaderName::from_static("x-auth-via"),
];

impl<'a> IdentityHeaders<'a> {
    /// The headers of a token at this time, which the request carried there.
    pub fn of(record: &'a TokenRecord, now_ms: u64, via: Transport) -> Self {
        let takeover = record.active_takeover(now_ms);
        let actor = record.user();
        let texts = [
            takeover.map_or(actor, |takeover| &takeover.user),
            actor,
            record.auth_slug().unwrap_or(NONE),
            record.backend().unwrap_or(NONE),
            record.device().unwrap_or(NONE),
        ];
        let is_visible_ascii = record.texts.are_visible_ascii()
            && takeover.is_none_or(|takeover| is_visible_ascii(&takeover.user));
        let ends_at_ms = takeover.map_or(u64::MAX, |takeover| takeover.ends_at_ms).min(record.expires_at_ms);
        let expires_in_seconds = ends_at_ms.saturating_sub(now_ms) / 1000;
        let scopes = record.texts.scopes().unwrap_or(NONE);
        let via = match via {
            Transport::Header => "header",
            Transport::Cookie => "cookie",
        };
        Self { texts, scopes, via, is_visible_ascii, token_id: Some(record.id), expires_in_seconds }
    }

    /// The headers of the anonymous token.
    pub fn anonymous() -> Self {
        Self {
            texts: [NONE; 5],
            scopes: NONE,
            via: NONE,
            is_visible_ascii: true,
            token_id: None,
            expires_in_seconds: 0,
        }
    }

    /// Appends the header lines.
    pub fn write(&self, out: &mut Vec<u8>) {
        let encoded;
        let [user, actor, slug, backend, device] = if self.is_visible_ascii {
            self.texts
        } else {
            encoded = self.texts.map(|text| utf8_percent_encode(text, ESCAPED).to_string());
            encoded.each_ref().map(String::as_str)
        };
        let id = self.token_id.map(|id| id.text());
        // Line by line, not in a loop: so each name is copied as a constant.
        append(out, "x-auth-user: ", user);
        append(out, "\r\nx-auth-actor: ", actor);
        append(out, "\r\nx-auth-token-id: ", id.as_ref().map_or(NONE, |id| id.as_str()));
        append(out, "\r\nx-auth-slug: ", slug);
        append(out, "\r\nx-auth-backend: ", backend);
        append(out, "\r\nx-auth-device: ", device);
        append(out, "\r\nx-auth-expires-in: ", itoa::Buffer::new().format(self.expires_in_seconds));
        append(out, "\r\nx-auth-scopes: ", self.scopes);
        append(out, "\r\nx-auth-via: ", self.via);
        out.extend_from_slice(b"\r\n");
    }

    /// Inserts the headers into hyper's map.
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
            self.scopes.to_owned(),
            self.via.to_owned(),
        ];
        for (name, value) in NAMES.into_iter().zip(values) {
            // Cannot fail: all values are visible ASCII.
            headers.insert(name, HeaderValue::try_from(value).unwrap_or(HeaderValue::from_static(NONE)));
        }
    }
}

#[inline(always)]
fn append(out: &mut Vec<u8>, name: &'static str, value: &str) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(value.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::takeover::ActiveTakeover;
    use crate::model::token::Texts;

    /// Returns the values in their order, after a check that both forms agree.
    fn values(identity: &IdentityHeaders<'_>) -> [String; 9] {
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
    fn values_are_visible_ascii_and_a_missing_one_is_a_dash() {
        let record = TokenRecord {
            texts: Texts::new("é 100%\n~!\"#", None, Some("ldap"), None),
            expires_at_ms: 61_999,
            ..crate::model::token::tests::record()
        };
        let user = "%C3%A9%20100%25%0A~!\"#";
        let shown = [user, user, "AAAAAAAAAAAAAAAA", "-", "ldap", "-", "61", "-", "header"];
        assert_eq!(values(&IdentityHeaders::of(&record, 0, Transport::Header)), shown);
        let texts = Texts::new("al", Some("s"), None, Some("d")).with_scopes(Some("read a:write"));
        let plain = TokenRecord { texts, ..record };
        let shown = ["al", "al", "AAAAAAAAAAAAAAAA", "s", "-", "d", "60", "read a:write", "cookie"];
        assert_eq!(values(&IdentityHeaders::of(&plain, 1_001, Transport::Cookie)), shown);
        assert_eq!(values(&IdentityHeaders::anonymous()), ["-", "-", "-", "-", "-", "-", "0", "-", "-"]);
    }

    #[test]
    fn a_takeover_shows_both_users() {
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
            let [user, actor, ..] = values(&IdentityHeaders::of(&record, now_ms, Transport::Header));
            [user, actor]
        };
        assert_eq!(seen(499), ["b%C3%B8b", "alice"]);
        assert_eq!(seen(500), ["alice", "alice"]);
    }
}
