//! Signed values as npm's package `cookie-signature` makes them: cookies of Express, and session ids of express-session.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use ring::hmac;

/// Bytes of a signature.
const SIGNATURE_BYTES: usize = 32;

/// Returns the value in `s:VALUE.SIGNATURE`, if one of these keys has signed it. The signature is the HMAC-SHA256 of the
/// value, in base64 without padding.
pub fn signed_value<'a>(string: &'a [u8], keys: &[hmac::Key]) -> Option<&'a [u8]> {
    let signed = string.strip_prefix(b"s:")?;
    let dot = signed.iter().rposition(|byte| *byte == b'.')?;
    let (value, signature) = (signed.get(..dot)?, signed.get(dot + 1..)?);
    let mut bytes = [0; SIGNATURE_BYTES + 1];
    let length = STANDARD_NO_PAD.decode_slice(signature, &mut bytes).ok()?;
    let signature = bytes.get(..length).filter(|_| length == SIGNATURE_BYTES)?;
    // In constant time.
    keys.iter().any(|key| hmac::verify(key, value, signature).is_ok()).then_some(value)
}
