//! A cut-off as a field of `dw:m:{…}:cutoffs`: its name, and a MessagePack list of its time, the time of setting, the tokens
//! scanned and revoked, and when the walk was finished, or 0.

use std::collections::HashMap;

use redis::{Value, from_redis_value_ref};

use super::primitives::unpack;
use crate::model::cutoff::{Cutoff, CutoffName, CutoffProgress};
use crate::store::error::StoreError;
use crate::store::redis::errors::unexpected;

/// Decodes the answer to `HGETALL`.
///
/// # Errors
/// `Corrupt`: a rule that cannot be read must not be passed over.
pub(crate) fn cutoffs(all: &Value) -> Result<Vec<Cutoff>, StoreError> {
    let entries: HashMap<String, Vec<u8>> =
        from_redis_value_ref(all).map_err(|_| unexpected("the cut-offs"))?;
    entries.iter().map(|(name, packed)| cutoff(name, packed)).collect()
}

/// Decodes a cut-off.
///
/// # Errors
/// `Corrupt`.
pub(crate) fn cutoff(name: &str, packed: &[u8]) -> Result<Cutoff, StoreError> {
    let corrupt = || StoreError::Corrupt { key: "m:cutoffs".into(), reason: format!("field {name:?}") };
    let (before_ms, created_at_ms, scanned, revoked, finished_at_ms): (u64, u64, u64, u64, u64) =
        unpack(Some(packed)).ok_or_else(corrupt)?;
    let finished_at_ms = Some(finished_at_ms).filter(|ms| *ms > 0);
    Ok(Cutoff {
        name: CutoffName::parse(name).map_err(|_| corrupt())?,
        before_ms,
        created_at_ms,
        progress: CutoffProgress { scanned, revoked, finished_at_ms },
    })
}
