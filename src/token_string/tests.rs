//! Token strings: minted, parsed, forged.

use super::format::{CHECKED_BYTES, TOKEN_STRING_BYTES, TOKEN_STRING_CHARS};
use std::sync::Arc;

use super::*;
use crate::entropy::Entropy;
use crate::model::token::TokenRecord;

fn keys(secrets: &[&str]) -> TokenKeys {
    TokenKeys::from_secrets(secrets.iter().copied()).unwrap()
}

fn minted() -> Minted {
    mint(TokenKind::Session, &keys(&["one"]), "alice", &Entropy::seeded(1)).unwrap()
}

#[test]
fn what_is_minted_parses_and_names_itself() {
    let token = minted();
    assert_eq!(token.token_string.len(), 3 + TOKEN_STRING_CHARS);
    let verified = parse(TokenKind::Session, &keys(&["one"]), token.token_string.as_bytes()).unwrap();
    assert_eq!(verified.id, token.id);
    assert_eq!(verified.secret_hash, token.hash);
    assert_eq!(TokenId::parse(&token.id.to_string()), Some(token.id));
    assert_eq!(TokenId::from_locator(token.id.hash_tag(), &token.id.locator()), Some(token.id));
    assert_eq!(token.id.hash_tag(), HashTag::of_user("alice"));
    assert!(token.token_string[3..].starts_with(&token.id.to_string()), "the id can be read off the token");
}

/// A mark stands for the string that left it, under the keys of then and for the secret of then, and for nothing
/// else.
#[test]
fn a_mark_opens_nothing_that_its_string_would_not() {
    let (one, other) = (keys(&["one"]), keys(&["other"]));
    let token = minted();
    let unverified = UnverifiedToken::decode(TokenKind::Session, token.token_string.as_bytes()).unwrap();
    let record = TokenRecord { secret_hash: token.hash, ..crate::model::token::tests::record() };
    let record = Arc::new(record);
    let is_ours = |unverified: &UnverifiedToken, keys: &TokenKeys| {
        unverified.verify_known(keys, Some(record.known_secret())).is_some()
    };
    assert!(!is_ours(&unverified, &other));
    assert_eq!(record.verified.get(), 0, "what was not verified is not kept");
    for _ in 0..2 {
        assert!(is_ours(&unverified, &one));
        assert_ne!(record.verified.get(), 0);
        for byte in 0..TOKEN_STRING_BYTES {
            let mut forged = unverified;
            match byte.checked_sub(CHECKED_BYTES) {
                Some(at) => forged.mac[at] ^= 1,
                None => forged.checked[byte] ^= 1,
            }
            assert!(!is_ours(&forged, &one), "{byte}");
        }
        assert!(!is_ours(&unverified, &other), "its key is none of ours any more");
    }
    // Another secret of the same token, as after a rotation.
    let rotated = mint_secret(TokenKind::Session, &one, token.id, &Entropy::seeded(2)).unwrap();
    let unverified = UnverifiedToken::decode(TokenKind::Session, rotated.token_string.as_bytes()).unwrap();
    let verified = unverified.verify_known(&one, Some(record.known_secret())).unwrap();
    assert!(verified.secret_hash != token.hash);
    // The record with that secret instead, changed in place: the former string goes the full way again.
    let mut changed = record;
    Arc::get_mut(&mut changed).unwrap().secret_hash = rotated.hash;
    let former = UnverifiedToken::decode(TokenKind::Session, token.token_string.as_bytes()).unwrap();
    let verified = former.verify_known(&one, Some(changed.known_secret())).unwrap();
    assert!(verified.secret_hash != rotated.hash);
}

#[test]
fn the_wire_form_is_fixed() {
    // Byte-exact: a change here would make every live token look forged.
    let token_string = b"dw_jE1hGDDTZBpo-UppJdH0sNrJSDJawY9t0yVkN2ERAvAVHXe4";
    let verified = parse(TokenKind::Session, &keys(&["one"]), token_string).unwrap();
    assert_eq!(verified.id.to_string(), "jE1hGDDTZBpo-Upp");
    assert_eq!(verified.id.hash_tag(), HashTag::of_user("alice"));
    assert_eq!(
        verified.secret_hash.as_bytes(),
        &[31, 40, 127, 138, 172, 237, 120, 81, 11, 40, 93, 154, 132, 136, 142, 158]
    );
    assert_eq!(HashTag::of_user("alice").to_string(), "8c4d");
}

#[test]
fn every_changed_character_is_refused() {
    let token_string = minted().token_string.into_bytes();
    for at in 0..token_string.len() {
        for other in [b'A', b'B', b'_', b'=', b' ', b'\n', 0, 0xff] {
            let mut forged = token_string.clone();
            if std::mem::replace(&mut forged[at], other) != other {
                assert!(parse(TokenKind::Session, &keys(&["one"]), &forged).is_none(), "{at} {other}");
            }
        }
    }
    for cut in 0..token_string.len() {
        assert!(parse(TokenKind::Session, &keys(&["one"]), &token_string[..cut]).is_none());
    }
}

#[test]
fn keys_rotate_and_kinds_do_not_mix() {
    let token_string = minted().token_string;
    assert!(parse(TokenKind::Session, &keys(&["two", "one"]), token_string.as_bytes()).is_some());
    assert!(parse(TokenKind::Session, &keys(&["two"]), token_string.as_bytes()).is_none());
    let as_device = token_string.replacen("dw_", "dwd_", 1);
    assert!(parse(TokenKind::DeviceLogin, &keys(&["one"]), as_device.as_bytes()).is_none());
}

#[test]
fn rotation_keeps_the_id_and_nothing_shows_a_secret() {
    let token = minted();
    let rotated = mint_secret(TokenKind::Session, &keys(&["one"]), token.id, &Entropy::seeded(2)).unwrap();
    assert_eq!(rotated.id, token.id);
    assert_ne!(rotated.hash, token.hash);
    let shown = format!("{token:?} {:?} {:?}", token.hash, keys(&["one"]));
    assert!(!shown.contains(&token.token_string[20..40]), "{shown}");
}
