//! `Idempotency-Key`: a repeated request changes nothing a second time.

use super::call::AdminCall;
use super::problem::{FieldError, Problem};
use crate::model::idempotency::{BodyDigest, IdempotentRequest, RequestName};
use crate::service::Service;

const HEADER: &str = "Idempotency-Key";
/// The longest key.
const MAX_KEY_BYTES: usize = 255;

/// Reads the header, and names the request by it. `None` without the header.
///
/// # Errors
/// 422 if the header does not have 1 to 255 visible ASCII characters, or is there twice.
pub fn request_name(call: &AdminCall<'_>) -> Result<Option<RequestName>, Problem> {
    let mut values = call.input.headers().get_all(HEADER).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let key = value.as_bytes();
    let is_valid = (1..=MAX_KEY_BYTES).contains(&key.len()) && key.iter().all(u8::is_ascii_graphic);
    if !is_valid || values.next().is_some() {
        let detail = format!("must be one header of 1 to {MAX_KEY_BYTES} visible ASCII characters");
        return Err(Problem::fields(vec![FieldError::new(HEADER, detail)]));
    }
    let (method, path) = call.input.target();
    Ok(Some(RequestName::of(call.key.name(), method, path, key)))
}

/// Binds the name of a request, if it has one, to its body. Returns the answer that was kept for a repeat.
///
/// # Errors
/// 422 if an earlier request of this name had another body; 503.
pub async fn claim(
    service: &Service,
    name: Option<RequestName>,
    body: &[u8],
) -> Result<Option<(IdempotentRequest, Option<Vec<u8>>)>, Problem> {
    let Some(name) = name else { return Ok(None) };
    let request = IdempotentRequest { name, body: BodyDigest::of(body) };
    let answer = service.claim_request(&request).await?;
    Ok(Some((request, answer)))
}
