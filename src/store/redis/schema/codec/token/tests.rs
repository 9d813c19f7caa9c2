use super::record::*;
use crate::foreign::Scheme;
use crate::model::takeover::ActiveTakeover;
use crate::model::token::{Bars, PreviousSecret, RelatedObject, Texts, Token, TokenDetails, TokenRecord};
use crate::store::error::StoreError;
use crate::token_string::{SecretHash, TokenId};
use redis::Value;
use std::sync::Arc;

fn sample() -> Token {
    let id = TokenId::parse("jE1hGDDTZBpo-Upp").unwrap();
    let hash = SecretHash::from_slice(&[7; 16]).unwrap();
    let texts = Texts::new("ålice", Some("staff"), Some("ldap"), Some("0f"));
    let issued = TokenRecord::issued(id, hash, texts, 1_800_000_000_000, 3_600, 1_800_009_000_000);
    Token {
        record: Arc::new(TokenRecord { bars: Bars::PENDING, allowed_header: false, ..issued }),
        details: Arc::new(TokenDetails {
            user_agent: "curl/8".into(),
            ip: "203.0.113.7".parse().unwrap(),
            expiration: true,
            related_objects: vec![RelatedObject { content_type: "order".into(), object_id: "7".into() }],
            origin: Some(Scheme::Knox),
        }),
        last_access_ms: 1_800_000_000_500,
        revoked: None,
    }
}

fn hgetall(fields: Vec<(&'static str, Vec<u8>)>) -> Value {
    let flat = fields.into_iter().flat_map(|(name, value)| [name.as_bytes().to_vec(), value]);
    Value::Array(flat.map(Value::BulkString).collect())
}

#[test]
fn what_is_written_reads_back() {
    let written = sample();
    let id = written.record.id;
    let score = Value::BulkString(b"-1800000000500".to_vec());
    assert_eq!(token(id, &hgetall(fields_of(&written)), &score).unwrap().unwrap(), written);
    let fields = fields_of(&written);
    let value = |name: &&str| fields.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_slice());
    let hot: Vec<_> = HOT_FIELDS.iter().map(value).collect();
    let hot = record(id, &hot).unwrap().unwrap();
    assert_eq!((&hot, hot.details.get()), (&written.record, None));
    let all: Vec<_> = HOT_FIELDS.iter().chain(&COLD_FIELDS).map(value).collect();
    let whole = record(id, &all).unwrap().unwrap();
    assert_eq!((&whole, whole.details.get()), (&written.record, Some(&written.details)));
    assert_eq!(record(id, &vec![None; all.len()]).unwrap(), None);
    assert_eq!(token(id, &Value::Array(vec![]), &Value::Nil).unwrap(), None);
}

#[test]
fn the_written_form_is_fixed() {
    let fields = fields_of(&sample());
    let names: Vec<_> = fields.iter().map(|(name, _)| *name).collect();
    assert_eq!(names.concat(), "uihxfcsdzr");
    let i = b"\x93\xcd\x0e\x10\xcf\x00\x00\x01\xa3\x18\xe5\xa4\x40\xa4ldap";
    assert_eq!(fields[1].1, i);
    assert_eq!(fields[4].1, b"27");
}

#[test]
fn what_the_scripts_write_reads_back() {
    let written = sample();
    let id = written.record.id;
    let mut fields = fields_of(&written);
    fields.push(("t", b"\x95\xaeYRgw02QaaPlKaQ\xa3bob\x05\x01\xa0".to_vec()));
    fields.push(("p", [[3; 16].as_slice(), b"1800000000000", &[4; 16], b"0000000000000"].concat()));
    let record = token(id, &hgetall(fields), &Value::Nil).unwrap().unwrap().record;
    let takeover = ActiveTakeover { id, user: "bob".into(), reason: None, created_at_ms: 1, ends_at_ms: 5 };
    assert_eq!(record.takeover.as_deref(), Some(&takeover));
    let previous =
        |byte, until_ms| PreviousSecret { hash: SecretHash::from_slice(&[byte; 16]).unwrap(), until_ms };
    assert_eq!(*record.previous, [previous(3, Some(1_800_000_000_000)), previous(4, None)]);
    for broken in ["t", "p"] {
        let mut fields = fields_of(&written);
        fields.push((broken, vec![0xff]));
        assert!(token(id, &hgetall(fields), &Value::Nil).is_err(), "{broken}");
    }
}

#[test]
fn a_corrupt_record_is_an_error_and_never_absent() {
    let written = sample();
    let id = written.record.id;
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
