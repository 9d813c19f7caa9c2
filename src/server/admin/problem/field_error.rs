//! An error of one field.

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::Serialize;

/// The longest path that is shown: the names of unknown fields come from the caller.
const MAX_PATH_CHARS: usize = 100;

/// The characters that a URI fragment must escape (RFC 3986, section 3.5).
const FRAGMENT_ESCAPED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// An error of one field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// A JSON pointer as a URI fragment (RFC 6901, section 6), such as `#/user`.
    pub pointer: String,
    /// The fault, without the value of the field.
    pub detail: String,
}

impl FieldError {
    /// Names the field by its path, such as `related_objects/0/object_id`.
    pub fn new(path: &str, detail: impl Into<String>) -> Self {
        let path: String = path.chars().take(MAX_PATH_CHARS).collect();
        let pointer = format!("#/{}", utf8_percent_encode(&path, FRAGMENT_ESCAPED));
        Self { pointer, detail: detail.into() }
    }

    /// Names the body as a whole. `#/` would be a field without a name.
    pub fn of_whole(detail: impl Into<String>) -> Self {
        Self { pointer: "#".into(), detail: detail.into() }
    }
}
