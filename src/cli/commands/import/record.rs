//! One line of an export, as a record of the call.

use ring::hmac;
use serde_json::{Map, Value};

use super::args::Format;
use crate::foreign::Scheme;
use crate::foreign::exported::digest_with_key;
use crate::server::admin::input::strict_json::{self, ParsedJson};

/// Makes the record of a line, with the fields of the call.
///
/// # Errors
/// Says what is wrong with the line, without a value of it.
pub(super) fn record(line: &[u8], format: &Format) -> Result<Value, String> {
    let record = object(line)?;
    match format {
        Format::Tokens(scheme, key) => token_record(record, *scheme, key.as_ref()),
        Format::Devices => Ok(record.into()),
    }
}

/// Reads a JSON object as the server does: a repeated name is refused, and a user agent need not be Unicode.
fn object(line: &[u8]) -> Result<Map<String, Value>, String> {
    match strict_json::parse(line) {
        Ok(ParsedJson { value: Value::Object(record), repeated }) => match repeated.first() {
            Some(path) => Err(format!("{path}: must be given once")),
            None => Ok(record),
        },
        _ if str::from_utf8(line).is_err() => Err("is not UTF-8".into()),
        _ => Err("is not a JSON object".into()),
    }
}

/// Replaces a plaintext token by its digest, so that it is never sent.
fn token_record(
    mut record: Map<String, Value>,
    scheme: Scheme,
    key: Option<&hmac::Key>,
) -> Result<Value, String> {
    match record.insert("scheme".into(), scheme.name().into()) {
        None => {}
        Some(Value::String(name)) if name == scheme.name() => {}
        Some(_) => return Err(format!("scheme: is not {}", scheme.name())),
    }
    match record.remove("token") {
        None | Some(Value::Null) => {}
        Some(_) if record.get("digest").is_some_and(|digest| !digest.is_null()) => {
            return Err("token: must not be given beside digest".into());
        }
        Some(Value::String(token)) => {
            let digest =
                digest_with_key(scheme, &token, key).map_err(|problem| format!("token: {problem}"))?;
            let digest = digest.ok_or("token: needs the secret of the system: see --secret-file")?;
            let hex: String = digest.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
            record.insert("digest".into(), hex.into());
        }
        Some(_) => return Err("token: must be a string".into()),
    }
    Ok(record.into())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::foreign::scheme::django_auth_token_key;

    fn read(line: &str, scheme: Scheme) -> Result<Value, String> {
        record(line.as_bytes(), &Format::Tokens(scheme, None))
    }

    #[test]
    fn a_plaintext_token_is_hashed() {
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let expected = json!({"scheme": "sanctum", "user": "u", "digest": abc});
        assert_eq!(read(r#"{"token": "7|abc", "user": "u"}"#, Scheme::Sanctum), Ok(expected.clone()));
        let given = format!(r#"{{"scheme": "sanctum", "digest": "{abc}", "user": "u", "token": null}}"#);
        assert_eq!(read(&given, Scheme::Sanctum), Ok(expected));
        let key = django_auth_token_key(b"s3cret");
        let hashed =
            record(br#"{"token": "abc"}"#, &Format::Tokens(Scheme::DjangoAuthToken, Some(key))).unwrap();
        assert_eq!(hashed["digest"], "516efe03f9441424de9a50bfe2bebd7283fd930c00f8a4c89dd9e28b494f8ed2");
    }

    #[test]
    fn the_line_of_a_device_key_is_its_record() {
        let line = r#"{"user": "u", "uuid": "phone", "hash": "x"}"#;
        let expected = json!({"user": "u", "uuid": "phone", "hash": "x"});
        assert_eq!(record(line.as_bytes(), &Format::Devices), Ok(expected));
        assert_eq!(record(b"7", &Format::Devices), Err("is not a JSON object".into()));
    }

    /// PowerShell writes UTF-16 with `>`.
    #[test]
    fn a_line_of_another_encoding_is_named() {
        let line: Vec<u8> = "\u{feff}{}".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let format = Format::Tokens(Scheme::Drf, None);
        assert_eq!(record(&line, &format), Err("is not UTF-8".into()));
        let lossy = record(b"{\"user\": \"u\", \"user_agent\": \"\xff\"}", &format).unwrap();
        assert_eq!(lossy["user_agent"], "\u{fffd}");
    }

    #[test]
    fn a_wrong_line_is_named_without_its_values() {
        for (line, expected) in [
            ("", "is not a JSON object"),
            ("[1]", "is not a JSON object"),
            (r#"{"user": "a", "user": "b"}"#, "user: must be given once"),
            (r#"{"scheme": "knox"}"#, "scheme: is not drf"),
            (r#"{"token": 7}"#, "token: must be a string"),
            (r#"{"token": "hunter2 "}"#, "token: must be 1 to 512 visible ASCII characters"),
            (r#"{"token": "hunter2", "digest": "x"}"#, "token: must not be given beside digest"),
        ] {
            assert_eq!(read(line, Scheme::Drf).unwrap_err(), expected, "{line}");
        }
        let problem = read(r#"{"token": "hunter2"}"#, Scheme::DjangoAuthToken).unwrap_err();
        assert!(problem.contains("--secret-file") && !problem.contains("hunter2"), "{problem}");
    }
}
