//! The reader of Redis' answers agrees with the parser of the redis crate.

use doorward::internals::store::redis::lookup::resp::{
    MAX_REPLY_BYTES, ParsedReply, RespReply, read_array, read_done, read_text, read_value,
};
use redis::Value;

/// Checks the bytes as the answer to each kind of look-up.
pub fn check(bytes: &[u8]) {
    check_array::<1>(bytes);
    check_array::<3>(bytes);
    check_array::<12>(bytes);
    let value = |answer: RespReply<Option<&[u8]>>| fine(answer).map(bulk);
    agree(bytes, read_value, value, |expected| matches!(expected, Value::BulkString(_) | Value::Nil));
    never_panics(bytes, read_text(bytes));
    never_panics(bytes, read_done(bytes));
}

fn check_array<const N: usize>(bytes: &[u8]) {
    let value = |answer: RespReply<[Option<&[u8]>; N]>| {
        fine(answer).map(|items| Value::Array(items.into_iter().map(bulk).collect()))
    };
    agree(bytes, read_array::<N>, value, |expected| match expected {
        Value::Array(items) => {
            let is_bulk = |item: &Value| matches!(item, Value::BulkString(_) | Value::Nil);
            items.len() == N && items.iter().all(is_bulk)
        }
        _ => false,
    });
}

/// Both parsers read the same value; the own one may refuse what is `not expected` of a look-up.
fn agree<'a, T>(
    bytes: &'a [u8],
    read: impl Fn(&'a [u8]) -> ParsedReply<RespReply<T>>,
    value: impl Fn(RespReply<T>) -> Option<Value>,
    is_expected: impl Fn(&Value) -> bool,
) {
    let reference = redis::parse_redis_value(bytes).ok();
    match read(bytes) {
        ParsedReply::Complete(answer, length) => {
            let whole = redis::parse_redis_value(&bytes[..length]);
            match value(answer) {
                Some(value) => assert_eq!(whole, Ok(value)),
                // The crate refuses an error that is not UTF-8.
                None => assert!(matches!(whole, Ok(Value::ServerError(_)) | Err(_)), "{whole:?}"),
            }
            for end in [0, length / 2, length - 1] {
                assert!(matches!(read(&bytes[..end]), ParsedReply::Incomplete), "{end} of {length}");
            }
        }
        ParsedReply::Incomplete => assert!(bytes.len() <= MAX_REPLY_BYTES && reference.is_none()),
        ParsedReply::Malformed => {
            let is_canonical = |value: &Value| bytes.starts_with(&written(value));
            assert!(!reference.is_some_and(|value| is_expected(&value) && is_canonical(&value)));
        }
    }
}

fn never_panics<T>(bytes: &[u8], read: ParsedReply<T>) {
    match read {
        ParsedReply::Complete(_, length) => assert!(length <= bytes.len()),
        ParsedReply::Incomplete => assert!(bytes.len() <= MAX_REPLY_BYTES),
        ParsedReply::Malformed => {}
    }
}

fn fine<T>(answer: RespReply<T>) -> Option<T> {
    match answer {
        RespReply::Value(value) => Some(value),
        RespReply::Error(_) => None,
    }
}

fn bulk(value: Option<&[u8]>) -> Value {
    value.map_or(Value::Nil, |value| Value::BulkString(value.to_vec()))
}

/// The one form in which Redis writes an expected value.
fn written(value: &Value) -> Vec<u8> {
    match value {
        Value::Nil => b"$-1\r\n".to_vec(),
        Value::BulkString(bytes) => [format!("${}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat(),
        Value::Array(items) => {
            let length = format!("*{}\r\n", items.len()).into_bytes();
            [length].into_iter().chain(items.iter().map(written)).flatten().collect()
        }
        _ => Vec::new(),
    }
}
