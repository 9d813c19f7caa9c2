//! Minted token strings parse and changed ones do not.

use doorward::internals::token_string::{
    HashTag, TokenId, TokenKeys, TokenKind, UnverifiedToken, mint, parse,
};
use doorward::system::Entropy;

/// Checks the bytes as a token string, and a token string minted and changed as they say.
pub fn check(bytes: &[u8]) {
    let keys = keys("one");
    for kind in [TokenKind::Session, TokenKind::DeviceLogin] {
        let verified = parse(kind, &keys, bytes);
        let Some(unverified) = UnverifiedToken::decode(kind, bytes) else {
            assert!(verified.is_none());
            continue;
        };
        let id = unverified.id().to_string();
        assert!(bytes[kind.prefix().len()..].starts_with(id.as_bytes()), "a string has one reading");
        assert_eq!(unverified.verify(&keys).is_some(), verified.is_some());
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        assert!(TokenId::parse(text).is_none_or(|id| id.to_string() == text));
        assert!(HashTag::parse(text).is_none_or(|tag| tag.to_string() == text.to_ascii_lowercase()));
    }
    if let Some((&[at, byte, kind, ref seed @ ..], user)) = bytes.split_first_chunk::<11>() {
        let kind = if kind % 2 == 0 { TokenKind::Session } else { TokenKind::DeviceLogin };
        minted(kind, u64::from_le_bytes(*seed), &String::from_utf8_lossy(user), at.into(), byte);
    }
}

/// Mints a token string for the user, then changes its byte at a place.
fn minted(kind: TokenKind, seed: u64, user: &str, at: usize, byte: u8) {
    let keys = keys("one");
    let token = mint(kind, &keys, user, &Entropy::seeded(seed)).unwrap();
    let mut string = token.token_string.into_bytes();
    let verified = parse(kind, &keys, &string).unwrap();
    assert_eq!((verified.id, verified.secret_hash), (token.id, token.hash));
    assert_eq!(TokenId::parse(&token.id.to_string()), Some(token.id));
    assert_eq!(TokenId::from_locator(token.id.hash_tag(), &token.id.locator()), Some(token.id));
    assert_eq!(token.id.hash_tag(), HashTag::of_user(user));

    let other_kind = if kind == TokenKind::Session { TokenKind::DeviceLogin } else { TokenKind::Session };
    let as_other_kind = [other_kind.prefix().as_bytes(), &string[kind.prefix().len()..]].concat();
    assert!(parse(other_kind, &keys, &as_other_kind).is_none());
    assert!(parse(kind, &self::keys("other"), &string).is_none());
    let at = at % string.len();
    assert!(parse(kind, &keys, &string[..at]).is_none());
    if std::mem::replace(&mut string[at], byte) != byte {
        assert!(parse(kind, &keys, &string).is_none());
    }
}

fn keys(secret: &str) -> TokenKeys {
    TokenKeys::from_secrets([secret]).unwrap()
}
