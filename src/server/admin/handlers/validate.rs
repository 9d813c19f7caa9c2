//! `POST /v1/validate`: a batch of token strings. Strings are borrowed from the body, and the answer is written in one pass.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use serde::Deserialize;
use serde::de::{Deserializer, Visitor};

use crate::model::token::TokenRef;
use crate::server::admin::call::{AdminCall, Answer};
use crate::server::admin::input::Fields;
use crate::server::admin::problem::Problem;
use crate::server::json::timestamp::TimestampWriter;
use crate::server::json::token::TokenJson;
use crate::server::transport::response::with_body;

/// The most tokens in one request.
const MAX_TOKENS: usize = 1000;
/// The room that most token objects need.
const USUAL_TOKEN_BYTES: usize = 640;

/// Validates a batch: 200, in the order of the strings, each token or that it is inactive. The caller is a trusted back
/// end, so `allowed_cookie` and `allowed_header` are shown but not enforced.
pub async fn validate(call: AdminCall<'_>) -> Answer {
    let validator = &call.admin.validator;
    let access = call.admin.settings.access(call.input.headers());
    let body = call.input.json_bytes().await?;
    let token_strings = read_token_strings(&body)?;
    let now_ms = validator.service().clock().now_ms();
    let mut results = Results::with_capacity(token_strings.len());
    let show = |at, token: Option<TokenRef<'_>>| results.put(at, token, now_ms);
    validator.show_batch(&token_strings, access, Some(&call.audited), show).await?;
    let mut response = with_body(StatusCode::OK, results.into_text());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

/// Reads the token strings of a request.
fn read_token_strings(body: &[u8]) -> Result<Vec<BorrowedText<'_>>, Problem> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct BatchRequest<'a> {
        #[serde(borrow)]
        tokens: Vec<BorrowedText<'a>>,
    }
    // Checked as UTF-8 first, so that serde need not check each string. serde would also take an array for the object.
    if let Ok(body) = str::from_utf8(body)
        && body.trim_ascii_start().starts_with('{')
        && let Ok(BatchRequest { tokens }) = serde_json::from_str(body)
        && tokens.len() <= MAX_TOKENS
    {
        return Ok(tokens);
    }
    // The request is bad in some way: the reader of fields finds out in which.
    let mut fields = Fields::of_json(body)?;
    let tokens = fields.strings("tokens", MAX_TOKENS);
    fields.finish()?;
    Ok(tokens.into_iter().map(|token| BorrowedText(token.into())).collect())
}

/// A JSON string that is copied only if it has escapes. serde copies every `Cow` in a list.
struct BorrowedText<'a>(Cow<'a, str>);

impl AsRef<[u8]> for BorrowedText<'_> {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for BorrowedText<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = BorrowedText<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<BorrowedText<'de>, E> {
        Ok(BorrowedText(text.into()))
    }

    fn visit_str<E>(self, text: &str) -> Result<BorrowedText<'de>, E> {
        Ok(BorrowedText(text.to_owned().into()))
    }
}

/// The text of the answer. Tokens are written as the validator shows them, in any order.
struct Results {
    text: Vec<u8>,
    /// The range of each token's object in the text, with the comma after it.
    ranges: Vec<Range<usize>>,
    is_in_order: bool,
    timestamps: TimestampWriter,
}

const HEAD: &[u8] = br#"{"results":["#;

impl Results {
    fn with_capacity(count: usize) -> Self {
        let mut text = Vec::with_capacity(HEAD.len() + count * USUAL_TOKEN_BYTES);
        text.extend_from_slice(HEAD);
        Self { text, ranges: vec![0..0; count], is_in_order: true, timestamps: TimestampWriter::default() }
    }

    fn put(&mut self, at: usize, token: Option<TokenRef<'_>>, now_ms: u64) {
        let start = self.text.len();
        match token {
            Some(token) => TokenJson::write_batch(token, now_ms, &mut self.timestamps, &mut self.text),
            None => self.text.extend_from_slice(br#"{"is_active":false}"#),
        }
        self.text.push(b',');
        let follows = at.checked_sub(1).map_or(HEAD.len(), |before| self.ranges[before].end);
        self.is_in_order &= follows == start;
        self.ranges[at] = start..self.text.len();
    }

    fn into_text(self) -> Vec<u8> {
        let mut text = if self.is_in_order {
            self.text
        } else {
            let mut text = Vec::with_capacity(self.text.len() + 1);
            text.extend_from_slice(HEAD);
            self.ranges.iter().for_each(|range| text.extend_from_slice(&self.text[range.clone()]));
            text
        };
        text.pop_if(|last| *last == b',');
        text.extend_from_slice(b"]}\n");
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_have_the_order_of_the_request() {
        for order in [vec![], vec![0], vec![0, 1, 2], vec![1, 2, 0], vec![0, 2, 1]] {
            let mut results = Results::with_capacity(order.len());
            order.iter().for_each(|at| results.put(*at, None, 0));
            let text = String::from_utf8(results.into_text()).unwrap();
            let objects = vec![r#"{"is_active":false}"#; order.len()].join(",");
            assert_eq!(text, format!("{{\"results\":[{objects}]}}\n"), "{order:?}");
        }
    }

    #[test]
    fn token_strings_are_read_with_and_without_escapes() {
        let read = |body: &str| {
            let token_strings = read_token_strings(body.as_bytes()).map_err(|_| "refused")?;
            Ok(token_strings.iter().map(|token_string| token_string.0.to_string()).collect::<Vec<_>>())
        };
        assert_eq!(read(r#"{"tokens":["a", "b"]}"#), Ok(vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(read(r#"{"tokens":["\u0061"]}"#), Ok(vec!["a".to_owned()]));
        assert_eq!(read(r#"{"tokens":[1]}"#), Err("refused"));
        assert_eq!(read(r#"{"tokens":["a"],"x":1}"#), Err("refused"));
        assert_eq!(read(r#"[["a"]]"#), Err("refused"));
    }
}
