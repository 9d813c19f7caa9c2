//! A token as the fields of its hash. Field names are one letter and numbers are packed, because each byte is
//! there once per session; what validation reads comes first, because a small hash is searched from its start.
//!
//! | field | what | form |
//! |---|---|---|
//! | `u` | user | text |
//! | `i` | what never changes and validation needs: idle_ms, ends_at_ms, backend | MessagePack |
//! | `h` | hash of the secret | 16 bytes |
//! | `x` | expires_at_ms | decimal |
//! | `f` | flags: 1 active, 2 cookie allowed, 4 header allowed, 8 expiration, 16 second factor still to be shown | decimal |
//! | `s` | auth slug, when there is one | text |
//! | `d` | uuid of the device key that logged it in, when there is one | text |
//! | `t` | the takeover under way, when there is one: its locator, the user, its hard end, its beginning, the reason or '' | MessagePack |
//! | `p` | secrets before the last rotations, oldest first: hash and deadline (ms) of each | 16 bytes and 13 digits each |
//! | `c` | created_at_ms | decimal |
//! | `z` | what never changes and validation does not need: address, user agent | MessagePack |
//! | `r` | related objects, when there are any | MessagePack |
//! | `e` | ended_at_ms, once ended | decimal |

use std::net::IpAddr;
use std::sync::Arc;

use redis::Value;
use serde::{Deserialize, Serialize};

use super::{bytes, corrupt, decimal, number, pack, text, unpack};
use crate::secret::{SecretHash, TokenId};
use crate::store::StoreError;
use crate::takeover::ActiveTakeover;
use crate::token::{
    AccessMark, Credential, Details, DetailsOnce, PreviousSecret, RelatedObject, ShownOnce, Texts, Token,
    TokenChange, VerifiedTag,
};

/// The fields that make a [`Credential`].
pub const HOT_FIELDS: [&str; 9] = ["u", "i", "h", "x", "f", "s", "d", "t", "p"];
/// The fields that make [`Details`], with the flags.
pub const COLD_FIELDS: [&str; 3] = ["c", "z", "r"];

const ACTIVE: u32 = 1;
const ALLOWED_COOKIE: u32 = 2;
const ALLOWED_HEADER: u32 = 4;
const EXPIRATION: u32 = 8;
const PENDING: u32 = 16;

const HASH_BYTES: usize = 16;
/// Field `p`: a hash and a deadline.
const PREVIOUS_BYTES: usize = HASH_BYTES + 13;

/// Field `i`.
#[derive(Serialize, Deserialize)]
struct Immutable<'a> {
    idle_ms: u64,
    ends_at_ms: u64,
    backend: Option<&'a str>,
}

/// Field `z`.
#[derive(Serialize, Deserialize)]
struct Cold<'a> {
    ip: IpAddr,
    user_agent: &'a str,
}

/// All fields of a new token: one without a takeover and previous secrets.
pub fn fields_of(token: &Token) -> Vec<(&'static str, Vec<u8>)> {
    let credential = &token.credential;
    let immutable = Immutable {
        idle_ms: credential.idle_ms,
        ends_at_ms: credential.ends_at_ms,
        backend: credential.backend(),
    };
    let mut fields = vec![
        ("u", credential.user().into()),
        ("i", pack(&immutable)),
        ("h", credential.secret_hash.as_bytes().to_vec()),
        ("x", decimal(credential.expires_at_ms)),
        ("f", decimal(flags_of(token).into())),
    ];
    if let Some(slug) = credential.auth_slug() {
        fields.push(("s", slug.into()));
    }
    if let Some(device) = credential.device() {
        fields.push(("d", device.into()));
    }
    fields.push(("c", decimal(token.created_at_ms)));
    fields.push(("z", pack(&Cold { ip: token.ip, user_agent: &token.user_agent })));
    if !token.related_objects.is_empty() {
        let pairs: Vec<_> =
            token.related_objects.iter().map(|o| (o.content_type.as_str(), o.object_id.as_str())).collect();
        fields.push(("r", pack(&pairs)));
    }
    fields
}

/// An edit as change.lua takes it: flags to clear, flags to set, the slug's operation.
pub fn edit_args(change: &TokenChange) -> (u32, u32, String) {
    let (mut clear, mut set) = (0, 0);
    for (flag, wanted) in [(ALLOWED_COOKIE, change.allowed_cookie), (ALLOWED_HEADER, change.allowed_header)] {
        match wanted {
            Some(true) => set |= flag,
            Some(false) => clear |= flag,
            None => {}
        }
    }
    let slug = match &change.auth_slug {
        None => String::new(),
        Some(None) => "-".into(),
        Some(Some(slug)) => format!("={slug}"),
    };
    (clear, set, slug)
}

/// A credential from the values of [`HOT_FIELDS`]; with its details when those of [`COLD_FIELDS`] follow them.
/// `None` when there is no such key.
///
/// # Errors
/// `Corrupt`.
pub fn credential(id: TokenId, values: &[Option<&[u8]>]) -> Result<Option<Arc<Credential>>, StoreError> {
    let hot_and_cold = values.split_first_chunk::<{ HOT_FIELDS.len() }>();
    let Some((&[u, i, h, x, f, s, d, t, p], cold)) = hot_and_cold else { return Err(corrupt(id, "answer")) };
    if values.iter().all(Option::is_none) {
        return Ok(None);
    }
    let mut fields = Fields { u, i, h, x, f, s, d, t, p, ..Fields::default() };
    let (mut credential, flags) = fields.credential(id)?;
    if let &[c, z, r] = cold {
        (fields.c, fields.z, fields.r) = (c, z, r);
        credential.details = Arc::new(fields.details(id, flags)?).into();
    }
    Ok(Some(Arc::new(credential)))
}

/// A token from the answer to `HGETALL` and the score of its last access; `None` when there is no such key.
///
/// # Errors
/// `Corrupt`.
pub fn token(id: TokenId, all: &Value, last_access: &Value) -> Result<Option<Token>, StoreError> {
    let fields = Fields::from_all(all).ok_or_else(|| corrupt(id, "answer"))?;
    let Some(fields) = fields else { return Ok(None) };
    let (credential, flags) = fields.credential(id)?;
    let Details { created_at_ms, user_agent, ip, expiration, related_objects } = fields.details(id, flags)?;
    let ended_at_ms = match fields.e {
        None => None,
        Some(_) => Some(number(fields.e).ok_or_else(|| corrupt(id, "e"))?),
    };
    if ended_at_ms.is_none() != credential.is_active {
        return Err(corrupt(id, "e"));
    }
    Ok(Some(Token {
        credential: Arc::new(credential),
        created_at_ms,
        // A missing entry costs the last access only, which is at least the time of issue.
        last_access_ms: last_access_ms(last_access).unwrap_or(created_at_ms),
        ended_at_ms,
        user_agent: user_agent.into(),
        ip,
        expiration,
        related_objects: related_objects.into(),
    }))
}

/// The last access that the answer to `ZSCORE` tells.
pub fn last_access_ms(score: &Value) -> Option<u64> {
    bytes(score).and_then(score_ms)
}

/// The time that the score of an `@` member stands for.
pub fn score_ms(score: &[u8]) -> Option<u64> {
    let score: f64 = std::str::from_utf8(score).ok()?.parse().ok()?;
    // Milliseconds since 1970 are exact in a double for the next 285,000 years.
    (score <= 0.0 && score.is_finite()).then(|| (-score) as u64)
}

/// The fields as they came, by their letters.
#[derive(Default)]
struct Fields<'a> {
    u: Option<&'a [u8]>,
    i: Option<&'a [u8]>,
    h: Option<&'a [u8]>,
    x: Option<&'a [u8]>,
    f: Option<&'a [u8]>,
    s: Option<&'a [u8]>,
    d: Option<&'a [u8]>,
    t: Option<&'a [u8]>,
    p: Option<&'a [u8]>,
    c: Option<&'a [u8]>,
    z: Option<&'a [u8]>,
    r: Option<&'a [u8]>,
    e: Option<&'a [u8]>,
}

impl<'a> Fields<'a> {
    /// `Some(None)` when the hash is empty: no such key. `None` when this is no answer to `HGETALL`.
    fn from_all(all: &'a Value) -> Option<Option<Self>> {
        let mut fields = Self::default();
        let mut any = false;
        let mut put = |name: &Value, value: &'a Value| {
            any = true;
            let slot = match bytes(name) {
                Some(b"u") => &mut fields.u,
                Some(b"i") => &mut fields.i,
                Some(b"h") => &mut fields.h,
                Some(b"x") => &mut fields.x,
                Some(b"f") => &mut fields.f,
                Some(b"s") => &mut fields.s,
                Some(b"d") => &mut fields.d,
                Some(b"t") => &mut fields.t,
                Some(b"p") => &mut fields.p,
                Some(b"c") => &mut fields.c,
                Some(b"z") => &mut fields.z,
                Some(b"r") => &mut fields.r,
                Some(b"e") => &mut fields.e,
                _ => return, // a later version's
            };
            *slot = bytes(value);
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

    fn credential(&self, id: TokenId) -> Result<(Credential, u32), StoreError> {
        let immutable: Immutable<'_> = unpack(self.i).ok_or_else(|| corrupt(id, "i"))?;
        let flags = number(self.f).and_then(|f| u32::try_from(f).ok()).ok_or_else(|| corrupt(id, "f"))?;
        let optional_text = |field: Option<&'a [u8]>, name| match field {
            None => Ok(None),
            Some(_) => text(field).map(Some).ok_or_else(|| corrupt(id, name)),
        };
        let credential = Credential {
            id,
            verified_tag: VerifiedTag::default(),
            secret_hash: self.h.and_then(SecretHash::from_slice).ok_or_else(|| corrupt(id, "h"))?,
            previous: previous_secrets(self.p).ok_or_else(|| corrupt(id, "p"))?,
            texts: Texts::new(
                text(self.u).ok_or_else(|| corrupt(id, "u"))?,
                optional_text(self.s, "s")?,
                immutable.backend,
                optional_text(self.d, "d")?,
            ),
            takeover: self.takeover(id)?.map(Box::new),
            is_active: flags & ACTIVE != 0,
            is_authenticated: flags & PENDING == 0,
            allowed_cookie: flags & ALLOWED_COOKIE != 0,
            allowed_header: flags & ALLOWED_HEADER != 0,
            expires_at_ms: number(self.x).ok_or_else(|| corrupt(id, "x"))?,
            idle_ms: immutable.idle_ms,
            ends_at_ms: immutable.ends_at_ms,
            accesses: AccessMark::default(),
            details: DetailsOnce::default(),
            shown: ShownOnce::default(),
        };
        Ok((credential, flags))
    }

    fn takeover(&self, id: TokenId) -> Result<Option<ActiveTakeover>, StoreError> {
        if self.t.is_none() {
            return Ok(None);
        }
        let broken = || corrupt(id, "t");
        let (locator, user, ends_at_ms, created_at_ms, reason): (&str, String, u64, u64, String) =
            unpack(self.t).ok_or_else(broken)?;
        let takeover_id = TokenId::from_locator(id.shard_tag(), locator).ok_or_else(broken)?;
        let reason = Some(reason).filter(|reason| !reason.is_empty());
        Ok(Some(ActiveTakeover { id: takeover_id, user, reason, created_at_ms, ends_at_ms }))
    }

    fn details(&self, id: TokenId, flags: u32) -> Result<Details, StoreError> {
        let cold: Cold<'_> = unpack(self.z).ok_or_else(|| corrupt(id, "z"))?;
        let related: Vec<(String, String)> = match self.r {
            None => Vec::new(),
            Some(_) => unpack(self.r).ok_or_else(|| corrupt(id, "r"))?,
        };
        Ok(Details {
            created_at_ms: number(self.c).ok_or_else(|| corrupt(id, "c"))?,
            user_agent: cold.user_agent.into(),
            ip: cold.ip,
            expiration: flags & EXPIRATION != 0,
            related_objects: related
                .into_iter()
                .map(|(content_type, object_id)| RelatedObject { content_type, object_id })
                .collect(),
        })
    }
}

fn previous_secrets(field: Option<&[u8]>) -> Option<Box<[PreviousSecret]>> {
    let Some(entries) = field else { return Some(Box::default()) };
    if entries.len() % PREVIOUS_BYTES != 0 {
        return None;
    }
    let secret = |entry: &[u8]| {
        let (hash, until) = entry.split_at(HASH_BYTES);
        Some(PreviousSecret { hash: SecretHash::from_slice(hash)?, until_ms: number(Some(until))? })
    };
    entries.chunks(PREVIOUS_BYTES).map(secret).collect()
}

fn flags_of(token: &Token) -> u32 {
    let credential = &token.credential;
    [
        (ACTIVE, credential.is_active),
        (ALLOWED_COOKIE, credential.allowed_cookie),
        (ALLOWED_HEADER, credential.allowed_header),
        (EXPIRATION, token.expiration),
        (PENDING, !credential.is_authenticated),
    ]
    .into_iter()
    .filter_map(|(flag, set)| set.then_some(flag))
    .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Token {
        Token {
            credential: Arc::new(Credential {
                id: TokenId::parse("jE1hGDDTZBpo-Upp").unwrap(),
                secret_hash: SecretHash::from_slice(&[7; 16]).unwrap(),
                texts: Texts::new("ålice", Some("staff"), Some("ldap"), Some("0f")),
                verified_tag: VerifiedTag::default(),
                takeover: None,
                previous: Box::default(),
                is_active: true,
                is_authenticated: false,
                allowed_cookie: true,
                allowed_header: false,
                expires_at_ms: 1_800_000_003_600,
                idle_ms: 3_600,
                ends_at_ms: 1_800_009_000_000,
                accesses: AccessMark::default(),
                details: DetailsOnce::default(),
                shown: ShownOnce::default(),
            }),
            created_at_ms: 1_800_000_000_000,
            last_access_ms: 1_800_000_000_500,
            ended_at_ms: None,
            user_agent: "curl/8".into(),
            ip: "203.0.113.7".parse().unwrap(),
            expiration: true,
            related_objects: vec![RelatedObject { content_type: "order".into(), object_id: "7".into() }],
        }
    }

    fn hgetall(fields: Vec<(&'static str, Vec<u8>)>) -> Value {
        let flat = fields.into_iter().flat_map(|(name, value)| [name.as_bytes().to_vec(), value]);
        Value::Array(flat.map(Value::BulkString).collect())
    }

    #[test]
    fn what_is_written_reads_back() {
        let written = sample();
        let id = written.credential.id;
        let score = Value::BulkString(b"-1800000000500".to_vec());
        assert_eq!(token(id, &hgetall(fields_of(&written)), &score).unwrap().unwrap(), written);
        let fields = fields_of(&written);
        let value = |name: &&str| fields.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_slice());
        let hot: Vec<_> = HOT_FIELDS.iter().map(value).collect();
        let hot = credential(id, &hot).unwrap().unwrap();
        assert_eq!((&hot, hot.details.get()), (&written.credential, None));
        let all: Vec<_> = HOT_FIELDS.iter().chain(&COLD_FIELDS).map(value).collect();
        let whole = credential(id, &all).unwrap().unwrap();
        let details = whole.details.get().unwrap();
        assert_eq!((&whole, &*details.user_agent), (&written.credential, "curl/8"));
        assert_eq!(*details.related_objects, written.related_objects);
        assert_eq!(credential(id, &vec![None; all.len()]).unwrap(), None);
        assert_eq!(token(id, &Value::Array(vec![]), &Value::Nil).unwrap(), None);
    }

    #[test]
    fn the_written_form_is_fixed() {
        let fields = fields_of(&sample());
        let names: Vec<_> = fields.iter().map(|(name, _)| *name).collect();
        assert_eq!(names.concat(), "uihxfsdczr");
        let i = b"\x93\xcd\x0e\x10\xcf\x00\x00\x01\xa3\x18\xe5\xa4\x40\xa4ldap";
        assert_eq!(fields[1].1, i);
        assert_eq!(fields[4].1, b"27");
    }

    #[test]
    fn what_the_scripts_write_reads_back() {
        let written = sample();
        let id = written.credential.id;
        let mut fields = fields_of(&written);
        fields.push(("t", b"\x95\xaeYRgw02QaaPlKaQ\xa3bob\x05\x01\xa0".to_vec()));
        fields.push(("p", [[3; 16].as_slice(), b"1800000000000", &[4; 16], b"1800000000001"].concat()));
        let credential = token(id, &hgetall(fields), &Value::Nil).unwrap().unwrap().credential;
        let takeover =
            ActiveTakeover { id, user: "bob".into(), reason: None, created_at_ms: 1, ends_at_ms: 5 };
        assert_eq!(credential.takeover.as_deref(), Some(&takeover));
        let previous =
            |byte, until_ms| PreviousSecret { hash: SecretHash::from_slice(&[byte; 16]).unwrap(), until_ms };
        assert_eq!(*credential.previous, [previous(3, 1_800_000_000_000), previous(4, 1_800_000_000_001)]);
        for broken in ["t", "p"] {
            let mut fields = fields_of(&written);
            fields.push((broken, vec![0xff]));
            assert!(token(id, &hgetall(fields), &Value::Nil).is_err(), "{broken}");
        }
    }

    #[test]
    fn a_corrupt_record_is_an_error_and_never_absent() {
        let written = sample();
        let id = written.credential.id;
        for broken in ["u", "i", "h", "x", "f", "d", "c", "z", "r"] {
            let mut fields = fields_of(&written);
            for (name, value) in &mut fields {
                if *name == broken {
                    *value = vec![0xff];
                }
            }
            let error = token(id, &hgetall(fields), &Value::Nil).unwrap_err();
            assert!(matches!(error, StoreError::Corrupt { .. }), "{broken}: {error}");
            let fields = fields_of(&written).into_iter().filter(|(name, _)| *name != broken).collect();
            if !["d", "r"].contains(&broken) {
                assert!(token(id, &hgetall(fields), &Value::Nil).is_err(), "without {broken}");
            }
        }
    }
}
