//! A credential as header values. The texts are made once per copy of the record and shared by all its answers.

use bytes::Bytes;
use hyper::header::HeaderValue;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::token::{Credential, Rendered};

/// What a header value cannot carry as it is: all but visible ASCII (the encoder always takes what is not
/// ASCII), and the escape itself.
const ESCAPED: &AsciiSet = &CONTROLS.add(b' ').add(b'%');

/// A value that does not exist. Never left out: a proxy would pass the client's own header on.
pub const NONE: HeaderValue = HeaderValue::from_static("-");

/// The values of one credential.
pub struct Identity {
    /// As whom the request acts.
    pub user: HeaderValue,
    /// Who logged in.
    pub actor: HeaderValue,
    /// The token's id.
    pub token_id: HeaderValue,
    /// The slug or `-`.
    pub slug: HeaderValue,
    /// The backend or `-`.
    pub backend: HeaderValue,
    /// The device or `-`.
    pub device: HeaderValue,
}

impl Identity {
    /// Of a credential at this time.
    pub fn of(credential: &Credential, now_ms: u64) -> Self {
        let Rendered { text, ends } = credential.rendered.get_or_init(|| render(credential));
        let mut start = 0;
        let mut next = ends.iter().map(|end| {
            let end = usize::from(*end);
            let part = text.slice(std::mem::replace(&mut start, end)..end);
            // All visible ASCII, which every header value may hold.
            HeaderValue::from_maybe_shared(part).unwrap_or(NONE)
        });
        let mut part = || next.next().unwrap_or(NONE);
        let (actor, token_id, slug, backend, device) = (part(), part(), part(), part(), part());
        let user = if credential.active_takeover(now_ms).is_some() { part() } else { actor.clone() };
        Self { user, actor, token_id, slug, backend, device }
    }
}

fn render(credential: &Credential) -> Rendered {
    let id = credential.id.to_string();
    let or_none = |field: &Option<String>| field.clone().unwrap_or_else(|| "-".into());
    let fields = [
        credential.user.clone(),
        id,
        or_none(&credential.auth_slug),
        or_none(&credential.backend),
        or_none(&credential.device),
        credential.takeover.as_deref().map_or_else(String::new, |takeover| takeover.user.clone()),
    ];
    let mut text = String::new();
    // The rules bound every field to 256 bytes, three times that escaped.
    let ends = fields.map(|field| {
        text.extend(utf8_percent_encode(&field, ESCAPED));
        u16::try_from(text.len()).unwrap_or(u16::MAX)
    });
    text.truncate(usize::from(u16::MAX));
    Rendered { text: Bytes::from(text.into_boxed_str().into_boxed_bytes()), ends }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::takeover::ActiveTakeover;

    #[test]
    fn values_are_visible_ascii_and_none_is_a_dash() {
        let credential = Credential {
            user: "é 100%\n~!\"#".into(),
            backend: Some("ldap".into()),
            ..crate::token::tests::credential()
        };
        for _ in 0..2 {
            let identity = Identity::of(&credential, 0);
            assert_eq!(identity.user, "%C3%A9%20100%25%0A~!\"#");
            assert_eq!(identity.token_id, "AAAAAAAAAAAAAAAA");
            assert_eq!((identity.slug, identity.backend), (NONE, HeaderValue::from_static("ldap")));
            assert_eq!(identity.device, "-");
        }
    }

    #[test]
    fn a_takeover_is_seen_as_both_users() {
        let takeover = ActiveTakeover {
            id: crate::token::tests::credential().id,
            user: "bøb".into(),
            reason: None,
            created_at_ms: 0,
            ends_at_ms: 500,
        };
        let credential =
            Credential { takeover: Some(Box::new(takeover)), ..crate::token::tests::credential() };
        let seen = |now_ms| {
            let Identity { user, actor, .. } = Identity::of(&credential, now_ms);
            (user, actor)
        };
        assert_eq!(seen(499), ("b%C3%B8b".parse().unwrap(), "alice".parse().unwrap()));
        assert_eq!(seen(500), ("alice".parse().unwrap(), "alice".parse().unwrap()));
    }
}
