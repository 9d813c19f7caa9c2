//! Decodes the fields of a token.

use redis::Value;

use super::stored::{
    ALLOWED_COOKIE, ALLOWED_HEADER, Cold, EXPIRATION, HASH_BYTES, LOCKED, PENDING, PREVIOUS_BYTES, SIBLING,
    Terms, is_active,
};
use crate::foreign::Scheme;
use crate::model::takeover::ActiveTakeover;
use crate::model::token::{
    AccessMark, Bars, Cached, PreviousSecret, PreviousSecrets, RefusedMarks, RelatedObject, Texts,
    TokenDetails, TokenRecord,
};
use crate::store::error::StoreError;
use crate::store::redis::schema::codec::primitives::{bytes, corrupt, number, text, unpack};
use crate::store::redis::schema::codec::user_agent::expand;
use crate::token_string::{SecretHash, TokenId, VerifiedMark};

/// The fields of an answer, by their letters.
macro_rules! fields {
    ($($letter:ident)*) => {
        #[derive(Default)]
        pub(crate) struct Fields<'a> {
            $(pub(crate) $letter: Option<&'a [u8]>,)*
        }

        impl<'a> Fields<'a> {
            fn named(&mut self, name: &[u8]) -> Option<&mut Option<&'a [u8]>> {
                $(if name == stringify!($letter).as_bytes() {
                    return Some(&mut self.$letter);
                })*
                None
            }
        }
    };
}

fields! { u i h x f c s d o t p z r e w }

impl<'a> Fields<'a> {
    /// The fields in an answer to `HGETALL`: `Some(None)` if there is no such key, `None` if this is no such answer.
    pub(crate) fn from_all(all: &'a Value) -> Option<Option<Self>> {
        let mut fields = Self::default();
        let mut any = false;
        let mut put = |name: &Value, value: &'a Value| {
            any = true;
            // Ignore the fields of later versions.
            if let Some(field) = bytes(name).and_then(|name| fields.named(name)) {
                *field = bytes(value);
            }
        };
        match all {
            Value::Array(flat) if flat.len() % 2 == 0 => {
                flat.chunks_exact(2).for_each(|pair| put(&pair[0], &pair[1]));
            }
            Value::Map(pairs) => pairs.iter().for_each(|(name, value)| put(name, value)),
            _ => return None,
        }
        Some(any.then_some(fields))
    }

    pub(crate) fn record(&self, id: TokenId) -> Result<(TokenRecord, u32), StoreError> {
        let terms: Terms<'_> = unpack(self.i).ok_or_else(|| corrupt(id, "i"))?;
        let flags = number(self.f).and_then(|f| u32::try_from(f).ok()).ok_or_else(|| corrupt(id, "f"))?;
        let optional_text = |field: Option<&'a [u8]>, name| match field {
            None => Ok(""),
            Some(_) => text(field).ok_or_else(|| corrupt(id, name)),
        };
        let record = TokenRecord {
            id,
            verified: VerifiedMark::default(),
            secret_hash: self.h.and_then(SecretHash::from_slice).ok_or_else(|| corrupt(id, "h"))?,
            previous: previous_secrets(self.p).ok_or_else(|| corrupt(id, "p"))?,
            refused: RefusedMarks::default(),
            texts: Texts::of([
                text(self.u).ok_or_else(|| corrupt(id, "u"))?,
                optional_text(self.s, "s")?,
                terms.backend.unwrap_or_default(),
                optional_text(self.d, "d")?,
                optional_text(self.o, "o")?,
            ]),
            takeover: self.takeover(id)?.map(Box::new),
            is_active: is_active(flags),
            bars: Bars::NONE
                .with(Bars::PENDING, flags & PENDING != 0)
                .with(Bars::LOCKED, flags & LOCKED != 0),
            allowed_cookie: flags & ALLOWED_COOKIE != 0,
            allowed_header: flags & ALLOWED_HEADER != 0,
            expires_at_ms: number(self.x).ok_or_else(|| corrupt(id, "x"))?,
            idle_ms: terms.idle_ms,
            ends_at_ms: terms.ends_at_ms,
            created_at_ms: number(self.c).ok_or_else(|| corrupt(id, "c"))?,
            accesses: AccessMark::default(),
            details: Cached::default(),
            json: Cached::default(),
        };
        Ok((record, flags))
    }

    fn takeover(&self, id: TokenId) -> Result<Option<ActiveTakeover>, StoreError> {
        if self.t.is_none() {
            return Ok(None);
        }
        let broken = || corrupt(id, "t");
        let (locator, user, ends_at_ms, created_at_ms, reason): (&str, String, u64, u64, String) =
            unpack(self.t).ok_or_else(broken)?;
        let takeover_id = TokenId::from_locator(id.hash_tag(), locator).ok_or_else(broken)?;
        let reason = Some(reason).filter(|reason| !reason.is_empty());
        Ok(Some(ActiveTakeover { id: takeover_id, user, reason, created_at_ms, ends_at_ms }))
    }

    pub(crate) fn details(&self, id: TokenId, flags: u32) -> Result<TokenDetails, StoreError> {
        let cold: Cold<'_> = unpack(self.z).ok_or_else(|| corrupt(id, "z"))?;
        let related: Vec<(String, String)> = match self.r {
            None => Vec::new(),
            Some(_) => unpack(self.r).ok_or_else(|| corrupt(id, "r"))?,
        };
        Ok(TokenDetails {
            user_agent: expand(&cold.user_agent).ok_or_else(|| corrupt(id, "z"))?,
            ip: cold.ip,
            expiration: flags & EXPIRATION != 0,
            related_objects: related
                .into_iter()
                .map(|(content_type, object_id)| RelatedObject { content_type, object_id })
                .collect(),
            // A scheme of a later version is not known here.
            origin: cold.origin.and_then(Scheme::named),
        })
    }
}

fn previous_secrets(field: Option<&[u8]>) -> Option<PreviousSecrets> {
    let Some(entries) = field else { return Some(PreviousSecrets::default()) };
    if entries.len() % PREVIOUS_BYTES != 0 {
        return None;
    }
    let secret = |entry: &[u8]| {
        let (hash, until) = entry.split_at(HASH_BYTES);
        let until_ms = Some(number(Some(until))?).filter(|until_ms| *until_ms != SIBLING);
        Some(PreviousSecret { hash: SecretHash::from_slice(hash)?, until_ms })
    };
    entries.chunks(PREVIOUS_BYTES).map(secret).collect::<Option<Vec<_>>>().map(PreviousSecrets::from)
}
