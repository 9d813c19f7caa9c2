//! The rules of the fields, one function each: for JSON bodies, paths, queries and callers in process alike.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;

use uuid::Uuid;

/// The most bytes of a user id.
pub const USER_MAX_BYTES: usize = 256;
/// The most characters kept of a user agent; longer ones are cut.
pub const USER_AGENT_MAX_CHARS: usize = 256;
/// The most scopes of a token.
pub const MAX_SCOPES: usize = 32;
/// The longest scope.
pub const SCOPE_MAX_CHARS: usize = 64;
/// The most bytes of all scopes of a token, which are one header, with a space between two.
pub const SCOPES_MAX_BYTES: usize = 1024;
/// The most characters of an auth slug.
pub const AUTH_SLUG_MAX_CHARS: usize = 50;
/// The most bytes of a backend's name.
pub const BACKEND_MAX_BYTES: usize = 255;
/// The most related objects of a token when it is issued.
pub const MAX_RELATED_OBJECTS: usize = 16;
/// The most related objects of a token.
pub const MAX_RELATED_PER_TOKEN: usize = 100;
/// The most bytes of a related object's content type.
pub const CONTENT_TYPE_MAX_BYTES: usize = 100;
/// The most bytes of a related object's id.
pub const OBJECT_ID_MAX_BYTES: usize = 255;
/// The most characters of a takeover's reason.
pub const REASON_MAX_CHARS: usize = 500;
/// The most characters of a device key's uuid: the hex digits of a UUID.
pub const DEVICE_UUID_MAX_CHARS: usize = 32;
/// The most bytes of a device key's name.
pub const DEVICE_NAME_MAX_BYTES: usize = 255;
/// The longest idle time or lifetime a caller may ask for: ten years.
pub const MAX_AGE_SECONDS: u64 = 10 * 366 * 24 * 3600;
/// The range of idle times and lifetimes that a caller in process may ask for, in milliseconds.
pub const AGE_MS: RangeInclusive<u64> = 1..=MAX_AGE_SECONDS * 1000;

/// `Err` says what is wrong with the value.
pub type Checked = Result<(), String>;

/// Checks a user id: 1 to 256 bytes of UTF-8 without control characters, and not `-` (no user), `.` or `..`.
pub fn user(value: &str) -> Checked {
    name(value, USER_MAX_BYTES)?;
    not_a_dot_segment(value)
}

/// Checks a backend's name: 1 to 255 bytes without control characters, and not `-`.
pub fn backend(value: &str) -> Checked {
    name(value, BACKEND_MAX_BYTES)
}

/// Checks an auth slug: 1 to 50 of `[A-Za-z0-9_-]`, and not `-` alone.
pub fn auth_slug(value: &str) -> Checked {
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if value.is_empty() || value.len() > AUTH_SLUG_MAX_CHARS || !value.chars().all(legal) {
        return Err(format!("must be 1 to {AUTH_SLUG_MAX_CHARS} characters of A-Z, a-z, 0-9, _ and -"));
    }
    not_the_placeholder(value)
}

/// Checks scopes: at most 32 words of 1 to 64 characters, 1,024 bytes together with a space between two. A word is a scope
/// token of RFC 6749, section 3.3, without `%`, which headers percent-encode, and not `-` alone.
///
/// # Errors
/// The number of the first wrong word, if it is one word, and what is wrong.
pub fn scopes<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<String, (Option<usize>, String)> {
    let mut joined = String::new();
    for (at, word) in words.into_iter().enumerate() {
        if at >= MAX_SCOPES {
            return Err((None, format!("must be a list of at most {MAX_SCOPES}")));
        }
        let legal = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '%');
        if word.is_empty() || word.len() > SCOPE_MAX_CHARS || !word.chars().all(legal) {
            let rule =
                format!("must be 1 to {SCOPE_MAX_CHARS} visible ASCII characters without \", \\ and %");
            return Err((Some(at), rule));
        }
        not_the_placeholder(word).map_err(|problem| (Some(at), problem))?;
        if joined.split(' ').all(|earlier| earlier != word) {
            joined += if joined.is_empty() { "" } else { " " };
            joined += word;
        }
    }
    if joined.len() > SCOPES_MAX_BYTES {
        return Err((None, format!("must be at most {SCOPES_MAX_BYTES} bytes together")));
    }
    Ok(joined)
}

/// Cleans a user agent, which is only shown: unprintable characters become spaces, and only 256 characters are kept.
pub fn user_agent(value: &str) -> String {
    value.chars().take(USER_AGENT_MAX_CHARS).map(|c| if is_printable(c) { c } else { ' ' }).collect()
}

/// Whether a character is no control character, line break or change of text direction.
fn is_printable(c: char) -> bool {
    !c.is_control() && !matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Parses a client's address in the forms in which frameworks pass it on. A port, brackets and a zone are ignored.
///
/// # Errors
/// Says what to send instead.
pub fn ip(value: &str) -> Result<IpAddr, String> {
    let without_port = || value.parse().map(|address: SocketAddr| address.ip());
    let without_brackets = || {
        let address = value.strip_prefix('[').and_then(|value| value.strip_suffix(']')).unwrap_or(value);
        without_zone(address).parse()
    };
    let with_zone_and_port = || {
        let (address, port) = value.strip_prefix('[').and_then(|value| value.split_once("]:"))?;
        port.parse::<u16>().ok()?;
        without_zone(address).parse().ok()
    };
    let address = value.parse().or_else(|_| without_port()).or_else(|_| without_brackets());
    address.ok().or_else(with_zone_and_port).ok_or_else(|| {
        "must be one IP address, such as 203.0.113.7 or 2001:db8::1; a port, brackets and a zone are ignored".into()
    })
}

/// Removes the zone of an IPv6 address (RFC 4007, section 11).
fn without_zone(address: &str) -> &str {
    address
        .split_once('%')
        .filter(|(address, _)| address.contains(':'))
        .map_or(address, |(address, _)| address)
}

/// Checks a takeover's reason: up to 500 characters, no control characters.
pub fn reason(value: &str) -> Checked {
    if value.chars().count() > REASON_MAX_CHARS {
        return Err(format!("must be at most {REASON_MAX_CHARS} characters long"));
    }
    no_control_characters(value)
}

/// Checks the content type of a related object: 1 to 100 bytes without control characters, and neither `.` nor `..`.
pub fn content_type(value: &str) -> Checked {
    bounded(value, CONTENT_TYPE_MAX_BYTES)?;
    not_a_dot_segment(value)
}

/// Checks the id of a related object: 1 to 255 bytes without control characters, and neither `.` nor `..`.
pub fn object_id(value: &str) -> Checked {
    bounded(value, OBJECT_ID_MAX_BYTES)?;
    not_a_dot_segment(value)
}

/// Normalises a device key's uuid: 1 to 32 characters, no control characters, and none of `-`, `.` and `..`. A UUID in any
/// of its forms (RFC 9562, section 4: dashed, in braces, as a URN, in upper case) becomes its 32 hex digits in lower case,
/// like Python's `UUID.hex`.
///
/// # Errors
/// Says what is wrong with the value.
pub fn device_uuid(value: &str) -> Result<String, String> {
    // The crate reads digits of either case, but only a lower-case `urn:uuid:`. RFC 8141 ignores its case.
    if let Ok(uuid) = Uuid::try_parse_ascii(value.to_ascii_lowercase().as_bytes()) {
        return Ok(uuid.simple().to_string());
    }
    let length = value.chars().count();
    if length == 0 || length > DEVICE_UUID_MAX_CHARS {
        return Err(format!("must be a UUID, or 1 to {DEVICE_UUID_MAX_CHARS} characters long"));
    }
    no_control_characters(value)?;
    not_a_dot_segment(value)?;
    not_the_placeholder(value).map(|()| value.to_owned())
}

/// Checks an idle time or a lifetime in milliseconds: up to ten years.
pub fn age_ms(value: u64) -> Checked {
    let (least, most) = (AGE_MS.start(), AGE_MS.end());
    if AGE_MS.contains(&value) { Ok(()) } else { Err(format!("must be from {least} to {most} milliseconds")) }
}

/// Checks a device key's name: up to 255 bytes, no control characters. An empty name is no name.
pub fn device_name(value: &str) -> Checked {
    if value.len() > DEVICE_NAME_MAX_BYTES {
        return Err(format!("must be at most {DEVICE_NAME_MAX_BYTES} bytes long"));
    }
    no_control_characters(value)
}

fn name(value: &str, max_bytes: usize) -> Checked {
    bounded(value, max_bytes)?;
    not_the_placeholder(value)
}

fn bounded(value: &str, max_bytes: usize) -> Checked {
    if value.is_empty() || value.len() > max_bytes {
        return Err(format!("must be 1 to {max_bytes} bytes long"));
    }
    no_control_characters(value)
}

fn not_the_placeholder(value: &str) -> Checked {
    if value == "-" { Err("must not be \"-\", which stands for none".into()) } else { Ok(()) }
}

/// Whether a value is `.` or `..` (RFC 3986, section 3.3).
pub fn is_dot_segment(value: &str) -> bool {
    matches!(value, "." | "..")
}

/// HTTP clients resolve dot segments before they send a path: `/v1/users/../tokens` would be another call.
fn not_a_dot_segment(value: &str) -> Checked {
    if is_dot_segment(value) {
        return Err("must be neither \".\" nor \"..\", which clients take out of a path".into());
    }
    Ok(())
}

fn no_control_characters(value: &str) -> Checked {
    if value.chars().any(char::is_control) { Err("must have no control characters".into()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bounds_of_each_field() {
        assert!(user(&"é".repeat(128)).is_ok());
        for bad in ["", "-", "a\nb", "a\u{7f}", "a\u{85}", &"é".repeat(129)] {
            assert!(user(bad).is_err(), "{bad:?}");
            assert!(backend(bad).is_err(), "{bad:?}");
        }
        for bad in ["", "-", "a b", "ü", &"a".repeat(51)] {
            assert!(auth_slug(bad).is_err(), "{bad:?}");
        }
        assert!(auth_slug(&"_-a9Z".repeat(10)).is_ok());
        assert!(object_id("-").is_ok());
        assert!(device_name(&"é".repeat(127)).is_ok() && device_name("").is_ok());
        assert!(device_name(&"é".repeat(128)).is_err() && device_name("a\tb").is_err());
        for dots in [".", ".."] {
            assert!(user(dots).is_err() && content_type(dots).is_err() && object_id(dots).is_err());
            assert!(device_uuid(dots).is_err() && backend(dots).is_ok());
        }
        assert!(user("...").is_ok() && user(".a").is_ok() && object_id("../x").is_ok());
        assert!(age_ms(0).is_err() && age_ms(1).is_ok() && age_ms(u64::MAX).is_err());
    }

    #[test]
    fn a_user_agent_is_cleaned_and_cut() {
        assert_eq!(user_agent(&"é".repeat(300)), "é".repeat(256));
        assert_eq!(user_agent("short"), "short");
        assert_eq!(user_agent("a\tb\u{7f}c\u{85}d\ne\u{202e}f\0g ü"), "a b c d e f g ü");
    }

    #[test]
    fn an_address_is_read_in_the_forms_of_frameworks() {
        for (text, address) in [
            ("203.0.113.7", "203.0.113.7"),
            ("203.0.113.7:4711", "203.0.113.7"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            ("fe80::1%eth0", "fe80::1"),
            ("[fe80::1%25eth0]", "fe80::1"),
            ("[fe80::1%eth0]:80", "fe80::1"),
            ("[fe80::1%3]:80", "fe80::1"),
        ] {
            assert_eq!(ip(text).map(|address| address.to_string()).as_deref(), Ok(address), "{text}");
        }
        for bad in
            ["", "localhost", "1.2.3.4, 5.6.7.8", " 1.2.3.4", "1.2.3", "1.2.3.4:x", "::1]", "1.2.3.4%a"]
        {
            assert!(ip(bad).unwrap_err().contains("203.0.113.7"), "{bad}");
        }
    }

    #[test]
    fn a_uuid_has_one_form() {
        let hex = "0123456789abcdef0123456789abcdef";
        let dashed = "01234567-89AB-cdef-0123-456789ABCDEF";
        for form in [
            hex,
            &hex.to_uppercase(),
            dashed,
            &format!("{{{dashed}}}"),
            &format!("urn:uuid:{dashed}"),
            &format!("URN:UUID:{}", dashed.to_uppercase()),
        ] {
            assert_eq!(device_uuid(form).as_deref(), Ok(hex), "{form}");
        }
        for as_it_is in ["01234567-89ab-cdef-0123-456789ab", "a", "Phone", "--", "Ä-b c", &"é".repeat(32)] {
            assert_eq!(device_uuid(as_it_is).as_deref(), Ok(as_it_is));
        }
        let groups_wrong = "0123456-789ab-cdef-0123-456789abcdef";
        for bad in ["", "-", "a\nb", &"é".repeat(33), groups_wrong, "g1234567-89ab-cdef-0123-456789abcdef"] {
            assert!(device_uuid(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn scopes_are_words_and_each_counts_once() {
        assert_eq!(scopes(["read", "orders:write", "read"]), Ok("read orders:write".into()));
        assert_eq!(scopes([]), Ok(String::new()));
        for bad in ["", "a b", "-", "é", "a\"", "\\", "50%", "\n", &"x".repeat(65)] {
            assert_eq!(scopes(["ok", bad]).unwrap_err().0, Some(1), "{bad:?}");
        }
        let many: Vec<_> = (0..33).map(|n| n.to_string()).collect();
        assert!(scopes(many[..32].iter().map(String::as_str)).is_ok());
        assert_eq!(scopes(many.iter().map(String::as_str)).unwrap_err().0, None);
        let long: Vec<_> = (0..16).map(|n| format!("{n:064}")).collect();
        assert_eq!(scopes(long.iter().map(String::as_str)).unwrap_err().0, None);
    }
}
