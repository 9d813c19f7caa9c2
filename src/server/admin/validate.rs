//! `/v1/validate`.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use serde::Deserialize;
use serde::de::{Deserializer, Visitor};

use super::fields::Fields;
use super::problem::Problem;
use crate::model::token::TokenRef;
use crate::server::json::timestamp::Timestamps;
use crate::server::json::token::TokenJson;
use crate::server::transport::body::Body;
use crate::server::transport::response::with_body;
use crate::service::ServiceError;
use crate::validation::{Access, Validator};

/// The most tokens in one request.
const MAX_TOKENS: usize = 1000;
/// What most token objects fit into.
const USUAL_BYTES: usize = 640;

/// POST: the tokens of these strings in their order, or that they are none.
///
/// The caller is a trusted back end, so `allowed_cookie` and `allowed_header` are shown and not asked.
pub async fn validate(
    validator: &Validator,
    access: Access,
    body: Vec<u8>,
) -> Result<Response<Body>, Problem> {
    let wires = wires_of(&body)?;
    let now_ms = validator.service().clock().now_ms();
    let mut results = Results::with_room_for(wires.len());
    let show = |at, token: Option<TokenRef<'_>>| results.put(at, token, now_ms);
    validator.show_batch(&wires, access, show).await.map_err(ServiceError::from)?;
    let mut response = with_body(StatusCode::OK, results.into_text());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

/// The strings of a request, as they lie in its body where that has no escapes.
fn wires_of(body: &[u8]) -> Result<Vec<Wire<'_>>, Problem> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Asked<'a> {
        #[serde(borrow)]
        tokens: Vec<Wire<'a>>,
    }
    // As a text, because then each string in it is known to be one. An array is none: serde would take it for the object.
    if let Ok(body) = str::from_utf8(body)
        && body.trim_ascii_start().starts_with('{')
        && let Ok(Asked { tokens }) = serde_json::from_str(body)
        && tokens.len() <= MAX_TOKENS
    {
        return Ok(tokens);
    }
    // Something is wrong with it: what that is takes a closer look.
    let mut fields = Fields::of_json(body)?;
    let tokens = fields.strings("tokens", MAX_TOKENS);
    fields.finish()?;
    Ok(tokens.into_iter().map(|token| Wire(token.into())).collect())
}

/// serde makes a copy for every `Cow` in a list; this one does so only where it must.
struct Wire<'a>(Cow<'a, str>);

impl AsRef<[u8]> for Wire<'_> {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Wire<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(WireVisitor)
    }
}

struct WireVisitor;

impl<'de> Visitor<'de> for WireVisitor {
    type Value = Wire<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Wire<'de>, E> {
        Ok(Wire(text.into()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Wire<'de>, E> {
        Ok(Wire(text.to_owned().into()))
    }
}

/// The answer's text, written as the tokens are shown.
struct Results {
    text: Vec<u8>,
    /// Where each token's object is in the text, the comma behind it included.
    places: Vec<Range<usize>>,
    is_in_order: bool,
    timestamps: Timestamps,
}

const HEAD: &[u8] = br#"{"results":["#;

impl Results {
    fn with_room_for(count: usize) -> Self {
        let mut text = Vec::with_capacity(HEAD.len() + count * USUAL_BYTES);
        text.extend_from_slice(HEAD);
        Self { text, places: vec![0..0; count], is_in_order: true, timestamps: Timestamps::default() }
    }

    fn put(&mut self, at: usize, token: Option<TokenRef<'_>>, now_ms: u64) {
        let start = self.text.len();
        match token {
            Some(token) => TokenJson::write_batch(token, now_ms, &mut self.timestamps, &mut self.text),
            None => self.text.extend_from_slice(br#"{"is_active":false}"#),
        }
        self.text.push(b',');
        let follows = at.checked_sub(1).map_or(HEAD.len(), |before| self.places[before].end);
        self.is_in_order &= follows == start;
        self.places[at] = start..self.text.len();
    }

    fn into_text(self) -> Vec<u8> {
        let mut text = if self.is_in_order {
            self.text
        } else {
            let mut text = Vec::with_capacity(self.text.len() + 1);
            text.extend_from_slice(HEAD);
            self.places.iter().for_each(|place| text.extend_from_slice(&self.text[place.clone()]));
            text
        };
        text.pop_if(|last| *last == b',');
        text.extend_from_slice(b"]}");
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_in_the_order_of_the_strings_whenever_they_were_shown() {
        for order in [vec![], vec![0], vec![0, 1, 2], vec![1, 2, 0], vec![0, 2, 1]] {
            let mut results = Results::with_room_for(order.len());
            order.iter().for_each(|at| results.put(*at, None, 0));
            let text = String::from_utf8(results.into_text()).unwrap();
            let objects = vec![r#"{"is_active":false}"#; order.len()].join(",");
            assert_eq!(text, format!(r#"{{"results":[{objects}]}}"#), "{order:?}");
        }
    }

    #[test]
    fn strings_are_found_with_and_without_escapes() {
        let found = |body: &str| {
            let wires = wires_of(body.as_bytes()).map_err(|_| "refused")?;
            Ok(wires.iter().map(|token_string| token_string.0.to_string()).collect::<Vec<_>>())
        };
        assert_eq!(found(r#"{"tokens":["a", "b"]}"#), Ok(vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(found(r#"{"tokens":["\u0061"]}"#), Ok(vec!["a".to_owned()]));
        assert_eq!(found(r#"{"tokens":[1]}"#), Err("refused"));
        assert_eq!(found(r#"{"tokens":["a"],"x":1}"#), Err("refused"));
        assert_eq!(found(r#"[["a"]]"#), Err("refused"));
    }
}
