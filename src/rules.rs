//! What each field may be, one rule per field: for JSON bodies, paths and queries alike.

/// The most bytes of a user id.
pub const USER_MAX_BYTES: usize = 256;
/// The most characters kept of a user agent; longer ones are cut.
pub const USER_AGENT_MAX_CHARS: usize = 256;
/// The most characters of an auth slug.
pub const AUTH_SLUG_MAX_CHARS: usize = 50;
/// The most bytes of a backend's name.
pub const BACKEND_MAX_BYTES: usize = 255;
/// The most related objects of a token at its issue.
pub const MAX_RELATED_OBJECTS: usize = 16;
/// The most related objects that a token may come to have.
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

/// What is wrong with a value; `Ok` when nothing is.
pub type Checked = Result<(), String>;

/// A user id: 1 to 256 bytes of UTF-8 without control characters, and not `-`, which stands for nobody.
pub fn user(value: &str) -> Checked {
    name(value, USER_MAX_BYTES)
}

/// A backend's name: 1 to 255 bytes without control characters, and not `-`.
pub fn backend(value: &str) -> Checked {
    name(value, BACKEND_MAX_BYTES)
}

/// An auth slug: 1 to 50 of `[A-Za-z0-9_-]`, and not `-` alone.
pub fn auth_slug(value: &str) -> Checked {
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if value.is_empty() || value.len() > AUTH_SLUG_MAX_CHARS || !value.chars().all(legal) {
        return Err(format!("must be 1 to {AUTH_SLUG_MAX_CHARS} characters of A-Z, a-z, 0-9, _ and -"));
    }
    not_the_placeholder(value)
}

/// A user agent: any text without control characters; its length is cut, not refused.
pub fn user_agent(value: &str) -> Checked {
    no_control_characters(value)
}

/// A takeover's reason: up to 500 characters, no control characters.
pub fn reason(value: &str) -> Checked {
    if value.chars().count() > REASON_MAX_CHARS {
        return Err(format!("must be at most {REASON_MAX_CHARS} characters long"));
    }
    no_control_characters(value)
}

/// The kind of a related object: 1 to 100 bytes without control characters.
pub fn content_type(value: &str) -> Checked {
    bounded(value, CONTENT_TYPE_MAX_BYTES)
}

/// The id of a related object: 1 to 255 bytes without control characters.
pub fn object_id(value: &str) -> Checked {
    bounded(value, OBJECT_ID_MAX_BYTES)
}

/// A device key's uuid as it is kept: 1 to 32 characters, no control characters, and not `-`. Of a UUID with dashes
/// (RFC 9562, section 4) its 32 hex digits in lower case, as Python's `UUID.hex` gives them.
///
/// # Errors
/// What is wrong with it.
pub fn device_uuid(value: &str) -> Result<String, String> {
    if is_dashed_uuid(value) {
        return Ok(value.replace('-', "").to_ascii_lowercase());
    }
    let length = value.chars().count();
    if length == 0 || length > DEVICE_UUID_MAX_CHARS {
        return Err(format!("must be 1 to {DEVICE_UUID_MAX_CHARS} characters long, or a UUID with dashes"));
    }
    no_control_characters(value)?;
    not_the_placeholder(value).map(|()| value.to_owned())
}

fn is_dashed_uuid(value: &str) -> bool {
    let is_hex = |group: &str| group.bytes().all(|byte| byte.is_ascii_hexdigit());
    value.split('-').map(str::len).eq([8, 4, 4, 4, 12]) && value.split('-').all(is_hex)
}

/// A device key's name: up to 255 bytes, no control characters. An empty one is none.
pub fn device_name(value: &str) -> Checked {
    if value.len() > DEVICE_NAME_MAX_BYTES {
        return Err(format!("must be at most {DEVICE_NAME_MAX_BYTES} bytes long"));
    }
    no_control_characters(value)
}

/// The first 256 characters of a user agent.
pub fn cut_user_agent(value: &str) -> &str {
    value.char_indices().nth(USER_AGENT_MAX_CHARS).map_or(value, |(end, _)| &value[..end])
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
        assert_eq!(cut_user_agent(&"é".repeat(300)), "é".repeat(256));
        assert_eq!(cut_user_agent("short"), "short");
    }

    #[test]
    fn a_dashed_uuid_is_kept_as_its_hex_digits() {
        let hex = "0123456789abcdef0123456789abcdef";
        assert_eq!(device_uuid("01234567-89AB-cdef-0123-456789ABCDEF").as_deref(), Ok(hex));
        for as_it_is in [hex, "01234567-89ab-cdef-0123-456789ab", "a", "--", "Ä-b c", &"é".repeat(32)] {
            assert_eq!(device_uuid(as_it_is).as_deref(), Ok(as_it_is));
        }
        let groups_wrong = "0123456-789ab-cdef-0123-456789abcdef";
        for bad in ["", "-", "a\nb", &"é".repeat(33), groups_wrong, "g1234567-89ab-cdef-0123-456789abcdef"] {
            assert!(device_uuid(bad).is_err(), "{bad:?}");
        }
    }
}
