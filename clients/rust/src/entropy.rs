//! The system's randomness. Nothing else of this crate asks for it.

use crate::error::Unavailable;

/// Returns 16 random bytes in hexadecimal: the name of a call.
///
/// # Errors
/// If the system has no randomness.
pub(crate) fn unique_name() -> Result<String, Unavailable> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| Unavailable::new(format!("no randomness: {error}")))?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}
